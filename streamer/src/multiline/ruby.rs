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
    let says_error = |open: usize| line[..open].ends_with(b"Error ");
    line.ends_with(b"):") && memchr::memchr_iter(b'(', line).any(says_error)
}

fn is_blank_or_indented(line: &[u8]) -> bool {
    is_blank(line) || is_indented(line)
}

#[cfg(test)]
mod tests {
    use crate::multiline::{Rules, tests::assert_records};

    #[test]
    fn a_backtrace_is_one_record() {
        assert_records(
            &Rules::Ruby,
            &[
                "a line",
                "shop.rb:12:in 'Shop#order': out of stock (RuntimeError)\n\
                 \tfrom shop.rb:20:in 'block in <main>'\n\
                 \t ... 10061 levels...\n\
                 \tfrom <internal:kernel>:187:in 'loop'\n\
                 \tfrom shop.rb:18:in `<main>'",
                "another",
                "/app/a.rb:1:in 'f': undefined local variable (NameError)\n\
                 \n  \
                 g.call\n  \
                 ^\n\
                 \tfrom /app/a.rb:3:in '<main>'",
                "",
            ],
        );
    }

    #[test]
    fn an_error_of_rails_is_one_record() {
        assert_records(
            &Rules::Ruby,
            &[
                "ActionView::Template::Error (undefined method 'name' for nil):\n    \
                 1: <h1><%= @shop.name %></h1>\n  \n\
                 app/views/shop.html.erb:1:in `_app_views_shop'\n\
                 app/controllers/shops_controller.rb:7:in `show'",
                "Started GET \"/\" for 10.0.0.1",
                "NoMethodError (x):",
            ],
        );
    }

    #[test]
    fn places_are_told_from_other_numbers() {
        assert_records(
            &Rules::Ruby,
            &[
                "12:34:56 in time",
                "a:7:into",
                "\tfrom nowhere",
                "Error (x) of mine",
            ],
        );
    }
}
