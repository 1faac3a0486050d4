//! How large a program becomes of an expression, without making it.
//!
//! Rust's `regex` refuses one whose automaton takes more than 10 MiB, and Vector with it. The automaton takes some ten times
//! longer to make than the expression to read, so here is only a bound of its size.

use regex_syntax::hir::{Capture, Class, ClassUnicode, Hir, HirKind, Repetition};
use regex_syntax::utf8::Utf8Sequences;

/// What one state takes, in bytes, and one way out of it.
const STATE: u64 = 32;
const TRANSITION: u64 = 8;
/// A byte of a text: a state of its own, and what joins it to others where texts are alternatives.
const BYTE: u64 = 2 * STATE + 3 * TRANSITION;
/// The states that alternatives, repetitions and groups add to what they hold.
const JOINT: u64 = 3 * (STATE + 2 * TRANSITION);
/// What every automaton has: a group around all, a way to where the expression begins, and the state in which it has been found.
const FRAME: u64 = 3 * JOINT;

/// The most that an automaton of the expression takes, in bytes, forwards or backwards.
pub fn at_most(hir: &Hir) -> u64 {
    FRAME.saturating_add(of_part(hir))
}

fn of_part(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => STATE,
        HirKind::Literal(literal) => of_count(literal.0.len()).saturating_mul(BYTE),
        HirKind::Class(class) => of_class(class),
        HirKind::Repetition(repetition) => of_repetition(repetition),
        HirKind::Capture(Capture { sub, .. }) => JOINT.saturating_add(of_part(sub)),
        HirKind::Concat(parts) => sum(parts.iter().map(of_part)),
        HirKind::Alternation(parts) => JOINT.saturating_add(sum(parts
            .iter()
            .map(|part| of_part(part).saturating_add(TRANSITION)))),
    }
}

fn of_repetition(repetition: &Repetition) -> u64 {
    let copies = repetition.max.unwrap_or(repetition.min.saturating_add(1)).max(1);
    let copy = of_part(&repetition.sub).saturating_add(STATE + 2 * TRANSITION);
    JOINT.saturating_add(copy.saturating_mul(u64::from(copies)))
}

fn of_class(class: &Class) -> u64 {
    match class {
        Class::Unicode(class) if !class.is_ascii() => of_characters(class),
        Class::Unicode(class) => 2 * STATE + of_count(class.ranges().len()) * TRANSITION,
        Class::Bytes(class) => 2 * STATE + of_count(class.ranges().len()) * TRANSITION,
    }
}

/// Each range of characters is some sequences of ranges of bytes, and at worst none shares a state with another.
fn of_characters(class: &ClassUnicode) -> u64 {
    let sequences = class
        .iter()
        .flat_map(|range| Utf8Sequences::new(range.start(), range.end()));
    let states = sequences.map(|sequence| of_count(sequence.len()) * (STATE + TRANSITION) + TRANSITION);
    sum(states).saturating_add(2 * STATE)
}

fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

fn of_count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex_automata::nfa::thompson::{Compiler, Config, WhichCaptures};
    use regex_syntax::hir::Hir;

    use super::at_most;

    /// Makes the automaton in the size that is foretold.
    fn compile(hir: &Hir, reverse: bool) -> Result<(), String> {
        let captures = if reverse {
            WhichCaptures::None
        } else {
            WhichCaptures::All
        };
        let limit = usize::try_from(at_most(hir)).unwrap();
        let config = Config::new()
            .reverse(reverse)
            .which_captures(captures)
            .nfa_size_limit(Some(limit));
        let made = Compiler::new().configure(config).build_from_hir(hir);
        made.map(drop).map_err(|error| error.to_string())
    }

    fn patterns() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "",
            "a",
            "é",
            "abc",
            "[a-c]",
            "[^a]",
            ".",
            r"\pL",
            r"\PN",
            "(?i:ks)",
            r"\b",
            "^",
            "(?:ab|ac|bé)",
            r"[\x{80}-\x{7FFFF}]",
            "[a&&b]",
            "(?:|a)",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(4, 16, 4, |inner| {
            let times = prop::sample::select(vec![
                "*", "*?", "+", "+?", "?", "??", "{0}", "{3}", "{2,}", "{2,}?", "{0,4}", "{3,5}?",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
                (inner, times).prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_automaton_is_larger(pattern in patterns()) {
            let hir = regex_syntax::parse(&pattern).unwrap();
            prop_assert_eq!(compile(&hir, false), Ok(()), "{}", pattern);
            prop_assert_eq!(compile(&hir, true), Ok(()), "{}", pattern);
        }
    }
}
