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

#[cfg(test)]
mod tests {
    use crate::multiline::{Rules, tests::assert_records};

    #[test]
    fn a_trace_with_its_causes_is_one_record() {
        assert_records(
            &Rules::Java,
            &[
                "10:11:12 INFO an order",
                "Exception in thread \"main\" java.lang.IllegalStateException: no such order\n\
                 \tat com.example.Shop.order(Shop.java:42) ~[shop.jar:1.0]\n\
                 \tat java.base/java.lang.Thread.run(Thread.java:1583)\n\
                 \tSuppressed: java.io.IOException: close\n\
                 \t\tat com.example.Shop.close(Shop.java:50)\n\
                 \t\t... 3 more\n\
                 Caused by: java.sql.SQLException\n\
                 \tat com.example.Database.find(Database.java:7)\n\
                 \t... 23 common frames omitted",
                "10:11:13 INFO an order",
                "java.lang.Error",
                "java.lang.Throwable: x\n\n\tat a.B.c(D.java:1)",
            ],
        );
    }

    #[test]
    fn traces_that_look_alike_are_records_too() {
        assert_records(
            &Rules::Java,
            &[
                "Unhandled exception. System.InvalidOperationException: x\n \
                 ---> no frame",
                "System.Exception: outer\n   \
                 at Shop.Order() in /src/Shop.cs:line 4\n   \
                 --- End of inner exception stack trace ---\n\
                 --- End of stack trace from previous location ---\n   \
                 at Shop.Main()",
                "TypeError: x is not a function\n    at shop (/src/shop.js:1:2)\n    at eval at <anonymous>",
                "javax.ejb.EJBException: nested\nnested exception is:\njava.lang.Exception: inner\n\tat a.B.c(D.java:1)",
            ]
            .map(|record| record.strip_suffix("\n ---> no frame").unwrap_or(record)),
        );
    }

    #[test]
    fn one_exception_after_another_and_what_only_looks_like_frames() {
        assert_records(
            &Rules::Java,
            &[
                "a.BException: one",
                "a.BException: two\n\tat a.B.c(D.java:1)",
                "",
                "  at the door",
                "Caused by: nothing",
                "... 3 more",
                "an Exception is mentioned",
            ],
        );
    }
}
