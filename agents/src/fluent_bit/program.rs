//! Regular expressions as programs that the script runs, in a time that is linear in the text.
//!
//! Fluent Bit's own expressions, Onigmo's, go back and forth in a text, and read much of RE2's syntax as something else.

use std::fmt::Write as _;

use regex_automata::nfa::thompson::{self, State, Transition, WhichCaptures};
use regex_automata::util::look::Look;
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
    let mut states = String::new();
    for (at, state) in nfa.states().iter().enumerate() {
        if at > 0 {
            states.push('-');
        }
        add_state(state, &mut states)?;
    }
    let start = nfa.start_anchored().as_usize().to_string();
    let cells = vec![start, names.join("-"), states];
    let length: usize = cells.iter().map(String::len).sum();
    (length <= LONGEST_LINE).then_some(cells)
}

/// Adds a letter for the kind of a state, then its numbers. The script says what they mean.
fn add_state(state: &State, text: &mut String) -> Option<()> {
    match state {
        State::ByteRange { trans } => {
            text.push('b');
            add_range(*trans, text);
        }
        State::Sparse(sparse) => {
            text.push('b');
            sparse
                .transitions
                .iter()
                .for_each(|range| add_range(*range, text));
        }
        State::Look { look, next } => {
            text.push('l');
            add_number(assertion(*look)?, text);
            add_number(next.as_usize(), text);
        }
        State::Union { alternates } => {
            text.push('u');
            alternates
                .iter()
                .for_each(|next| add_number(next.as_usize(), text));
        }
        State::BinaryUnion { alt1, alt2 } => {
            text.push('u');
            add_number(alt1.as_usize(), text);
            add_number(alt2.as_usize(), text);
        }
        State::Capture { next, slot, .. } => {
            text.push('c');
            add_number(slot.as_usize(), text);
            add_number(next.as_usize(), text);
        }
        State::Fail => text.push('f'),
        State::Match { .. } => text.push('m'),
        // The compiler makes none.
        State::Dense(_) => return None,
    }
    Some(())
}

fn add_range(range: Transition, text: &mut String) {
    add_number(range.start.into(), text);
    add_number(range.end.into(), text);
    add_number(range.next.as_usize(), text);
}

fn add_number(number: usize, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(text, ".{number}");
}

/// The number that the script knows an assertion by; RE2 has no others.
fn assertion(look: Look) -> Option<usize> {
    match look {
        Look::Start => Some(1),
        Look::End => Some(2),
        Look::StartLF => Some(3),
        Look::EndLF => Some(4),
        Look::WordAscii => Some(5),
        _ => None,
    }
}
