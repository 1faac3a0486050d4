//! Backtraces as Ruby prints them, and errors as Rails logs them.

use super::Rule;
use super::Stage::{Begun, Frames, Outside, Rails, RailsFrames};
use super::lines::{after_digits, is_blank, is_indented, unindented};

pub(super) const RULES: &[Rule] = &[
    Rule::new(&[Begun, Frames], is_frame, Frames),
    // The rest of a message of several lines, and the code that it points at.
    Rule::if_more_follows(&[Begun], is_blank_or_indented, Begun),
    Rule::new(&[Rails, RailsFrames], names_place, RailsFrames),
    Rule::if_more_follows(&[Rails], is_blank_or_indented, Rails),
    Rule::new(&[Outside], is_rails_error, Rails),
    Rule::new(&[Outside], begins_with_place, Begun),
];

/// `\tfrom shop.rb:12:in 'Shop#order'`, and what stands for frames left out of a deep recursion.
fn is_frame(line: &[u8]) -> bool {
    let frame = unindented(line);
    is_indented(line)
        && (frame.starts_with(b"from ") && names_place(frame)
            || frame.starts_with(b"... ") && frame.ends_with(b" levels..."))
}

/// `shop.rb:12:in 'Shop#order': out of stock (RuntimeError)`
fn begins_with_place(line: &[u8]) -> bool {
    !is_indented(line) && names_place(line)
}

/// Whether `FILE:LINE:in ` is in it.
fn names_place(line: &[u8]) -> bool {
    let is_place = |colon: usize| {
        let after_line = after_digits(&line[colon + 1..]);
        colon > 0 && after_line.is_some_and(|rest| rest.starts_with(b":in "))
    };
    memchr::memchr_iter(b':', line).any(is_place)
}

/// `ActionView::Template::Error (undefined method 'name' for nil):`
fn is_rails_error(line: &[u8]) -> bool {
    line.ends_with(b"):") && memchr::memmem::find(line, b"Error (").is_some()
}

fn is_blank_or_indented(line: &[u8]) -> bool {
    is_blank(line) || is_indented(line)
}
