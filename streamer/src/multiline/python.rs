//! Tracebacks as Python prints them, chained ones and exception groups included.

use super::Rule;
use super::Stage::{Begun, Chained, Gap, Outside, Raised};
use super::lines::{is_blank, is_indented, unindented};

pub(super) const RULES: &[Rule] = &[
    Rule::new(&[Outside, Chained], is_traceback, Begun),
    // Files, their code, the marks below it.
    Rule::new(&[Begun], is_indented, Begun),
    Rule::new(&[Begun], is_exception, Raised),
    // A group's exceptions are indented, so that none ends it.
    Rule::if_more_follows(&[Begun, Raised, Gap], is_blank, Gap),
    Rule::new(&[Gap], announces_another, Chained),
    Rule::if_more_follows(&[Chained], is_blank, Chained),
];

fn is_traceback(line: &[u8]) -> bool {
    let line = unindented(line);
    line.strip_prefix(b"+ Exception Group ")
        .unwrap_or(line)
        .starts_with(b"Traceback (most recent call last):")
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
