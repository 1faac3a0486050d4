//! Kubernetes quantities of bytes.

/// Reads a quantity such as `512Mi`, `1.5G` or `2e9` as whole bytes, rounded up. `None` when it is not one, is negative
/// or does not fit.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let number_length = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_length);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let (multiplier, divisor) = scale(suffix)?;
    // The value is DIGITS × multiplier ÷ (divisor × 10^fraction digits), in integers so that nothing is rounded twice.
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let divisor = 10_u128
        .checked_pow(u32::try_from(fraction.len()).ok()?)?
        .checked_mul(divisor)?;
    u64::try_from(digits.checked_mul(multiplier)?.div_ceil(divisor)).ok()
}

/// What a suffix multiplies and divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let multiplier = match suffix {
        "m" => return Some((1, 1000)),
        "" => 1,
        "k" => 1000,
        "M" => 1000_u128.pow(2),
        "G" => 1000_u128.pow(3),
        "T" => 1000_u128.pow(4),
        "P" => 1000_u128.pow(5),
        "E" => 1000_u128.pow(6),
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        "Ei" => 1 << 60,
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            10_u128.checked_pow(exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?)?
        }
    };
    Some((multiplier, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        let cases = [
            ("16Mi", Some(16 << 20)),
            ("1.5Gi", Some(3 << 29)),
            ("1e3", Some(1000)),
            ("2E+6", Some(2_000_000)),
            ("1E", Some(1_000_000_000_000_000_000)),
            ("1500m", Some(2)),
            (".5k", Some(500)),
            ("100", Some(100)),
        ];
        for (text, bytes) in cases {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn refuses_what_kubernetes_refuses() {
        for text in [
            "",
            ".",
            "Mi",
            "1.2.3",
            "-1",
            "1 Gi",
            "1gi",
            "1Gib",
            "1e",
            "1e-3",
            "99999999999999999999Ei",
            "٣",
        ] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
