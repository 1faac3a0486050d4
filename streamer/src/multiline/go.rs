//! Panics and fatal errors as Go's runtime prints them, with the stacks of all goroutines.

use super::Stage::{Begun, Call, Frames, Gap, Outside};
use super::lines::{after_digits, is_blank, is_indented};
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
    let says_panic = |colon: usize| {
        let (before, after) = line.split_at(colon);
        let is_word = |rest: &[u8]| {
            !rest
                .last()
                .is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        before.strip_suffix(b"panic").is_some_and(is_word) && after.starts_with(b": ")
            || before.ends_with(b"http") && after.starts_with(b": panic serving ")
    };
    memchr::memchr_iter(b':', line).any(says_panic) || line.starts_with(b"fatal error: ") || is_signal(line)
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

/// `goroutine 17 [running, locked to thread]:`, with addresses before the bracket in dumps for the runtime's own use, and
/// `runtime stack:`
fn is_stack_header(line: &[u8]) -> bool {
    let state = line.strip_prefix(b"goroutine ").and_then(after_digits);
    line == b"runtime stack:"
        || state
            .is_some_and(|state| state.starts_with(b" ") && state.contains(&b'[') && state.ends_with(b"]:"))
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

#[cfg(test)]
mod tests {
    use crate::multiline::{Rules, tests::assert_records};

    #[test]
    fn a_panic_with_its_stack_is_one_record() {
        assert_records(
            &Rules::Go,
            &[
                "2026/01/31 10:11:12 listening",
                "panic: runtime error: index out of range [7] with length 3 [recovered]\n\
                 \tpanic: again\n\
                 [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45a1b1]\n\
                 \n\
                 goroutine 1 [running]:\n\
                 example.com/shop.(*Shop).Order(0xc000012345, {0x2a, 0x3})\n\
                 \t/src/shop/shop.go:42 +0x1d\n\
                 example.com/shop.Map[...](...)\n\
                 \t/src/shop/map.go:7\n\
                 main.main.func1()\n\
                 \t/src/main.go:12 +0x20\n\
                 created by main.main in goroutine 1\n\
                 \t/src/main.go:9 +0x44\n\
                 \n\
                 goroutine 18 gp=0xc000006fc0 m=nil [chan receive, 3 minutes]:\n\
                 main.wait(...)\n\
                 \t/src/main.go:30",
                "exit status 2",
                "2026/01/31 10:11:13 listening",
            ],
        );
    }

    #[test]
    fn a_dump_and_a_recovered_panic_are_records() {
        assert_records(
            &Rules::Go,
            &[
                "2026/01/31 10:11:12 http: panic serving 10.0.0.1:4711: boom\n\
                 goroutine 35 [running]:\n\
                 net/http.(*conn).serve.func1()\n\
                 \t/usr/local/go/src/net/http/server.go:1903 +0xbe",
                "a line",
                "fatal error: all goroutines are asleep - deadlock!\n\
                 \n\
                 goroutine 1 [chan receive]:\n\
                 main.main()\n\
                 \t/src/main.go:5 +0x28",
                "SIGQUIT: quit\n\
                 PC=0x45a1b1 m=0 sigcode=0\n\
                 \n\
                 goroutine 0 [idle]:\n\
                 runtime.futex()\n\
                 \t/usr/local/go/src/runtime/sys_linux_amd64.s:557 +0x21",
                "goroutine 1 [running]:\n\
                 runtime/debug.Stack()\n\
                 \t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e",
            ],
        );
    }

    #[test]
    fn what_only_speaks_of_panics_is_a_line() {
        assert_records(
            &Rules::Go,
            &[
                "",
                "no panic: all is well",
                "",
                "kernel_panic: x",
                "goroutine 7 is late",
                "SIGNAL: x",
                "next",
            ],
        );
    }
}
