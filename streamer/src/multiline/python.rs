//! Tracebacks as Python prints them, chained ones and exception groups included.

use super::Rule;
use super::Stage::{Begun, Chained, Frames, Gap, Outside, Raised};
use super::lines::{is_blank, is_indented, unindented};

const TRACEBACK: &[u8] = b"Traceback (most recent call last):";

pub(super) const RULES: &[Rule] = &[
    Rule::new(&[Outside, Chained], is_traceback, Begun),
    Rule::new(&[Outside, Chained], is_group, Frames),
    // Files, their code, the marks below it.
    Rule::new(&[Begun], is_indented, Begun),
    Rule::new(&[Begun], is_exception, Raised),
    // Of a group everything is indented.
    Rule::new(&[Frames], is_indented, Frames),
    Rule::if_more_follows(&[Frames, Raised, Gap], is_blank, Gap),
    Rule::new(&[Gap], announces_another, Chained),
    Rule::if_more_follows(&[Chained], is_blank, Chained),
];

fn is_traceback(line: &[u8]) -> bool {
    line.starts_with(TRACEBACK)
}

fn is_group(line: &[u8]) -> bool {
    unindented(line)
        .strip_prefix(b"+ Exception Group ")
        .is_some_and(is_traceback)
}

/// `shop.errors.OutOfStock: 12 left`, or the name alone.
fn is_exception(line: &[u8]) -> bool {
    let end = memchr::memchr(b':', line).unwrap_or(line.len());
    let name = &line[..end];
    !name.is_empty()
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._<>".contains(byte) || !byte.is_ascii())
}

fn announces_another(line: &[u8]) -> bool {
    matches!(
        unindented(line),
        b"During handling of the above exception, another exception occurred:"
            | b"The above exception was the direct cause of the following exception:"
    )
}

#[cfg(test)]
mod tests {
    use crate::multiline::{Rules, tests::assert_records};

    #[test]
    fn a_traceback_is_one_record() {
        assert_records(
            &Rules::Python,
            &[
                "ERROR:root:boom",
                "Traceback (most recent call last):\n  \
                 File \"/app/shop.py\", line 3, in <module>\n    \
                 order(7)\n    \
                 ~~~~~^^^\n  \
                 [Previous line repeated 996 more times]\n\
                 shop.errors.OutOfStock: 12 left",
                "INFO:root:next",
                "Traceback (most recent call last):\n  File \"<stdin>\", line 1, in <module>\nKeyboardInterrupt",
                "",
                "a line",
            ],
        );
    }

    #[test]
    fn chained_tracebacks_are_one_record() {
        assert_records(
            &Rules::Python,
            &[
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'a'\n\
                 \n\
                 During handling of the above exception, another exception occurred:\n\
                 \n\
                 Traceback (most recent call last):\n  File \"a.py\", line 3, in g\nValueError: b\n\
                 \n\
                 The above exception was the direct cause of the following exception:\n\
                 \n\
                 Traceback (most recent call last):\n  File \"a.py\", line 5, in h\nRuntimeError: c",
                "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'a'",
            ],
        );
    }

    #[test]
    fn a_group_of_exceptions_is_one_record() {
        assert_records(
            &Rules::Python,
            &[
                "  + Exception Group Traceback (most recent call last):\n  \
                 |   File \"a.py\", line 1, in <module>\n  \
                 | ExceptionGroup: two (2 sub-exceptions)\n  \
                 +-+---------------- 1 ----------------\n    \
                 | ValueError: 1\n    \
                 +------------------------------------",
                "next",
            ],
        );
    }
}
