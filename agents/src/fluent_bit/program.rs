//! Regular expressions as programs that the script runs, in a time that is linear in the text.
//!
//! Fluent Bit's own expressions, Onigmo's, go back and forth in a text, and read much of RE2's syntax as something else.

use regex_automata::nfa::thompson::{self, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_syntax::hir::Hir;

/// The most that a program may take while it is made, in bytes.
const MOST_MEMORY: usize = 2 << 20;
/// The longest line of data for a program, in bytes: the script is loaded for every output again, and a sidecar's data is an
/// annotation, of which a pod may have 256 KiB.
pub const LONGEST_LINE: usize = 32 << 10;

/// Which way a text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the end of the first match.
    Forward,
    /// From the end of a match to its beginning.
    Reverse,
}

/// The cells of a line "forward" or "reverse" after the number; `None` when they would be too long.
pub fn program(hir: &Hir, direction: Direction) -> Option<Vec<String>> {
    let reverse = direction == Direction::Reverse;
    let captures = if reverse {
        WhichCaptures::None
    } else {
        WhichCaptures::All
    };
    let config = thompson::Config::new()
        .reverse(reverse)
        .which_captures(captures)
        .nfa_size_limit(Some(MOST_MEMORY));
    let nfa = thompson::Compiler::new()
        .configure(config)
        .build_from_hir(hir)
        .ok()?;
    let names = nfa
        .group_info()
        .all_names()
        .filter_map(|(_, group, name)| name.map(|name| format!("{name}.{group}")));
    let names: Vec<String> = names.collect();
    let states: Option<Vec<String>> = nfa.states().iter().map(state).collect();
    let cells = vec![number(nfa.start_anchored()), names.join("-"), states?.join("-")];
    let length: usize = cells.iter().map(String::len).sum();
    (length <= LONGEST_LINE).then_some(cells)
}

/// A letter for the kind of a state, then its numbers. The script says what they mean.
fn state(state: &State) -> Option<String> {
    let range = |start: u8, end: u8, next: StateID| format!(".{start}.{end}.{}", number(next));
    Some(match state {
        State::ByteRange { trans } => format!("b{}", range(trans.start, trans.end, trans.next)),
        State::Sparse(sparse) => {
            let ranges = sparse.transitions.iter();
            let ranges: String = ranges
                .map(|trans| range(trans.start, trans.end, trans.next))
                .collect();
            format!("b{ranges}")
        }
        State::Look { look, next } => format!("l.{}.{}", assertion(*look)?, number(*next)),
        State::Union { alternates } => {
            let states: Vec<String> = alternates.iter().map(|next| number(*next)).collect();
            format!("u.{}", states.join("."))
        }
        State::BinaryUnion { alt1, alt2 } => format!("u.{}.{}", number(*alt1), number(*alt2)),
        State::Capture { next, slot, .. } => format!("c.{}.{}", slot.as_usize(), number(*next)),
        State::Fail => "f".to_owned(),
        State::Match { .. } => "m".to_owned(),
        // The compiler makes none.
        State::Dense(_) => return None,
    })
}

fn number(state: StateID) -> String {
    state.as_usize().to_string()
}

/// The number that the script knows an assertion by; RE2 has no others.
fn assertion(look: Look) -> Option<u8> {
    match look {
        Look::Start => Some(1),
        Look::End => Some(2),
        Look::StartLF => Some(3),
        Look::EndLF => Some(4),
        Look::WordAscii => Some(5),
        _ => None,
    }
}
