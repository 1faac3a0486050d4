//! The program as it is run, and numbered lines for it to print.

// Each test takes what it needs.
#![allow(dead_code)]

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::log_file::append;

/// The running program, and what comes out of it.
pub struct Streamer {
    pub child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: tempfile::NamedTempFile,
}

/// What came out until the end.
pub struct Ended {
    pub stdout: String,
    /// Without statuses.
    pub stderr: String,
    /// What was said of each file, and then of all of them.
    pub statuses: Vec<String>,
    pub status: ExitStatus,
}

pub fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tributary-streamer"))
}

pub fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).expect("a pipe that can be read");
        all
    })
}

pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .expect("kill(1)");
    assert!(sent.success(), "kill {name}");
}

/// Waits until `is_so`.
pub fn within(time: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + time;
    while !is_so() {
        assert!(Instant::now() < end, "not within {time:?}: {what}");
        sleep(Duration::from_millis(100));
    }
}

impl Streamer {
    pub fn start<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        let mut streamer = Self::start_unread(arguments);
        streamer.read();
        streamer
    }

    /// Nobody reads what it prints until [`Self::read`].
    pub fn start_unread<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        Self::launch(program().args(arguments))
    }

    /// Runs a command which ends as the program. Nobody reads what it prints until [`Self::read`].
    pub fn launch(command: &mut Command) -> Self {
        let stderr = tempfile::NamedTempFile::new().expect("a file");
        let child = command
            .stdout(Stdio::piped())
            .stderr(stderr.reopen().expect("a file"))
            .spawn()
            .expect("the program starts");
        let streamer = Self {
            child,
            stdout: None,
            stderr,
        };
        streamer.await_first_look();
        streamer
    }

    /// Reads what it prints from now on.
    pub fn read(&mut self) {
        self.stdout = self.child.stdout.take().map(collect);
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.stderr.path()).expect("UTF-8")
    }

    /// Waits until it has said `text`.
    pub fn await_message(&self, text: &str) {
        within(Duration::from_secs(10), text, || self.said().contains(text));
    }

    /// What it says of all its files together when it is asked.
    pub fn status(&self) -> String {
        let before = self.said().len();
        signal(&self.child, "-USR1");
        let of_all = || {
            let said = self.said();
            let line = said[before..]
                .lines()
                .find(|line| line.contains("status files="))?;
            Some(line.to_owned())
        };
        within(Duration::from_secs(10), "a status", || of_all().is_some());
        of_all().expect("a status")
    }

    /// What is there at the first look counts as history: writers start after it. The look follows the signal handlers.
    fn await_first_look(&self) {
        const SIGTERM: u32 = 15;
        for _ in 0..100 {
            let status =
                std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a status");
            let caught = status
                .lines()
                .find_map(|line| line.strip_prefix("SigCgt:"))
                .expect("signals");
            let caught = u64::from_str_radix(caught.trim(), 16).expect("a mask");
            sleep(Duration::from_millis(50));
            if caught & (1 << (SIGTERM - 1)) != 0 {
                return;
            }
        }
        panic!("no signal handler after five seconds");
    }

    pub fn stop(self) -> Ended {
        signal(&self.child, "-TERM");
        self.wait()
    }

    pub fn wait(mut self) -> Ended {
        let status = self.child.wait().expect("the program ends");
        let printed = self.stdout.take().expect("a pipe").join().expect("a reader");
        let is_status = |line: &&str| line.starts_with("tributary-streamer: status ");
        let said = self.said();
        let (statuses, messages): (Vec<&str>, Vec<&str>) = said.lines().partition(is_status);
        let ended = Ended {
            stdout: String::from_utf8(printed).expect("UTF-8"),
            stderr: messages.iter().flat_map(|line| [*line, "\n"]).collect(),
            statuses: statuses.into_iter().map(str::to_owned).collect(),
            status,
        };
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        // A failed test leaves nothing running; a second end is no error.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// Fails unless exactly the lines 0 to `written` came, each once, and the program ended well.
    pub fn assert_complete(&self, written: u64) {
        let mut seen = vec![0_u32; usize::try_from(written).unwrap()];
        for line in self.stdout.lines() {
            let number = parse(line).unwrap_or_else(|| panic!("torn: {line:?}"));
            seen[number] += 1;
        }
        let lost = seen.iter().filter(|&&count| count == 0).count();
        let doubled = seen.iter().filter(|&&count| count > 1).count();
        assert_eq!(
            (lost, doubled),
            (0, 0),
            "lost and doubled of {written}; stderr: {}",
            self.stderr
        );
        assert!(self.status.success(), "{}", self.status);
    }

    pub fn assert_in_order(&self) {
        let numbers: Vec<usize> = self.stdout.lines().filter_map(parse).collect();
        let jump = numbers.windows(2).find(|pair| pair[0] > pair[1]);
        assert_eq!(jump, None, "lines came in another order than they were written");
    }
}

pub fn line(number: u64) -> String {
    format!("2026-01-31T10:11:12.345Z INFO request {number:08} was served in time, as always, and logged\n")
}

pub fn parse(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("2026-01-31T10:11:12.345Z INFO request ")?;
    rest.strip_suffix(" was served in time, as always, and logged")?
        .parse()
        .ok()
}

/// Writes numbered lines, one write each, as a logger does.
pub struct Writer {
    pub file: File,
    pub next: u64,
}

impl Writer {
    pub fn open(path: &Path) -> Self {
        Self {
            file: append(path),
            next: 0,
        }
    }

    pub fn lines(&mut self, count: u64) {
        for _ in 0..count {
            self.file
                .write_all(line(self.next).as_bytes())
                .expect("a file that can be written");
            self.next += 1;
        }
    }

    /// Writes for `duration` at some 20,000 lines a second.
    pub fn load(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.lines(40);
            sleep(Duration::from_millis(2));
        }
    }
}

pub fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// Makes room at number 1.
pub fn shift_names(path: &Path, kept: u32) {
    for number in (1..kept).rev() {
        // The first rotations have fewer files.
        let _ = std::fs::rename(numbered(path, number), numbered(path, number + 1));
    }
}

pub fn rotate_names(path: &Path, kept: u32) {
    shift_names(path, kept);
    std::fs::rename(path, numbered(path, 1)).expect("a current file");
}

pub fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.log");
    (directory, path)
}
