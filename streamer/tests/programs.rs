//! The real program against other programs that write and rotate: Python's logging handlers, logrotate, and what the kubelet and
//! log4j do. `programs/writer.py` is all of them; `benches/losses.py` runs it against `tail` too.
//!
//! A kind whose program is not installed is shown as ignored: it takes python3, and logrotate for those that are named after it.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

/// Seconds of writing, with two rotations in each.
const SECONDS: &str = "3";

fn writer() -> Command {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/writer.py"));
    command
}

/// Whether `program` is there and answers.
fn is_installed(program: &str) -> bool {
    let asked = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

fn number(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("line ")?;
    rest.strip_suffix(" of a log that a program keeps small while others read it")?
        .parse()
        .ok()
}

/// Runs one kind of writer, and returns how many lines it wrote and what came out of a streamer with these options.
fn follow(kind: &str, options: &[&str], directory: &Path, path: &Path) -> (usize, String) {
    let output = directory.join("output");
    let mut streamer = Command::new(env!("CARGO_BIN_EXE_tributary-streamer"))
        .args(options)
        .arg(path)
        .stdout(File::create(&output).unwrap())
        .stderr(File::create(directory.join("messages")).unwrap())
        .spawn()
        .unwrap();
    // What is there at the first look is history; here nothing is, but a writer should not be done before it.
    sleep(Duration::from_millis(200));
    let written = writer().args([kind, path.to_str().unwrap(), SECONDS]).output();
    let told = Command::new("kill").arg(streamer.id().to_string()).status();
    let ended = streamer.wait().unwrap();
    let written = written.unwrap();
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    assert!(told.unwrap().success() && ended.success(), "{ended}");
    let count = String::from_utf8(written.stdout).unwrap().trim().parse().unwrap();
    (count, std::fs::read_to_string(output).unwrap())
}

/// The numbers of all lines that are in the files beside `path`.
fn on_disk(path: &Path) -> BTreeSet<usize> {
    let files = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    let lines = files.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    lines
        .flat_map(|content| content.lines().filter_map(number).collect::<Vec<_>>())
        .collect()
}

fn check(kind: &str, options: &[&str]) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let logs = scratch.path().join("logs");
    std::fs::create_dir(&logs)?;
    let path = logs.join("app.log");
    let (written, output) = follow(kind, options, scratch.path(), &path);
    let (numbers, torn): (Vec<_>, Vec<_>) = output.lines().map(number).partition(Option::is_some);
    let numbers: Vec<usize> = numbers.into_iter().flatten().collect();
    let seen: BTreeSet<usize> = numbers.iter().copied().collect();
    // A line that is written between the copy and the truncation is on no disk, nor the half of one that is truncated then.
    let (wanted, may_tear) = if kind == "logrotate-copytruncate-loaded" {
        (on_disk(&path), true)
    } else {
        ((0..written).collect(), false)
    };
    let lost = wanted.difference(&seen).count();
    let doubled = numbers.len() - seen.len();
    let is_in_order = numbers.is_sorted();
    let said = std::fs::read_to_string(scratch.path().join("messages"))?;
    if written == 0 || lost + doubled > 0 || !is_in_order || !(torn.is_empty() || may_tear) {
        return Err(format!(
            "of {written} lines {lost} lost, {doubled} doubled, {} torn, in order: {is_in_order}\n{said}",
            torn.len()
        )
        .into());
    }
    Ok(())
}

fn main() {
    let mut arguments = Arguments::from_args();
    // They sleep most of the time.
    arguments.test_threads.get_or_insert(8);
    let mut trials = Vec::new();
    if is_installed("python3") {
        let has_logrotate = is_installed("logrotate");
        let kinds = writer().arg("--kinds").output().expect("the kinds");
        for kind in String::from_utf8(kinds.stdout).expect("names").lines() {
            for (options, how) in [(&[][..], "by events"), (&["--no-inotify"][..], "by the clock")] {
                let named = kind.to_owned();
                let is_missing = kind.starts_with("logrotate") && !has_logrotate;
                trials.push(
                    Trial::test(format!("{kind} {how}"), move || check(&named, options))
                        .with_ignored_flag(is_missing),
                );
            }
        }
    } else {
        trials.push(Trial::test("writers in Python", || Ok(())).with_ignored_flag(true));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
