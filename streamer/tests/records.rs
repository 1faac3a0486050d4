//! Random lines, written in random pieces through random rotations and restarts: the records that come out are those of the whole
//! text at once.
//!
//! The tailer runs in this process with a clock of its own.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod log_file;
mod sink;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tributary_streamer::arguments::{Existing, Options};
use tributary_streamer::format::Format;
use tributary_streamer::multiline::{Multiline, Rules};
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::Tailer;

use crate::log_file::{append, truncate};
use crate::sink::Sink;

const FLUSH: Duration = Duration::from_secs(1);
const FILES: usize = 2;

/// Lines of which some begin records, some continue them, and some do neither.
const LINES: [&str; 24] = [
    "2026-01-31 INFO an ordinary line",
    "another one, with é and 😀",
    "",
    "  indented",
    "java.lang.IllegalStateException: boom",
    "\tat com.example.Shop.order(Shop.java:42)",
    "Caused by: java.io.IOException",
    "\t... 23 more",
    "Traceback (most recent call last):",
    "  File \"a.py\", line 1, in f",
    "    f()",
    "ValueError: b",
    "During handling of the above exception, another exception occurred:",
    "panic: x",
    "goroutine 1 [running]:",
    "main.main()",
    "\t/src/main.go:1 +0x1",
    "shop.rb:12:in 'order': x (RuntimeError)",
    "\tfrom shop.rb:1:in '<main>'",
    "NoMethodError (x):",
    "app/a.rb:1:in `f'",
    "2026-02-01 WARN a line of \"quotes\" and \\ and \u{1}",
    "2026-02-02 ends with a carriage return\r",
    "x",
];

#[derive(Debug, Clone)]
enum Step {
    /// These lines are to be written next to this file.
    Say(usize, Vec<usize>),
    /// So many bytes of what is to be written are written, lines and characters cut anywhere.
    Write(usize, usize),
    /// What is to be written is written, and the file is renamed.
    Rename(usize),
    /// What is to be written is written; the file is copied, then truncated.
    CopyTruncate(usize),
    /// The tailer looks and reads, so many milliseconds later.
    Tick(u64),
    /// The tailer is killed and started again.
    Restart,
}

fn steps(longest_tick: u64) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..FILES, proptest::collection::vec(0..LINES.len(), 1..12)).prop_map(|(file, lines)| Step::Say(file, lines)),
        10 => (0..FILES, 1..200_usize).prop_map(|(file, bytes)| Step::Write(file, bytes)),
        1 => (0..FILES).prop_map(Step::Rename),
        1 => (0..FILES).prop_map(Step::CopyTruncate),
        10 => (1..=longest_tick).prop_map(Step::Tick),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

fn rules() -> impl Strategy<Value = Option<Rules>> {
    prop_oneof![
        Just(None),
        Just(Some(Rules::Java)),
        Just(Some(Rules::Python)),
        Just(Some(Rules::Go)),
        Just(Some(Rules::Ruby)),
        Just(Some(Rules::parse(r"/^\d{4}-/").unwrap())),
    ]
}

/// One name, and what was written under it.
struct Written {
    path: PathBuf,
    file: File,
    /// What is to be written.
    pending: Vec<u8>,
    /// The text of each generation, the current one last.
    generations: Vec<String>,
    /// How many rotated files there are.
    rotated: usize,
}

impl Written {
    fn new(path: PathBuf) -> Self {
        let mut written = Self {
            file: append(&path),
            path,
            pending: Vec::new(),
            generations: Vec::new(),
            rotated: 0,
        };
        written.begin_generation();
        written
    }

    /// Begins with a line that no other file has: equal contents cannot be told apart.
    fn begin_generation(&mut self) {
        let line = format!(
            "2026-01-30 generation {} of {}\n",
            self.rotated,
            self.path.display()
        );
        self.pending.extend_from_slice(line.as_bytes());
        self.generations.push(line);
    }

    fn say(&mut self, lines: &[usize]) {
        for &line in lines {
            let line = format!("{}\n", LINES[line]);
            self.pending.extend_from_slice(line.as_bytes());
            self.generations.last_mut().unwrap().push_str(&line);
        }
    }

    fn write(&mut self, bytes: usize) {
        let rest = self.pending.split_off(bytes.min(self.pending.len()));
        self.file.write_all(&self.pending).unwrap();
        self.pending = rest;
    }

    /// Makes room at `.1` and lets `move_current` fill it.
    fn rotate(&mut self, move_current: impl Fn(&Path, &Path)) {
        self.write(usize::MAX);
        let numbered = |number: usize| PathBuf::from(format!("{}.{number}", self.path.display()));
        for number in (1..=self.rotated).rev() {
            std::fs::rename(numbered(number), numbered(number + 1)).unwrap();
        }
        move_current(&self.path, &numbered(1));
        self.rotated += 1;
        self.file = append(&self.path);
        self.begin_generation();
    }
}

struct World {
    directory: tempfile::TempDir,
    format: Format,
    files: Vec<Written>,
    now: Instant,
    output: Sink,
    tailer: Tailer<Sink>,
}

impl World {
    fn new(format: Format) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let output = Sink::default();
        let files = (0..FILES).map(|number| Written::new(directory.path().join(format!("{number}.log"))));
        let mut world = Self {
            files: files.collect(),
            now: Instant::now(),
            tailer: start(directory.path(), &format, output.clone()),
            directory,
            format,
            output,
        };
        world.tick(0);
        world
    }

    /// What has come out, without its first `skipped` bytes.
    fn printed_after(&self, skipped: usize) -> String {
        String::from_utf8(self.output.printed()[skipped..].to_vec()).unwrap()
    }

    fn tick(&mut self, milliseconds: u64) {
        self.now += Duration::from_millis(milliseconds);
        self.tailer.look(self.now);
        while self.tailer.round(self.now).unwrap() {}
    }

    fn apply(&mut self, step: &Step) {
        match step {
            Step::Say(file, lines) => self.files[*file].say(lines),
            Step::Write(file, bytes) => self.files[*file].write(*bytes),
            Step::Rename(file) => self.files[*file].rotate(|from, to| std::fs::rename(from, to).unwrap()),
            Step::CopyTruncate(file) => {
                // A copy of which nothing was read cannot be told from a file that was there before.
                self.tick(1);
                self.files[*file].rotate(|from, to| {
                    std::fs::copy(from, to).unwrap();
                    truncate(from);
                });
                self.tick(1);
            }
            Step::Tick(milliseconds) => self.tick(*milliseconds),
            Step::Restart => {
                self.tailer = start(self.directory.path(), &self.format, self.output.clone());
                self.tick(0);
            }
        }
    }

    /// Applies all steps, lets the tailer read to the end, and returns what came out.
    fn run(&mut self, steps: &[Step]) -> String {
        for step in steps {
            self.apply(step);
        }
        for file in &mut self.files {
            file.write(usize::MAX);
        }
        self.tailer.last_look(self.now);
        while self.tailer.drain_round(self.now).unwrap() {}
        self.printed_after(0)
    }
}

fn start(directory: &Path, format: &Format, output: Sink) -> Tailer<Sink> {
    let options = Options {
        patterns: (0..FILES)
            .map(|number| OsString::from(directory.join(format!("{number}.log"))))
            .collect(),
        checkpoint: Some(directory.join("positions")),
        existing: Existing::Beginning,
        grace: Duration::ZERO,
        format: format.clone(),
        strip: Some(directory.to_path_buf()),
        inotify: false,
        reclaim: false,
        status: false,
    };
    Tailer::new(&options, output, Reporter::silent())
}

fn json(rules: Option<Rules>) -> Format {
    Format::Json {
        container: None,
        multiline: rules.map(|rules| Multiline { rules, flush: FLUSH }),
    }
}

/// The messages of every file, in their order.
fn messages(output: &str) -> Result<BTreeMap<String, Vec<String>>, TestCaseError> {
    let mut messages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in output.lines() {
        let record: serde_json::Value = serde_json::from_str(line)
            .map_err(|error| TestCaseError::fail(format!("torn ({error}): {line}")))?;
        let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
        messages.entry(text("file")).or_default().push(text("message"));
    }
    Ok(messages)
}

/// The records of a text that is there as a whole, one line after the other.
fn expected(rules: Option<&Rules>, text: &str) -> Vec<String> {
    let lines = text.lines().map(str::to_owned);
    let Some(rules) = rules else {
        return lines.collect();
    };
    let mut records: Vec<String> = Vec::new();
    let mut held: Vec<String> = Vec::new();
    for line in lines {
        held.push(line);
        records.extend(leave(rules, &mut held, false));
    }
    while !held.is_empty() {
        records.extend(leave(rules, &mut held, true));
    }
    records
}

/// Takes the whole records from the front of `held`, or whatever is there when the text has `ended`.
fn leave(rules: &Rules, held: &mut Vec<String>, ended: bool) -> Vec<String> {
    use tributary_streamer::multiline::{Found, Stage, Text};
    let text = held.join("\n") + "\n";
    let found = rules.first_record(&Text {
        bytes: text.as_bytes(),
        stage: Stage::Outside,
        mid_line: false,
        ended,
    });
    let length = match found {
        Found::Whole(length) => length,
        Found::Open(length, _) if ended => length,
        Found::Open(..) => return Vec::new(),
    };
    let count = text[..length].matches('\n').count();
    vec![held.drain(..count).collect::<Vec<_>>().join("\n")]
}

#[test]
fn a_record_leaves_after_silence_and_not_before() {
    let mut world = World::new(json(Some(Rules::Java)));
    let mut say = |line: usize, wait: u64| {
        world.apply(&Step::Say(0, vec![line]));
        world.apply(&Step::Write(0, usize::MAX));
        world.tick(wait);
        world.tick(900);
        world.output.printed().len()
    };
    let before = say(0, 1);
    // An exception, and a frame that comes when the silence is almost over and is seen when it would be over.
    assert_eq!(say(4, 1), before);
    assert_eq!(say(5, 150), before, "too early");
    world.tick(100);
    let output = world.printed_after(0);
    assert!(
        output.ends_with("boom\\n\\tat com.example.Shop.order(Shop.java:42)\"}\n"),
        "{output}"
    );

    // A trace that goes on for ever leaves in parts, each after ten times the silence.
    for _ in 0..30 {
        world.apply(&Step::Say(0, vec![5]));
        world.apply(&Step::Write(0, usize::MAX));
        world.tick(900);
    }
    let output = world.printed_after(output.len());
    let parts = output.lines().count();
    assert_eq!(parts, 2);
}

/// What comes out of a file when a second passes between its parts.
fn in_parts(format: Format, parts: &[&str]) -> String {
    let mut world = World::new(format);
    world.run(&[Step::Tick(0)]);
    let before = world.output.printed().len();
    for part in parts {
        world.files[0].file.write_all(part.as_bytes()).unwrap();
        world.tick(1);
        world.tick(1100);
    }
    world.printed_after(before)
}

#[test]
fn the_end_of_a_line_that_has_left_in_part_goes_on_with_it() {
    let parts = ["a.BException: bo", "om\n\tat c.D\n"];
    let output = in_parts(json(Some(Rules::Java)), &parts);
    let found = messages(&output).unwrap();
    assert_eq!(found["/0.log"], ["a.BException: bo", "om\n\tat c.D"]);
    assert_eq!(
        in_parts(Format::Prefixed, &["one", ", still one\ntwo\n"]),
        "[/0.log] one, still one\n[/0.log] two\n"
    );
}

#[test]
fn a_line_that_goes_on_in_the_next_file_has_one_prefix() {
    let mut world = World::new(Format::Prefixed);
    world.run(&[Step::Tick(0)]);
    let before = world.output.printed().len();
    world.files[0].file.write_all(b"one").unwrap();
    world.tick(1);
    world.tick(1100);
    let path = world.files[0].path.clone();
    std::fs::rename(&path, path.with_extension("log.1")).unwrap();
    append(&path).write_all(b", still one\ntwo\n").unwrap();
    world.tick(1);
    let output = world.printed_after(before);
    assert_eq!(output, "[/0.log] one, still one\n[/0.log] two\n");
}

fn assert_no_text_is_lost_or_doubled(rules: Option<Rules>, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut world = World::new(json(rules));
    let output = world.run(steps);
    let messages = messages(&output)?;
    for (number, file) in world.files.iter().enumerate() {
        // A character can be cut where a silence was.
        let is_plain = |character: &char| character.is_ascii() && !"\r\n".contains(*character);
        let plain = |text: &str| text.chars().filter(is_plain).collect::<String>();
        let found = messages
            .get(&format!("/{number}.log"))
            .cloned()
            .unwrap_or_default();
        prop_assert_eq!(
            plain(&found.concat()),
            plain(&file.generations.concat()),
            "file {}",
            number
        );
    }
    Ok(())
}

/// One byte of a file was read before the restart, and rotated files that nobody has seen begin with the same one.
#[test]
fn files_that_begin_alike_are_told_apart_after_a_restart() {
    let begun = [Step::Write(0, 1), Step::Tick(1), Step::Tick(1000)];
    for rotations in [
        // Of another name.
        &[Step::Rename(1), Step::Rename(1)][..],
        // Of the same name.
        &[Step::Rename(0), Step::Rename(0)],
        &[Step::CopyTruncate(0), Step::CopyTruncate(0)],
    ] {
        let steps = [&begun[..], rotations, &[Step::Restart]].concat();
        assert_no_text_is_lost_or_doubled(None, &steps).unwrap();
        let rules = Rules::parse(r"/^\d{4}-/").unwrap();
        assert_no_text_is_lost_or_doubled(Some(rules), &steps).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Without a silence in which a record would leave: all ticks together are shorter than one.
    #[test]
    fn pieces_rotations_and_restarts_change_no_record(rules in rules(), steps in steps(15)) {
        let mut world = World::new(json(rules.clone()));
        let output = world.run(&steps);
        let messages = messages(&output)?;
        for (number, file) in world.files.iter().enumerate() {
            let expected: Vec<String> =
                file.generations.iter().flat_map(|text| expected(rules.as_ref(), text)).collect();
            let found = messages.get(&format!("/{number}.log")).cloned().unwrap_or_default();
            prop_assert_eq!(found, expected, "file {}", number);
        }
    }

    /// Records that are silent leave in several parts; no text is lost or doubled, and none changes its place.
    #[test]
    fn silence_loses_and_doubles_nothing(rules in rules(), steps in steps(3000)) {
        assert_no_text_is_lost_or_doubled(rules, &steps)?;
    }

    #[test]
    fn prefixed_lines_are_whole_and_say_their_file(steps in steps(15)) {
        let mut world = World::new(Format::Prefixed);
        let output = world.run(&steps);
        for (number, file) in world.files.iter().enumerate() {
            let prefix = format!("[/{number}.log] ");
            let found: Vec<&str> = output.split('\n').filter_map(|line| line.strip_prefix(&prefix)).collect();
            let text = file.generations.concat();
            let expected: Vec<&str> = text.split_terminator('\n').collect();
            prop_assert_eq!(found, expected, "file {}", number);
        }
        let lines: usize = world.files.iter().map(|file| file.generations.concat().matches('\n').count()).sum();
        prop_assert_eq!(output.matches('\n').count(), lines, "lines of nobody");
    }
}
