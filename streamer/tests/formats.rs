//! The real program printing prefixes and JSON: what arrives at the other end, line by line.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod log_file;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use serde_json::Value;

use crate::log_file::{append, truncate};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running program, and its lines as they come.
struct Streamer {
    child: Child,
    lines: Receiver<Vec<u8>>,
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tributary-streamer"))
}

impl Streamer {
    fn start<I: AsRef<OsStr>>(options: &[&str], paths: impl IntoIterator<Item = I>) -> Self {
        let mut child = program()
            .args(options)
            .arg("--")
            .args(paths)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        // Hardly more than is asked for, so that the program waits for its reader.
        let (sender, lines) = sync_channel(16);
        std::thread::spawn(move || {
            for line in stdout.split(b'\n') {
                // The test may be over.
                if sender.send(line.expect("a pipe that can be read")).is_err() {
                    break;
                }
            }
        });
        let streamer = Self { child, lines };
        streamer.await_first_look();
        streamer
    }

    /// Rotated files that are there at the first look count as history. The look follows the signal handlers.
    fn await_first_look(&self) {
        let begun = Instant::now();
        while u64::from_str_radix(&self.field("SigCgt"), 16).expect("a mask") & (1 << 14) == 0 {
            assert!(begun.elapsed() < PATIENCE, "no handler for SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
        std::thread::sleep(Duration::from_millis(50));
    }

    fn next(&self) -> Vec<u8> {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    fn next_text(&self) -> String {
        String::from_utf8(self.next()).expect("UTF-8")
    }

    fn next_record(&self) -> Value {
        let line = self.next();
        serde_json::from_slice(&line)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&line)))
    }

    fn next_message(&self) -> String {
        self.next_record()["message"]
            .as_str()
            .expect("a message")
            .to_owned()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([name, &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill(1)").success());
    }

    /// Stops the program and returns the lines that had not come before.
    fn stop(mut self) -> Vec<Vec<u8>> {
        self.signal("-TERM");
        let rest = self.lines.iter().collect();
        assert!(self.child.wait().expect("an end").success());
        rest
    }

    /// The most memory that it has had, in kB.
    fn peak(&self) -> u64 {
        let peak = self.field("VmHWM");
        peak.trim_end_matches(" kB").parse().expect("a number")
    }

    fn field(&self, name: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
        let value = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.expect("a field").trim().to_owned()
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        // A failed test leaves nothing running; a second end is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.log");
    (directory, path)
}

#[test]
fn a_record_says_when_where_and_what() {
    let (directory, path) = scratch();
    let strip = format!("--strip={}", directory.path().display());
    let streamer = Streamer::start(&["--format=json", "--container=app", &strip], [&path]);
    let before = Timestamp::now();
    append(&path).write_all(b"caf\xe9 \"au lait\"\t\x00\r\n").unwrap();
    let line = streamer.next_text();
    let record: Value = serde_json::from_str(&line).unwrap();
    let time: Timestamp = record["time"].as_str().unwrap().parse().unwrap();
    assert!((before..=Timestamp::now()).contains(&time), "{time}");
    assert_eq!(record["message"], "caf\u{fffd} \"au lait\"\t\0");
    assert_eq!(record["file"], "/app.log");
    assert_eq!(record["container"], "app");
    assert_eq!(record.as_object().unwrap().len(), 4, "{line}");
    assert!(
        line.starts_with("{\"time\":\""),
        "the order is that of the documents: {line}"
    );
}

#[test]
fn a_record_of_several_lines_leaves_after_a_second_of_silence() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start(&["--format=json", "--multiline=java"], [&path]);
    let mut file = append(&path);
    file.write_all(b"before\n").unwrap();
    assert_eq!(streamer.next_message(), "before");
    let begun = Instant::now();
    for line in ["a.BException: c\n", "\tat d.E\n", "\tat f.G\n", "Caused by: h\n"] {
        file.write_all(line.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    let record = streamer.next_record();
    let (came, waited) = (SystemTime::now(), begun.elapsed());
    assert_eq!(
        record["message"],
        "a.BException: c\n\tat d.E\n\tat f.G\nCaused by: h"
    );
    assert!(waited > Duration::from_millis(1500), "{waited:?}");
    // The time is that of the first line.
    let time: Timestamp = record["time"].as_str().unwrap().parse().unwrap();
    let age = came.duration_since(time.into()).unwrap();
    assert!(age > Duration::from_millis(1300), "{age:?}");
    // And what nothing continues does not wait.
    file.write_all(b"d.EException: f\nnext\n").unwrap();
    assert_eq!(streamer.next_message(), "d.EException: f");
    assert_eq!(streamer.next_message(), "next");
}

#[test]
fn a_short_flush_is_short_and_stopping_flushes_at_once() {
    let (_directory, path) = scratch();
    let options = ["--format=json", "--multiline=/^[0-9]/", "--multiline-flush=20"];
    let streamer = Streamer::start(&options, [&path]);
    append(&path).write_all(b"1\n a\n").unwrap();
    assert_eq!(streamer.next_message(), "1\n a");
    drop(streamer);

    let (_directory, path) = scratch();
    let options = ["--format=json", "--multiline=/^[0-9]/", "--multiline-flush=60000"];
    let streamer = Streamer::start(&options, [&path]);
    append(&path).write_all(b"1\n a\n2\n b\nc").unwrap();
    assert_eq!(streamer.next_message(), "1\n a");
    assert_eq!(
        streamer.lines.recv_timeout(Duration::from_secs(2)),
        Err(RecvTimeoutError::Timeout)
    );
    let rest = streamer.stop();
    assert_eq!(rest.len(), 1);
    let record: Value = serde_json::from_slice(&rest[0]).unwrap();
    assert_eq!(record["message"], "2\n b\nc");
}

#[test]
fn a_rotation_ends_a_record() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start(&["--format=json", "--multiline=java"], [&path]);
    let mut file = append(&path);
    file.write_all(b"a.BException: c\n\tat d.E\n").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    std::fs::rename(&path, path.with_extension("log.1")).unwrap();
    append(&path).write_all(b"\tat nowhere\nnew\n").unwrap();
    assert_eq!(streamer.next_message(), "a.BException: c\n\tat d.E");
    assert_eq!(streamer.next_message(), "\tat nowhere");
    assert_eq!(streamer.next_message(), "new");
}

#[test]
fn a_truncation_takes_no_record_that_was_held() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start(
        &["--format=json", "--multiline=/^[0-9]/", "--multiline-flush=5000"],
        [&path],
    );
    let mut file = append(&path);
    file.write_all(b"1\n a\n2\n b\n").unwrap();
    assert_eq!(streamer.next_message(), "1\n a");
    // The streamer has seen the second one too when it is done with the first.
    std::thread::sleep(Duration::from_millis(300));
    file.set_len(0).unwrap();
    assert_eq!(streamer.next_message(), "2\n b");
    file.write_all(b"3\n4\n").unwrap();
    assert_eq!(streamer.next_message(), "3");
}

#[test]
fn a_kill_repeats_at_most_the_record_that_was_held() {
    let (directory, path) = scratch();
    let checkpoint = format!("--checkpoint={}", directory.path().join("positions").display());
    let options = [
        "--format=json",
        "--multiline=java",
        "--multiline-flush=20000",
        checkpoint.as_str(),
    ];
    let mut file = append(&path);
    let mut messages = Vec::new();
    let mut expected = Vec::new();
    for round in 0..5 {
        let streamer = Streamer::start(&options, [&path]);
        // The lines that the last one held are continued while this one looks.
        for number in 0..200 {
            let record = format!("a.BException: {round} {number}\n\tat d.E\n\tat f.G");
            file.write_all(format!("{record}\n").as_bytes()).unwrap();
            expected.push(record);
        }
        file.write_all(b"a.BException: held\n").unwrap();
        while messages.len() < expected.len() {
            messages.push(streamer.next_message());
        }
        // Between a write and its checkpoint is the one moment that a kill doubles.
        std::thread::sleep(Duration::from_millis(200));
        streamer.signal("-KILL");
        assert!(streamer.lines.recv().is_err(), "a record was not held");
        file.write_all(b"\tat h.I\n").unwrap();
        expected.push("a.BException: held\n\tat h.I".to_owned());
    }
    let rest = Streamer::start(&options, [&path]);
    std::thread::sleep(Duration::from_millis(300));
    for line in rest.stop() {
        let record: Value = serde_json::from_slice(&line).unwrap();
        messages.push(record["message"].as_str().unwrap().to_owned());
    }
    assert_eq!(messages, expected);
}

#[test]
fn lines_of_any_length_come_whole_or_in_parts_that_make_them() {
    let (_directory, path) = scratch();
    // Characters of three bytes do not fit the parts.
    let line = "€".repeat(1_000_000);
    std::fs::write(&path, format!("short\n{line}\nshort again\n")).unwrap();
    let streamer = Streamer::start(&["--format=json"], [&path]);
    assert_eq!(streamer.next_message(), "short");
    let mut joined = String::new();
    loop {
        let record = streamer.next_record();
        let message = record["message"].as_str().unwrap();
        assert!(message.len() <= 64 * 1024, "{}", message.len());
        joined += message;
        if record.get("partial").is_none() {
            break;
        }
    }
    assert!(joined == line, "the line changed");
    assert_eq!(streamer.next_message(), "short again");
    let peak = streamer.peak();
    assert!(peak < 6_000, "{peak} kB at most, for a line of 3 MB");
}

#[test]
fn an_endless_record_leaves_in_bounded_parts() {
    let (_directory, path) = scratch();
    let mut text = b"a.BException: c\n".to_vec();
    for number in 0..20_000 {
        writeln!(text, "\tat com.example.Shop.order(Shop.java:{number})").unwrap();
    }
    std::fs::write(&path, [text.as_slice(), b"next\n"].concat()).unwrap();
    let streamer = Streamer::start(&["--format=json", "--multiline=java"], [&path]);
    let mut joined = String::new();
    let mut records = 0;
    while joined.len() < text.len() {
        let message = streamer.next_message();
        assert!(message.len() <= 256 * 1024, "{}", message.len());
        joined += &message;
        joined.push('\n');
        records += 1;
    }
    assert!(joined.as_bytes() == text, "the record changed");
    assert_eq!(records, text.len().div_ceil(256 * 1024));
    assert_eq!(streamer.next_message(), "next");
    let peak = streamer.peak();
    assert!(peak < 8_000, "{peak} kB at most");
}

#[test]
fn prefixes_name_the_file_of_every_line() {
    let (directory, _) = scratch();
    let strip = format!("--strip={}", directory.path().display());
    let paths = ["a.log", "b\n\u{1b}[2J.log"].map(|name| directory.path().join(name));
    for path in &paths {
        append(path).write_all(b"one\n\xff\xfe two\n").unwrap();
    }
    let streamer = Streamer::start(&["--prefix", &strip], [directory.path().join("*.log")]);
    let mut lines: Vec<Vec<u8>> = (0..4).map(|_| streamer.next()).collect();
    lines.sort_unstable();
    let expected: [&[u8]; 4] = [
        b"[/a.log] one",
        b"[/a.log] \xff\xfe two",
        br"[/b\n\u{1b}[2J.log] one",
        b"[/b\\n\\u{1b}[2J.log] \xff\xfe two",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_busy_file_leaves_others_their_turns() {
    let (directory, busy) = scratch();
    let quiet = directory.path().join("quiet.log");
    // More than is read while the test runs, in one turn after the other.
    let line = [b'x'; 1023];
    let mut file = append(&busy);
    for _ in 0..200 {
        let lines: Vec<u8> = std::iter::repeat_n([line.as_slice(), b"\n"].concat(), 1024)
            .flatten()
            .collect();
        file.write_all(&lines).unwrap();
    }
    for options in [
        &["--format=json"][..],
        &["--prefix"],
        &["--format=json", "--multiline=/^[hx]/"],
    ] {
        truncate(&quiet);
        let streamer = Streamer::start(options, [&busy, &quiet]);
        assert!(streamer.next_text().contains("xxx"));
        append(&quiet).write_all(b"hello\nhow are you\n").unwrap();
        let before = std::iter::from_fn(|| Some(streamer.next_text()))
            .take_while(|line| !line.contains("hello"))
            .take(100 * 1024)
            .count();
        assert!(before < 4 * 1024, "{before} lines with {options:?}");
    }
}

#[test]
fn a_line_that_never_ends_leaves_others_their_turns() {
    let (directory, endless) = scratch();
    let quiet = directory.path().join("quiet.log");
    let streamer = Streamer::start(&[], [&endless, &quiet]);
    let mut file = append(&endless);
    append(&quiet);
    let dots = vec![b'.'; 70_000];
    let begun = Instant::now();
    let mut said = false;
    let came = loop {
        file.write_all(&dots).unwrap();
        if begun.elapsed() > Duration::from_secs(2) && !said {
            append(&quiet).write_all(b"hello\n").unwrap();
            said = true;
        }
        match streamer.lines.recv_timeout(Duration::from_millis(50)) {
            Ok(line) if line.starts_with(b"hello") => break begun.elapsed(),
            Ok(_) => {}
            Err(error) => assert!(begun.elapsed() < PATIENCE, "{error}"),
        }
    };
    assert!(
        came > Duration::from_secs(9),
        "a line stays whole for a while: {came:?}"
    );
}

#[test]
fn each_of_several_paths_keeps_its_own_position() {
    let (directory, _) = scratch();
    let checkpoint = format!("--checkpoint={}", directory.path().join("positions").display());
    let paths: Vec<PathBuf> = (0..16)
        .map(|number| directory.path().join(format!("{number}.log")))
        .collect();
    let mut messages: Vec<String> = Vec::new();
    for round in 0..3 {
        for (number, path) in paths.iter().enumerate() {
            // Alike, and of different length.
            append(path)
                .write_all(format!("round {round}\n").repeat(number + 1).as_bytes())
                .unwrap();
        }
        let streamer = Streamer::start(&["--format=json", &checkpoint], &paths);
        let count = (1..=16).sum();
        messages.extend((0..count).map(|_| streamer.next_message()));
        let rest = streamer.stop();
        assert!(rest.is_empty(), "{rest:?}");
    }
    let mut expected: Vec<String> = (0..3)
        .flat_map(|round| vec![format!("round {round}"); 136])
        .collect();
    expected.sort_unstable();
    assert_eq!(messages, expected);
}
