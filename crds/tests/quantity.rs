//! Quantities against what Kubernetes' own parser says of them.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use proptest::prelude::*;
use tributary_crds::quantity::ExactQuantity;

/// A text, and what is expected of it: the canonical text, units, thousandths.
fn table() -> impl Iterator<Item = [&'static str; 4]> {
    include_str!("quantities.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

fn quantity(text: &str) -> ExactQuantity {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_text_is_read_and_written_as_kubernetes_does() {
    assert!(table().count() > 650);
    for [text, canonical, units, thousandths] in table() {
        let read: Result<ExactQuantity, _> = text.parse();
        let Ok(read) = read else {
            assert_eq!(canonical, "-", "{text:?} is refused");
            continue;
        };
        assert_eq!(read.to_string(), canonical, "{text:?}");
        assert_eq!(quantity(canonical), read, "{text:?} and its canonical text");
        assert!(
            !canonical.starts_with('-') || read.in_units().is_none(),
            "{text:?}"
        );
        if units != "-" {
            assert_eq!(read.in_units(), Some(units.parse().unwrap()), "{text:?}");
            assert_eq!(
                read.in_thousandths(),
                thousandths.parse::<i128>().unwrap(),
                "{text:?}"
            );
        }
    }
}

#[test]
fn what_nobody_means_is_refused() {
    for text in [
        "",
        " ",
        ".",
        "-",
        "Mi",
        ".Mi",
        "1e2147483648",
        "1e-2147483649",
        "1e",
    ] {
        let error = text.parse::<ExactQuantity>().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{text:?} is no quantity; write one such as 100m or 32Mi")
        );
    }
}

#[test]
fn equal_amounts_are_equal_however_they_are_written() {
    for (a, b) in [
        ("1", "1000m"),
        ("1Gi", "1024Mi"),
        ("1e3", "1k"),
        (".5", "0.50"),
        (" 1 ", "1"),
    ] {
        assert_eq!(quantity(a), quantity(b), "{a} {b}");
    }
    assert!(quantity("1Mi") > quantity("1M") && quantity("-1") < quantity("0"));
}

#[test]
fn what_is_too_large_is_the_largest() {
    let largest = quantity("1e999999999");
    let digits = "9".repeat(100_000);
    assert_eq!(quantity(&digits), largest);
    assert_eq!(largest + largest, largest);
    assert_eq!(quantity(&format!("0.{digits}")), quantity("1"));
    assert_eq!(largest.in_units(), None);
}

#[test]
fn multiplies_and_divides_to_whole_steps() {
    let (milli, byte) = (quantity("1m"), quantity("1"));
    assert_eq!(quantity("5m").times(quantity("2.5"), milli), quantity("12m"));
    assert_eq!(quantity("100m").divided_by(quantity("3"), milli), quantity("34m"));
    assert_eq!(
        quantity("32Mi").divided_by(quantity("1.5"), byte),
        quantity("22369622")
    );
    assert_eq!(quantity("1m").divided_by(quantity("0"), milli), quantity("1m"));
}

fn suffix() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "n", "u", "m", "", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-4",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn zeros_that_say_nothing_change_nothing(whole in 0_u64..1_000_000_000, fraction in 0_u32..1_000_000, zeros in 1_usize..60, suffix in suffix()) {
        let zeros = "0".repeat(zeros);
        let short = quantity(&format!("{whole}.{fraction:06}{suffix}"));
        let long = quantity(&format!("{zeros}{whole}.{fraction:06}{zeros}{suffix}"));
        prop_assert_eq!(short, long);
        prop_assert_eq!(short.to_string(), long.to_string());
    }

    #[test]
    fn what_is_written_is_read_again(number in any::<i64>(), suffix in suffix()) {
        let read = quantity(&format!("{number}{suffix}"));
        let again = quantity(&read.to_string());
        prop_assert_eq!(read, again);
        prop_assert_eq!(read.to_string(), again.to_string());
    }

    #[test]
    fn sums_and_order_are_those_of_the_numbers(a in any::<u32>(), b in any::<u32>(), suffix in proptest::sample::select(vec!["n", "m", "", "Ki", "Gi"])) {
        let of = |number: u64| quantity(&format!("{number}{suffix}"));
        let (x, y) = (u64::from(a), u64::from(b));
        prop_assert_eq!(of(x) + of(y), of(x + y));
        prop_assert_eq!(of(x + y) - of(y), of(x));
        prop_assert_eq!(of(x).cmp(&of(y)), x.cmp(&y));
    }

    #[test]
    fn no_text_is_too_odd(text in ".{0,40}") {
        let _ = text.parse::<ExactQuantity>();
    }
}
