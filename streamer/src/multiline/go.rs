//! Panics and fatal errors as Go's runtime prints them, with the stacks of all goroutines.

use super::Stage::{Begun, Call, Frames, Gap, Outside};
use super::lines::{after_digits, contains, is_blank, is_indented};
use super::{Rule, Stage};

const BEFORE_STACK: &[Stage] = &[Outside, Begun, Gap];

pub(super) const RULES: &[Rule] = &[
    Rule::new(BEFORE_STACK, is_stack_header, Frames),
    Rule::new(&[Outside], is_panic, Begun),
    Rule::new(&[Begun], is_detail, Begun),
    Rule::new(&[Frames], is_call, Call),
    Rule::new(&[Call], is_indented, Frames),
    Rule::if_more_follows(&[Begun, Frames, Gap], is_blank, Gap),
];

/// `panic: `, as a word of its own anywhere: `http: panic serving 10.0.0.1:4711: ` comes after a time.
fn is_panic(line: &[u8]) -> bool {
    let is_word = |at: usize| at == 0 || !(line[at - 1].is_ascii_alphanumeric() || line[at - 1] == b'_');
    memchr::memmem::find_iter(line, b"panic: ").any(is_word)
        || contains(line, b"http: panic serving ")
        || line.starts_with(b"fatal error: ")
        || is_signal(line)
}

/// `SIGQUIT: quit`
fn is_signal(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"SIG") else {
        return false;
    };
    let name = rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    name > 0 && rest[name..].starts_with(b": ")
}

/// What stands between the panic and the first stack: `[signal SIGSEGV: ...]`, `\tpanic: again`, `PC=0x45a1b1 m=0 sigcode=0`.
fn is_detail(line: &[u8]) -> bool {
    line.starts_with(b"[signal ") || line.starts_with(b"\tpanic: ") || line.starts_with(b"PC=")
}

/// `goroutine 17 [running, locked to thread]:` and `runtime stack:`
fn is_stack_header(line: &[u8]) -> bool {
    let state = line
        .strip_prefix(b"goroutine ")
        .and_then(after_digits)
        .and_then(|rest| rest.strip_prefix(b" "));
    line == b"runtime stack:" || state.is_some_and(|state| contains(state, b"[") && state.ends_with(b"]:"))
}

/// `main.(*Shop).Order(0xc000012345, 0x2a)`, `created by main.main in goroutine 1`, `...additional frames elided...`
fn is_call(line: &[u8]) -> bool {
    let is_call = line.iter().position(|byte| *byte == b'(').is_some_and(|open| {
        open > 0
            && !line[..open]
                .iter()
                .any(|byte| byte.is_ascii_whitespace() || *byte == b':')
    });
    is_call || line.starts_with(b"created by ") || line.starts_with(b"...")
}
