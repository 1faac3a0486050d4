//! Random schedules of what writers and rotations do, driven against a model of what the disk held.
//!
//! The tailer runs in this process with a clock of its own. Every line is numbered. A line must come out exactly once, unless the
//! disk no longer held it when the tailer looked next: then at most once. No line may come out torn.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod blocking_sink;
mod log_file;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, TestRunner};
use tributary_streamer::arguments::{Existing, Options};
use tributary_streamer::format::Format;
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::{RENAMED_QUIET, Tailer};

use crate::blocking_sink::BlockingSink;
use crate::log_file::{append, truncate};

/// Schedules of one run, unless `SCHEDULES` says how many.
const DEFAULT_SCHEDULES: u32 = 4000;
/// Rotated files kept.
const KEPT: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// So many whole lines, then the beginning of another one, which the next append ends.
    Append { lines: u8, unfinished: bool },
    /// `a.log` becomes `a.log.1`, and so on; the writer keeps its descriptor.
    Rename,
    /// The writer opens `a.log`, which is created if need be.
    Reopen,
    /// A copy becomes `a.log.1`, then the file is truncated; the tailer may look in between.
    CopyTruncate(Seen),
    /// The file is truncated, and nobody has a copy.
    Truncate,
    /// The name is removed; the writer keeps its descriptor.
    Delete,
    /// The tailer looks and reads, so many milliseconds later.
    Tick(u16),
    /// The tailer reads without looking.
    Read,
    /// The reader takes so many more bytes only, or everything again.
    Room(Option<u16>),
    /// The tailer is killed and started again, with a new reader.
    Restart,
}

/// What the tailer sees of a copy before the truncation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Nothing,
    Whole,
    /// The first half of it; it may read the file then.
    Half {
        then_read: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..40_u8, any::<bool>()).prop_map(|(lines, unfinished)| Step::Append { lines, unfinished }),
        3 => Just(Step::Rename),
        4 => Just(Step::Reopen),
        2 => prop_oneof![
            Just(Seen::Nothing),
            Just(Seen::Whole),
            any::<bool>().prop_map(|then_read| Seen::Half { then_read }),
        ]
        .prop_map(Step::CopyTruncate),
        1 => Just(Step::Truncate),
        1 => Just(Step::Delete),
        6 => (1..400_u16).prop_map(Step::Tick),
        1 => (1000..10_000_u16).prop_map(Step::Tick),
        1 => (60_000..65_535_u16).prop_map(Step::Tick),
        2 => Just(Step::Read),
        1 => (0..600_u16).prop_map(|room| Step::Room(Some(room))),
        2 => Just(Step::Room(None)),
        1 => Just(Step::Restart),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What a file held at some time, whatever it is called.
#[derive(Debug, Default, Clone)]
struct Content {
    lines: Vec<u32>,
    /// Whether the tailer has had it open.
    opened: bool,
    /// Whether it has been renamed and quiet for so long that the tailer may have closed it.
    closed: bool,
}

type Shared<T> = Rc<RefCell<T>>;

/// The disk, its model, and the tailer.
struct World {
    directory: tempfile::TempDir,
    /// The file and the content behind the writer's descriptor.
    writer: Option<(File, Shared<Content>)>,
    /// The number of a line that was begun.
    begun: Option<u32>,
    /// Contents by name: 0 is `a.log`, 1 is `a.log.1`.
    names: BTreeMap<usize, Shared<Content>>,
    /// Whether each line must come out; those that may not, may.
    required: Vec<bool>,
    now: Instant,
    output: BlockingSink,
    tailer: Option<Tailer<BlockingSink>>,
}

impl World {
    fn new(directory: &Path) -> Self {
        let mut world = Self {
            directory: tempfile::tempdir_in(directory).unwrap(),
            writer: None,
            begun: None,
            names: BTreeMap::new(),
            required: Vec::new(),
            now: Instant::now(),
            output: BlockingSink::default(),
            tailer: None,
        };
        world.start();
        world.tick(0);
        world
    }

    fn path(&self, generation: usize) -> PathBuf {
        let name = if generation == 0 {
            "a.log".to_owned()
        } else {
            format!("a.log.{generation}")
        };
        self.directory.path().join("logs").join(name)
    }

    fn start(&mut self) {
        let options = Options {
            patterns: vec![OsString::from(self.path(0))],
            checkpoint: Some(self.directory.path().join("positions")),
            existing: Existing::Beginning,
            grace: Duration::ZERO,
            format: Format::Raw,
            strip: None,
            inotify: false,
            reclaim: false,
            status: false,
        };
        self.tailer = Some(Tailer::new(&options, self.output.clone(), Reporter::silent()));
    }

    fn tick(&mut self, milliseconds: u16) {
        self.now += Duration::from_millis(milliseconds.into());
        let tailer = self.tailer.as_mut().expect("a running tailer");
        tailer.look(self.now);
        self.read();
        for (&name, content) in &self.names {
            content.borrow_mut().opened = true;
            content.borrow_mut().closed |= name > 0 && u128::from(milliseconds) >= RENAMED_QUIET.as_millis();
        }
    }

    fn read(&mut self) {
        let tailer = self.tailer.as_mut().expect("a running tailer");
        while tailer.round(self.now).unwrap() {}
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Append { lines, unfinished } => self.append(lines, unfinished),
            Step::Rename => self.rotate(|from, to| std::fs::rename(from, to).unwrap()),
            Step::Reopen => self.reopen(),
            Step::CopyTruncate(seen) => self.copy_truncate(seen),
            Step::Truncate => self.truncate(),
            Step::Delete => self.delete(),
            Step::Tick(milliseconds) => self.tick(milliseconds),
            Step::Read => self.read(),
            Step::Room(room) => self.output.set_room(room.map(usize::from)),
            Step::Restart => {
                // A line that is out in part goes on in another stream: only whole lines can be counted here.
                let whole = self.output.printed_whole();
                if whole > 0 && self.output.printed()[whole - 1] != b'\n' {
                    self.output.set_room(None);
                    self.end_line();
                    self.read();
                }
                self.tailer = None;
                // What did not leave as a whole comes once more: it is counted there.
                self.output.drop_part();
                self.start();
                // A descriptor that was open in the old process is not open in the new one.
                self.forget_unnamed();
                self.end_cut_line();
                self.tick(0);
            }
        }
    }

    fn append(&mut self, lines: u8, unfinished: bool) {
        let Some((file, content)) = &mut self.writer else {
            return;
        };
        let mut text = Vec::new();
        if self.begun.take().is_some() {
            text.extend_from_slice(b" end\n");
        }
        for _ in 0..lines {
            let number = u32::try_from(self.required.len()).unwrap();
            self.required.push(true);
            content.borrow_mut().lines.push(number);
            writeln!(text, "line {number:06} end").unwrap();
        }
        if unfinished {
            let number = u32::try_from(self.required.len()).unwrap();
            self.required.push(true);
            content.borrow_mut().lines.push(number);
            write!(text, "line {number:06}").unwrap();
            self.begun = Some(number);
        }
        file.write_all(&text).unwrap();
    }

    /// Ends the line that was begun: real rotations happen between two lines.
    fn end_line(&mut self) {
        if let (Some(_), Some((file, _))) = (self.begun.take(), &mut self.writer) {
            file.write_all(b" end\n").unwrap();
        }
    }

    fn reopen(&mut self) {
        self.end_line();
        std::fs::create_dir_all(self.directory.path().join("logs")).unwrap();
        let file = append(&self.path(0));
        self.writer = Some((file, Rc::clone(self.names.entry(0).or_default())));
    }

    /// Moves every rotated file one number up and puts the current one in the first place.
    fn rotate(&mut self, move_current: impl Fn(&Path, &Path)) {
        self.end_line();
        if !self.names.contains_key(&0) {
            return;
        }
        for generation in (1..=KEPT).rev() {
            let Some(content) = self.names.remove(&generation) else {
                continue;
            };
            if generation == KEPT {
                std::fs::remove_file(self.path(generation)).unwrap();
                self.unnamed(&content);
            } else {
                std::fs::rename(self.path(generation), self.path(generation + 1)).unwrap();
                self.names.insert(generation + 1, content);
            }
        }
        move_current(&self.path(0), &self.path(1));
        let content = self.names.remove(&0).expect("a current file");
        self.names.insert(1, content);
    }

    fn copy_truncate(&mut self, seen: Seen) {
        if !self.names.contains_key(&0) {
            return;
        }
        let truncated = Rc::clone(&self.names[&0]);
        self.rotate(|from, to| {
            let content = std::fs::read(from).unwrap();
            let made = match seen {
                Seen::Nothing | Seen::Whole => content.len(),
                Seen::Half { .. } => content.len() / 2,
            };
            std::fs::write(to, &content[..made]).unwrap();
        });
        if seen != Seen::Nothing {
            self.tailer.as_mut().expect("a running tailer").look(self.now);
        }
        if let Seen::Half { then_read } = seen {
            if then_read {
                self.read();
            }
            std::fs::copy(self.path(0), self.path(1)).unwrap();
        }
        truncate(&self.path(0));
        // The lines are in the copy now; the tailer has to find that.
        let copy = Content {
            lines: std::mem::take(&mut truncated.borrow_mut().lines),
            ..Content::default()
        };
        self.names.insert(1, Rc::new(RefCell::new(copy)));
        self.names.insert(0, truncated);
    }

    fn truncate(&mut self) {
        self.end_line();
        let Some(content) = self.names.get(&0).map(Rc::clone) else {
            return;
        };
        truncate(&self.path(0));
        self.lose(&content);
    }

    fn delete(&mut self) {
        self.end_line();
        let Some(content) = self.names.remove(&0) else {
            return;
        };
        std::fs::remove_file(self.path(0)).unwrap();
        self.unnamed(&content);
    }

    /// A content without a name is read only by who has it open. For how long a writer may go on writing to it is another
    /// matter: the tailer closes it when it has been quiet.
    fn unnamed(&mut self, content: &Shared<Content>) {
        if !content.borrow().opened || content.borrow().closed {
            self.lose(content);
        }
        if self
            .writer
            .as_ref()
            .is_some_and(|(_, written)| Rc::ptr_eq(written, content))
        {
            self.writer = None;
        }
    }

    fn lose(&mut self, content: &Shared<Content>) {
        for line in content.borrow_mut().lines.drain(..) {
            self.required[line as usize] = false;
        }
    }

    /// Everything that has no name any more is lost to a new process, unless it was read before.
    fn forget_unnamed(&mut self) {
        let named: Vec<u32> = self
            .names
            .values()
            .flat_map(|content| content.borrow().lines.clone())
            .collect();
        for (line, required) in self.required.iter_mut().enumerate() {
            *required &= named.contains(&u32::try_from(line).unwrap());
        }
        if self
            .writer
            .as_ref()
            .is_some_and(|(_, content)| !self.names.values().any(|named| Rc::ptr_eq(named, content)))
        {
            self.writer = None;
        }
    }

    /// A new process writes to a new stream: a line whose end is gone stays as it is there.
    fn end_cut_line(&mut self) {
        let is_cut = {
            let output = self.output.printed();
            let text = std::str::from_utf8(&output).unwrap();
            let last = text.rsplit('\n').next().unwrap_or_default().strip_prefix("line ");
            last.is_some_and(|number| !self.required[number.parse::<usize>().unwrap()])
        };
        if is_cut {
            self.output.write_all(b"\n").unwrap();
        }
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        self.end_line();
        self.output.set_room(None);
        self.now += Duration::from_millis(10);
        let tailer = self.tailer.as_mut().expect("a running tailer");
        tailer.last_look(self.now);
        while tailer.drain_round(self.now).unwrap() {}

        let output = self.output.printed();
        let output = std::str::from_utf8(&output).unwrap();
        let mut seen = vec![0_u32; self.required.len()];
        for line in output.lines() {
            let rest = line.strip_prefix("line ").unwrap_or_default();
            let number = rest.get(..6).and_then(|digits| digits.parse::<usize>().ok());
            prop_assert!(number.is_some(), "torn: {line:?}\n{output}");
            let number = number.unwrap();
            // The beginning of a line may be out before the file is truncated.
            let whole = &rest[6..] == " end";
            prop_assert!(
                whole || (rest.len() == 6 && !self.required[number]),
                "torn: {line:?}\n{output}"
            );
            seen[number] += 1;
        }
        for (line, (&seen, &required)) in seen.iter().zip(&self.required).enumerate() {
            prop_assert!(seen <= 1, "line {line} came {seen} times");
            prop_assert!(seen == 1 || !required, "line {line} is lost");
        }
        Ok(())
    }
}

/// Runs so many random schedules, or a share of those that `SCHEDULES` asks for, with all files below `directory`. Says how many
/// passed. The seed of one that fails is printed, and kept in `schedules.regressions` to be tried first from then on.
fn run_schedules(directory: &Path, (share, of): (u32, u32)) {
    let asked = std::env::var("SCHEDULES").map(|text| text.parse().expect("a number of schedules"));
    let cases = asked.unwrap_or(DEFAULT_SCHEDULES) / of * share;
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schedules.regressions");
    let config = ProptestConfig {
        cases,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        source_file: Some(file!()),
        ..ProptestConfig::default()
    };
    let passed = TestRunner::new(config).run(&steps(), |steps| {
        let mut world = World::new(directory);
        for step in &steps {
            world.apply(step);
        }
        world.check()
    });
    passed.unwrap_or_else(|failure| panic!("{failure}"));
    // Not by a macro, whose output the test harness would keep to itself.
    let passed = format!("{cases} random schedules passed in {}\n", directory.display());
    std::io::stderr().write_all(passed.as_bytes()).unwrap();
}

#[test]
fn no_line_is_lost_doubled_or_torn() {
    // Where memory is a filesystem, schedules are some ten times as fast.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        run_schedules(memory, (3, 4));
    } else {
        run_schedules(&std::env::temp_dir(), (3, 4));
    }
}

#[test]
fn no_line_is_lost_doubled_or_torn_where_inode_numbers_come_again() {
    run_schedules(&std::env::temp_dir(), (1, 4));
}
