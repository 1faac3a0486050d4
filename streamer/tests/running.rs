//! The real program as it is run: what it does with its output, what it answers to signals, and what it says.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod harness;
mod log_file;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{
    Streamer, Writer, line, numbered, parse, program, rotate_names, scratch, signal, within,
};
use crate::log_file::{append, truncate};

/// What the kernel says of the memory of a process, in kB.
fn memory(child: &Child, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .expect("a field");
    value.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn long_and_binary_lines_pass_unchanged_in_little_memory() {
    let (_directory, path) = scratch();
    let mut content = vec![0_u8; 100_000_000];
    for (byte, value) in content
        .iter_mut()
        .zip((0..=255_u8).filter(|&value| value != b'\n').cycle())
    {
        *byte = value;
    }
    content.extend_from_slice(b"\nshort\n\xff\xfe\n");
    std::fs::write(&path, &content).expect("a write");
    let mut child = program()
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut output = vec![0; content.len()];
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_exact(&mut output)
        .expect("all of it");
    let peak = memory(&child, "VmHWM:");
    signal(&child, "-TERM");
    child.wait().expect("an end");
    assert!(output == content, "the bytes changed");
    assert!(peak < 6_000, "{peak} kB at most, for a line of 100 MB");
}

#[test]
fn while_nobody_reads_files_that_come_and_go_are_opened_and_a_status_is_said() {
    for options in [&[][..], &["--no-inotify"][..]] {
        let (_directory, path) = scratch();
        let arguments = options
            .iter()
            .map(OsString::from)
            .chain([path.clone().into_os_string()]);
        let mut streamer = Streamer::start_unread(arguments);
        let mut writer = Writer::open(&path);
        // More than a pipe holds.
        writer.lines(5000);
        sleep(Duration::from_millis(500));
        for _ in 0..2 {
            rotate_names(&path, 9);
            writer.file = append(&path);
            writer.lines(300);
            sleep(Duration::from_millis(1200));
            rotate_names(&path, 9);
            std::fs::remove_file(numbered(&path, 1)).expect("a rotated file");
            writer.file = append(&path);
        }
        writer.lines(100);
        std::fs::copy(&path, numbered(&path, 1)).expect("a copy");
        truncate(&path);
        writer.lines(100);
        signal(&streamer.child, "-USR1");
        streamer.await_message("status files=1 lag=");
        let its_own = memory(&streamer.child, "RssAnon:");
        assert!(its_own < 1_000, "{its_own} kB");
        streamer.read();
        sleep(Duration::from_millis(300));
        let ended = streamer.stop();
        ended.assert_complete(writer.next);
        ended.assert_in_order();
        assert_eq!(
            ended.statuses.len(),
            2,
            "what was asked for: {:?}",
            ended.statuses
        );
        let lag = ended.statuses[1].split_once("lag=").expect("a lag").1;
        let lag: usize = lag.split(' ').next().unwrap().parse().expect("a number");
        let written = usize::try_from(writer.next).unwrap() * line(0).len();
        assert!((written / 2..written).contains(&lag), "{lag} of {written}");
    }
}

#[test]
fn a_kill_while_nobody_reads_loses_nothing() {
    let (directory, path) = scratch();
    let arguments = [
        "--checkpoint".as_ref(),
        directory.path().as_os_str(),
        path.as_os_str(),
    ];
    let mut streamer = Streamer::start_unread(arguments);
    let mut writer = Writer::open(&path);
    writer.lines(3000);
    sleep(Duration::from_millis(500));
    rotate_names(&path, 9);
    writer.file = append(&path);
    writer.lines(300);
    // Long enough for a look, which has positions to write for what it finds.
    sleep(Duration::from_millis(1200));
    streamer.child.kill().expect("SIGKILL");
    streamer.read();
    let killed = streamer.wait().stdout;
    let ended = Streamer::start(arguments).stop();
    // What had left in part comes again as a whole.
    let before: Vec<&str> = killed.lines().filter(|line| parse(line).is_some()).collect();
    let again: Vec<usize> = ended.stdout.lines().filter_map(parse).collect();
    assert!(
        before.len() > 100 && again.len() > 100,
        "{} and {}",
        before.len(),
        again.len()
    );
    assert!(
        again[0] <= before.len(),
        "{} to {} are lost",
        before.len(),
        again[0]
    );
    assert!(
        again[0] + 64 * 1024 / line(0).len() >= before.len(),
        "{} of {} came twice",
        again[0],
        before.len()
    );
    assert!(
        again.iter().copied().eq(again[0]..3300),
        "lines are lost after the restart"
    );
}

#[test]
fn a_closed_output_ends_with_its_own_code() {
    let (_directory, path) = scratch();
    let mut child = program()
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    std::fs::write(&path, "nobody reads this\n").expect("a write");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output was closed"));
}

#[test]
fn what_is_wrong_with_a_name_is_said_once_and_escaped() {
    let (directory, _) = scratch();
    let path = directory.path().join("evil\n\u{1b}[2Jname");
    std::fs::create_dir(&path).expect("a directory");
    let streamer = Streamer::start([&path]);
    sleep(Duration::from_secs(3));
    std::fs::remove_dir(&path).expect("a directory");
    std::fs::write(&path, "now it is a file\n").expect("a write");
    sleep(Duration::from_millis(500));
    let ended = streamer.stop();
    assert_eq!(ended.stdout, "now it is a file\n");
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    assert!(
        ended.stderr.contains(r#"evil\n\u{1b}[2Jname" is a directory"#),
        "{}",
        ended.stderr
    );
}

#[test]
fn without_descriptors_it_says_so_once_and_goes_on_when_there_are_some() {
    let (directory, _) = scratch();
    let paths: Vec<_> = (0..20)
        .map(|number| directory.path().join(format!("{number}.log")))
        .collect();
    for path in &paths {
        std::fs::write(path, "one line\n").expect("a write");
    }
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "ulimit -n 16; exec \"$0\" \"$@\"",
        env!("CARGO_BIN_EXE_tributary-streamer"),
    ]);
    let mut streamer = Streamer::launch(limited.arg(directory.path().join("*.log")));
    streamer.read();
    streamer.await_message("too many open files: ");
    // Those that are gone are closed five seconds later.
    within(Duration::from_secs(30), "all lines", || {
        let of_all = streamer.status();
        let said = streamer.said();
        for path in &paths {
            if said.contains(&format!("file={path:?} offset=9 lag=0 ")) {
                // It may be gone already.
                let _ = std::fs::remove_file(path);
            }
        }
        of_all.contains(" bytes=180 ")
    });
    let ended = streamer.stop();
    assert!(ended.status.success());
    assert_eq!(ended.stdout, "one line\n".repeat(20));
    let messages: Vec<&str> = ended.stderr.lines().collect();
    assert!(
        matches!(messages.as_slice(), [short, enough] if short.contains("raise the limit") && enough.contains("can be opened now")),
        "{messages:?}"
    );
}

#[test]
fn the_command_line_answers() {
    let run = |arguments: &[&str]| program().args(arguments).output().expect("an answer");
    let help = run(&["--help"]);
    assert!(help.status.success());
    assert!(String::from_utf8_lossy(&help.stdout).contains("Usage: tributary-streamer"));
    let version = run(&["--version"]);
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8_lossy(&version.stdout),
        format!("tributary-streamer {}\n", env!("CARGO_PKG_VERSION"))
    );
    let wrong = run(&["--folow", "/a"]);
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert!(
        said.contains("--checkpoint") && said.contains("--help says more"),
        "{said}"
    );
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn a_status_says_where_each_file_stands_when_asked_and_at_the_end() {
    let (directory, path) = scratch();
    let missing = directory.path().join("missing.log");
    let streamer = Streamer::start(["--status".as_ref(), path.as_os_str(), missing.as_os_str()]);
    let mut writer = Writer::open(&path);
    writer.lines(100);
    sleep(Duration::from_millis(500));
    rotate_names(&path, 3);
    writer.file = append(&path);
    writer.lines(10);
    sleep(Duration::from_millis(500));
    signal(&streamer.child, "-USR1");
    sleep(Duration::from_millis(200));
    writer.lines(10);
    let bytes = |lines: usize| lines * line(0).len();
    let ended = streamer.stop();
    ended.assert_complete(120);
    let app = |written: usize, total: usize| {
        let (offset, bytes) = (bytes(written), bytes(total));
        format!(
            "tributary-streamer: status file={path:?} offset={offset} lag=0 rotations=1 bytes={bytes} losses=0 reclaimed=0"
        )
    };
    let absent = format!(
        "tributary-streamer: status file={missing:?} offset=none lag=0 rotations=0 bytes=0 losses=0 reclaimed=0"
    );
    let all = |total: usize| {
        format!(
            "tributary-streamer: status files=2 lag=0 rotations=1 bytes={} losses=0 reclaimed=0",
            bytes(total)
        )
    };
    assert_eq!(
        ended.statuses,
        [
            app(10, 110),
            absent.clone(),
            all(110),
            app(20, 120),
            absent,
            all(120)
        ]
    );
}

#[test]
fn an_end_at_which_all_is_well_is_nothing_to_talk_about() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    Writer::open(&path).lines(10);
    sleep(Duration::from_millis(300));
    let ended = streamer.stop();
    ended.assert_complete(10);
    assert_eq!((ended.statuses.as_slice(), ended.stderr.as_str()), (&[][..], ""));
}

#[test]
fn a_loss_is_said_once_more_at_the_end() {
    let (_directory, path) = scratch();
    let mut streamer = Streamer::start_unread([&path]);
    let mut writer = Writer::open(&path);
    writer.lines(3000);
    // A look has to see them, and one by the clock comes once a second.
    sleep(Duration::from_millis(1500));
    truncate(&path);
    streamer.await_message("lost: ");
    streamer.read();
    let ended = streamer.stop();
    assert_eq!(ended.statuses.len(), 2, "{:?}", ended.statuses);
    assert!(ended.statuses[1].contains(" losses=1 "), "{:?}", ended.statuses);
}

#[test]
fn a_reader_that_never_comes_back_is_not_waited_for_beyond_the_grace() {
    let (_directory, path) = scratch();
    let mut writer = Writer::open(&path);
    writer.lines(20_000);
    let mut child = program()
        .args(["--grace".as_ref(), "1".as_ref(), path.as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let unread_pipe = child.stdout.take();
    sleep(Duration::from_millis(500));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("an end");
    drop(unread_pipe);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let left = said
        .lines()
        .find(|line| line.contains("stopped with "))
        .expect("what was left");
    assert!(left.contains("bytes of") && left.contains("app.log"), "{left}");
}

#[test]
fn an_output_that_fails_is_tried_again_until_the_grace_is_over() {
    let (_directory, path) = scratch();
    Writer::open(&path).lines(10);
    let child = program()
        .args(["--grace".as_ref(), "1".as_ref(), path.as_os_str()])
        .stdout(File::options().write(true).open("/dev/full").expect("a device"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    sleep(Duration::from_millis(500));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(
        said.matches("cannot write to standard output").count(),
        1,
        "{said}"
    );
    assert!(said.contains("stopped with 890 bytes of"), "{said}");
}

#[test]
fn what_is_no_regular_file_is_refused_with_a_message_and_waited_out() {
    let (directory, path) = scratch();
    let made = Command::new("mkfifo").arg(&path).status().expect("mkfifo(1)");
    assert!(made.success());
    let socket = directory.path().join("socket.log");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let streamer = Streamer::start([&path, &socket]);
    sleep(Duration::from_secs(4));
    std::fs::remove_file(&path).expect("a FIFO");
    let mut writer = Writer::open(&path);
    writer.lines(10);
    sleep(Duration::from_millis(500));
    let ended = streamer.stop();
    drop(listener);
    ended.assert_complete(10);
    for message in ["app.log\" is a FIFO", "socket.log\" is a socket"] {
        assert_eq!(ended.stderr.matches(message).count(), 1, "{}", ended.stderr);
    }
}
