//! Stack traces as the JVM prints them, and those of .NET and V8, which look much alike.

use super::Stage::{Begun, Frames, Nested, Outside};
use super::lines::{after_digits, is_blank, is_indented, unindented};
use super::{Rule, Stage};

const TRACE: &[Stage] = &[Begun, Frames];

pub(super) const RULES: &[Rule] = &[
    Rule::new(TRACE, is_frame, Frames),
    Rule::new(TRACE, is_left_out, Frames),
    Rule::new(TRACE, is_cause, Begun),
    Rule::new(TRACE, is_seam, Frames),
    Rule::new(&[Begun], announces_nested, Nested),
    Rule::if_more_follows(&[Begun], is_blank, Begun),
    Rule::new(&[Outside, Nested], names_exception, Begun),
];

/// `java.lang.IllegalStateException: no such order`, whatever comes before it.
fn names_exception(line: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 4] = [b"Exception", b"Error", b"Throwable", b"V8 errors stack trace"];
    memchr::memchr_iter(b':', line)
        .chain([line.len()])
        .any(|end| ENDINGS.iter().any(|ending| line[..end].ends_with(ending)))
}

/// `\tat com.example.Shop.order(Shop.java:42)`
fn is_frame(line: &[u8]) -> bool {
    let call = unindented(line);
    is_indented(line) && (call.starts_with(b"at ") || call.starts_with(b"eval at "))
}

/// `\t... 23 more`
fn is_left_out(line: &[u8]) -> bool {
    let after_number = unindented(line).strip_prefix(b"... ").and_then(after_digits);
    after_number.is_some_and(|rest| rest.starts_with(b" more") || rest.starts_with(b" common frames omitted"))
}

/// `Caused by: java.io.IOException: broken pipe`
fn is_cause(line: &[u8]) -> bool {
    const CAUSES: [&[u8]; 3] = [b"Caused by:", b"Suppressed:", b"[CIRCULAR REFERENCE:"];
    CAUSES.iter().any(|cause| unindented(line).starts_with(cause))
}

/// Between the parts of a trace of .NET.
fn is_seam(line: &[u8]) -> bool {
    matches!(
        unindented(line),
        b"--- End of inner exception stack trace ---"
            | b"--- End of stack trace from previous location where exception was thrown ---"
            | b"--- End of stack trace from previous location ---"
    )
}

fn announces_nested(line: &[u8]) -> bool {
    unindented(line).starts_with(b"nested exception is:")
}
