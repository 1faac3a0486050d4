//! The real program against writers: numbered lines, counted at the other end.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod log_file;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::log_file::{append, truncate};

/// The running program, and what comes out of it.
struct Streamer {
    child: Child,
    stdout: Option<JoinHandle<Vec<u8>>>,
    stderr: Option<JoinHandle<Vec<u8>>>,
}

/// What came out until the end.
struct Ended {
    stdout: String,
    /// Without statuses.
    stderr: String,
    /// What was said of each file, and then of all of them.
    statuses: Vec<String>,
    status: ExitStatus,
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tributary-streamer"))
}

fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut all = Vec::new();
        pipe.read_to_end(&mut all).expect("a pipe that can be read");
        all
    })
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args([name, &child.id().to_string()])
        .status()
        .expect("kill(1)");
    assert!(sent.success(), "kill {name}");
}

impl Streamer {
    fn start<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Self {
        let mut child = program()
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().map(collect);
        let stderr = child.stderr.take().map(collect);
        let streamer = Self {
            child,
            stdout,
            stderr,
        };
        streamer.await_first_look();
        streamer
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

    fn stop(self) -> Ended {
        signal(&self.child, "-TERM");
        self.wait()
    }

    fn wait(mut self) -> Ended {
        let status = self.child.wait().expect("the program ends");
        let text = |reader: Option<JoinHandle<Vec<u8>>>| {
            String::from_utf8(reader.expect("a pipe").join().expect("a reader")).expect("UTF-8")
        };
        let is_status = |line: &&str| line.starts_with("tributary-streamer: status ");
        let said = text(self.stderr.take());
        let (statuses, messages): (Vec<&str>, Vec<&str>) = said.lines().partition(is_status);
        let ended = Ended {
            stdout: text(self.stdout.take()),
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
    fn assert_complete(&self, written: u64) {
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

    fn assert_in_order(&self) {
        let numbers: Vec<usize> = self.stdout.lines().filter_map(parse).collect();
        assert!(
            numbers.is_sorted(),
            "lines came in another order than they were written"
        );
    }
}

fn line(number: u64) -> String {
    format!("2026-01-31T10:11:12.345Z INFO request {number:08} was served in time, as always, and logged\n")
}

fn parse(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("2026-01-31T10:11:12.345Z INFO request ")?;
    rest.strip_suffix(" was served in time, as always, and logged")?
        .parse()
        .ok()
}

/// Writes numbered lines, one write each, as a logger does.
struct Writer {
    file: File,
    next: u64,
}

impl Writer {
    fn open(path: &Path) -> Self {
        Self {
            file: append(path),
            next: 0,
        }
    }

    fn lines(&mut self, count: u64) {
        for _ in 0..count {
            self.file
                .write_all(line(self.next).as_bytes())
                .expect("a file that can be written");
            self.next += 1;
        }
    }

    /// Writes for `duration` at some 20,000 lines a second.
    fn load(&mut self, duration: Duration) {
        let end = Instant::now() + duration;
        while Instant::now() < end {
            self.lines(40);
            sleep(Duration::from_millis(2));
        }
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    PathBuf::from(format!("{}.{number}", path.display()))
}

/// Makes room at number 1.
fn shift_names(path: &Path, kept: u32) {
    for number in (1..kept).rev() {
        // The first rotations have fewer files.
        let _ = std::fs::rename(numbered(path, number), numbered(path, number + 1));
    }
}

fn rotate_names(path: &Path, kept: u32) {
    shift_names(path, kept);
    std::fs::rename(path, numbered(path, 1)).expect("a current file");
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("app.log");
    (directory, path)
}

#[test]
fn rename_under_load_with_a_gap_loses_nothing() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    for _ in 0..6 {
        writer.load(Duration::from_millis(900));
        rotate_names(&path, 4);
        writer.lines(50);
        sleep(Duration::from_millis(100));
        writer.file = append(&path);
    }
    let ended = streamer.stop();
    ended.assert_complete(writer.next);
    ended.assert_in_order();
}

#[test]
fn rotations_faster_than_looks_are_read_from_the_rotated_files() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    for _ in 0..150 {
        writer.lines(100);
        rotate_names(&path, 40);
        writer.file = append(&path);
        sleep(Duration::from_millis(15));
    }
    let ended = streamer.stop();
    ended.assert_complete(writer.next);
    ended.assert_in_order();
}

#[test]
fn copytruncate_while_nothing_is_written_loses_nothing() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    for round in 0..40 {
        // Sometimes the file grows past the offset again before anybody looks, sometimes not.
        writer.lines(100 + 400 * (round % 3));
        let copy = path.with_extension("copy");
        std::fs::copy(&path, &copy).expect("a copy");
        shift_names(&path, 9);
        std::fs::rename(&copy, format!("{}.1", path.display())).expect("a copy");
        writer.file.set_len(0).expect("a truncation");
        sleep(Duration::from_millis(60 * (round % 4)));
    }
    let ended = streamer.stop();
    ended.assert_complete(writer.next);
    ended.assert_in_order();
}

#[test]
fn copytruncate_under_load_loses_only_what_no_copy_has() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    let file = path.clone();
    let load = std::thread::spawn(move || {
        writer.load(Duration::from_secs(3));
        writer.next
    });
    for _ in 0..8 {
        sleep(Duration::from_millis(330));
        let copy = file.with_extension("copy");
        std::fs::copy(&file, &copy).expect("a copy");
        shift_names(&file, 20);
        std::fs::rename(&copy, numbered(&file, 1)).expect("a copy");
        truncate(&file);
    }
    let written = load.join().expect("a writer");
    let ended = streamer.stop();
    let mut seen = vec![0_u32; usize::try_from(written).unwrap()];
    ended
        .stdout
        .lines()
        .filter_map(parse)
        .for_each(|number| seen[number] += 1);
    assert!(seen.iter().all(|&count| count <= 1), "doubled");
    let mut kept = 0;
    for held in (1..=8)
        .map(|number| numbered(&path, number))
        .chain([path.clone()])
    {
        let content = std::fs::read_to_string(&held).expect("a file");
        for number in content.lines().filter_map(parse) {
            assert_eq!(
                seen[number],
                1,
                "line {number} is in {} and did not come out",
                held.display()
            );
            kept += 1;
        }
    }
    assert!(
        kept > written / 2,
        "only {kept} of {written} lines are on the disk: nothing was shown"
    );
}

#[test]
fn a_truncated_file_whose_writer_goes_on_at_its_old_offset_has_no_zeros() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    // Not for appending: the kernel fills the gap with zeros.
    let mut writer = Writer {
        file: File::create(&path).expect("a file"),
        next: 0,
    };
    writer.lines(5000);
    sleep(Duration::from_millis(500));
    writer.file.set_len(0).expect("a truncation");
    writer.lines(100);
    streamer.stop().assert_complete(writer.next);
}

#[test]
fn a_writer_that_goes_on_in_the_renamed_file_is_read() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    writer.lines(1000);
    for _ in 0..3 {
        rotate_names(&path, 4);
        append(&path);
        // The writer has not noticed yet.
        for _ in 0..5 {
            writer.lines(200);
            sleep(Duration::from_millis(150));
        }
        writer.file = append(&path);
        writer.lines(200);
    }
    streamer.stop().assert_complete(writer.next);
}

#[test]
fn delete_and_recreate_loses_nothing_that_was_opened() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    for _ in 0..4 {
        writer.lines(500);
        sleep(Duration::from_millis(400));
        std::fs::remove_file(&path).expect("a file");
        writer.lines(500);
        writer.file = append(&path);
    }
    writer.lines(10);
    streamer.stop().assert_complete(writer.next);
}

#[test]
fn everything_written_before_the_signal_comes_out() {
    let (_directory, path) = scratch();
    let streamer = Streamer::start([&path]);
    let mut writer = Writer::open(&path);
    writer.lines(200_000);
    write!(writer.file, "the last line has no end").expect("a write");
    let ended = streamer.stop();
    let (lines, last) = ended.stdout.rsplit_once('\n').expect("lines");
    assert_eq!(last, "the last line has no end");
    assert_eq!(lines.lines().count(), 200_000);
    assert!(ended.status.success());
}

#[test]
fn a_directory_may_come_later_and_a_short_life_is_enough() {
    let (directory, _) = scratch();
    let path = directory.path().join("not/yet/app.log");
    let streamer = Streamer::start([&path]);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
    let mut writer = Writer::open(&path);
    writer.lines(10);
    let ended = streamer.stop();
    ended.assert_complete(10);
    assert_eq!(
        ended.stderr, "",
        "a sidecar that starts first is nothing to talk about"
    );
}

#[test]
fn globs_find_new_files_and_rotated_names_are_not_read_twice() {
    let (directory, _) = scratch();
    let streamer = Streamer::start([directory.path().join("*.log*")]);
    let mut next = 0;
    for name in ["a.log", "b.log", "c.log"] {
        let path = directory.path().join(name);
        let mut writer = Writer {
            file: append(&path),
            next,
        };
        writer.lines(300);
        sleep(Duration::from_millis(300));
        rotate_names(&path, 3);
        writer.lines(300);
        writer.file = append(&path);
        writer.lines(300);
        next = writer.next;
    }
    streamer.stop().assert_complete(next);
}

#[test]
fn lines_of_several_files_stay_whole() {
    let (directory, _) = scratch();
    let paths: Vec<PathBuf> = (0..3)
        .map(|n| directory.path().join(format!("{n}.log")))
        .collect();
    let streamer = Streamer::start(&paths);
    let mut files: Vec<File> = paths.iter().map(|path| append(path)).collect();
    for round in 0..300 {
        for (number, file) in (0..).zip(&mut files) {
            // In two writes, so that a look can fall in between.
            let line = line(round * 3 + number);
            file.write_all(&line.as_bytes()[..20]).expect("a write");
            if round % 50 == 0 {
                sleep(Duration::from_millis(120));
            }
            file.write_all(&line.as_bytes()[20..]).expect("a write");
        }
    }
    streamer.stop().assert_complete(900);
}

#[test]
fn a_swapped_symlink_is_followed() {
    let (directory, path) = scratch();
    let targets = ["one", "two", "three"].map(|name| directory.path().join(name));
    symlink(&targets[0], &path).expect("a link");
    let streamer = Streamer::start([&path]);
    let mut next = 0;
    for target in &targets {
        let mut writer = Writer {
            file: append(target),
            next,
        };
        // As the kubelet swaps `..data`: a new link takes the place of the old one.
        let new = directory.path().join("new");
        symlink(target, &new).expect("a link");
        std::fs::rename(&new, &path).expect("a swap");
        writer.lines(100);
        sleep(Duration::from_millis(300));
        writer.lines(100);
        next = writer.next;
    }
    streamer.stop().assert_complete(next);
}

#[test]
fn a_restart_with_a_checkpoint_neither_loses_nor_doubles() {
    let (directory, path) = scratch();
    let arguments = [
        "--checkpoint".as_ref(),
        directory.path().as_os_str(),
        path.as_os_str(),
    ];
    let mut writer = Writer::open(&path);
    let mut all = String::new();
    for round in 0..4 {
        let mut streamer = Streamer::start(arguments);
        writer.lines(1000);
        if round % 2 == 0 {
            all += &streamer.stop().stdout;
        } else {
            sleep(Duration::from_millis(500));
            streamer.child.kill().expect("SIGKILL");
            all += &streamer.wait().stdout;
        }
        // While nobody looks.
        writer.lines(1000);
        rotate_names(&path, 9);
        writer.file = append(&path);
        writer.lines(1000);
    }
    let mut ended = Streamer::start(arguments).stop();
    ended.stdout = all + &ended.stdout;
    ended.assert_complete(writer.next);
}

#[test]
fn existing_files_can_be_left_out() {
    let (_directory, path) = scratch();
    append(&path).write_all(b"of an earlier pod\n").expect("a write");
    let streamer = Streamer::start(["--existing=end".as_ref(), path.as_os_str()]);
    let mut writer = Writer::open(&path);
    writer.lines(10);
    streamer.stop().assert_complete(10);
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
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a status");
    signal(&child, "-TERM");
    child.wait().expect("an end");
    assert!(output == content, "the bytes changed");
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .expect("a peak");
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(peak < 6_000, "{peak} kB at most, for a line of 100 MB");
}

#[test]
fn a_blocked_output_stops_reading_and_loses_nothing() {
    let (_directory, path) = scratch();
    let mut child = program()
        .arg(&path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("a pipe");
    let mut writer = Writer::open(&path);
    for _ in 0..3 {
        writer.lines(5000);
        sleep(Duration::from_millis(300));
        rotate_names(&path, 9);
        writer.file = append(&path);
    }
    let reader = collect(stdout);
    sleep(Duration::from_millis(300));
    Ended {
        stdout: {
            signal(&child, "-TERM");
            String::from_utf8(reader.join().expect("a reader")).expect("UTF-8")
        },
        stderr: String::new(),
        statuses: Vec::new(),
        status: child.wait().expect("an end"),
    }
    .assert_complete(writer.next);
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
fn without_descriptors_it_goes_on_and_says_so_once() {
    let (directory, _) = scratch();
    for number in 0..20 {
        std::fs::write(directory.path().join(format!("{number}.log")), "one line\n").expect("a write");
    }
    let limited = Command::new("sh")
        .args([
            "-c",
            "ulimit -n 16; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_tributary-streamer"),
        ])
        .arg(directory.path().join("*.log"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a shell");
    sleep(Duration::from_secs(4));
    signal(&limited, "-TERM");
    let output = limited.wait_with_output().expect("an end");
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let mut lines: Vec<&str> = said.lines().filter(|line| !line.contains(": status ")).collect();
    assert!(said.contains("Too many open files"), "{said}");
    lines.sort_unstable();
    assert!(
        lines.windows(2).all(|pair| pair[0] != pair[1]),
        "said twice: {said}"
    );
    assert!(output.status.success() && !output.stdout.is_empty());
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
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("--checkpoint"));
    assert_eq!(run(&[]).status.code(), Some(2));
}

#[test]
fn a_status_says_where_each_file_stands_when_asked_and_at_the_end() {
    let (directory, path) = scratch();
    let missing = directory.path().join("missing.log");
    let streamer = Streamer::start([&path, &missing]);
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
