//! What is lost for certain is said, once, and counted; what only looks like a loss is not.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod log_file;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tributary_streamer::arguments::{self, Command as Asked};
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::Tailer;

use crate::log_file::{append, truncate};

/// The clock by which the kernel says when a file was made or written stands still for up to ten milliseconds.
const CLOCK: Duration = Duration::from_millis(20);

/// All messages.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct World {
    _directory: tempfile::TempDir,
    path: PathBuf,
    said: Said,
    tailer: Tailer<std::io::Sink>,
}

fn tailer(path: &Path, said: &Said) -> Tailer<std::io::Sink> {
    let positions = path.with_extension("positions");
    let words: [OsString; 3] = ["--checkpoint".into(), positions.into_os_string(), path.into()];
    let Ok(Asked::Follow(options)) = arguments::parse(words) else {
        panic!("a command line");
    };
    let mut tailer = Tailer::new(&options, std::io::sink(), Reporter::new(Box::new(said.clone())));
    tailer.look(Instant::now());
    tailer
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        let said = Said::default();
        let tailer = tailer(&path, &said);
        Self {
            _directory: directory,
            path,
            said,
            tailer,
        }
    }

    /// As after a kill.
    fn restart(&mut self) {
        self.tailer = tailer(&self.path, &self.said);
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.path.display()))
    }

    fn write(&self, text: &str) {
        append(&self.path).write_all(text.as_bytes()).unwrap();
    }

    fn read(&mut self) {
        self.tailer.last_look(Instant::now());
        while self.tailer.round(Instant::now()).unwrap() {}
    }

    /// Rotates to `app.log.1`, which is compressed at once.
    fn rotate_and_compress(&self) {
        self.rotate_and_compress_to(".gz");
    }

    fn rotate_and_compress_to(&self, suffix: &str) {
        let rotated = self.beside(".1");
        std::fs::rename(&self.path, &rotated).unwrap();
        if suffix == ".gz" {
            gzip(&rotated);
        } else {
            // All that is known of other formats is their name, and that they hold something.
            std::fs::write(self.beside(&format!(".1{suffix}")), [7; 60]).unwrap();
            std::fs::remove_file(&rotated).unwrap();
        }
    }

    /// How many bytes the status counts as printed.
    fn printed(&mut self) -> usize {
        self.tailer.report_status();
        let said = self.said.text();
        let printed = said.lines().last().unwrap().rsplit("bytes=").next().unwrap();
        printed.split(' ').next().unwrap().parse().unwrap()
    }

    /// The losses that were said, and how many the status counts.
    fn losses(mut self) -> (Vec<String>, String) {
        self.read();
        self.tailer.report_status();
        let said = self.said.text();
        let losses = said.lines().filter(|line| line.contains(" lost: "));
        let counted = said.lines().last().unwrap().rsplit("losses=").next().unwrap();
        let counted = counted.split(' ').next().unwrap();
        (losses.map(str::to_owned).collect(), counted.to_owned())
    }
}

fn gzip(path: &Path) {
    assert!(
        Command::new("gzip")
            .arg("-f")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn a_file_that_was_compressed_before_it_was_read_is_a_loss() {
    let mut world = World::new();
    world.write("never seen\n");
    world.rotate_and_compress();
    world.write("seen\n");
    world.read();
    let (said, counted) = world.losses();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("app.log.1.gz\" was compressed before all of its 11 bytes were read"),
        "{said:?}"
    );
    assert_eq!(counted, "1");
}

#[test]
fn a_file_that_was_read_may_be_compressed() {
    let mut world = World::new();
    for round in 0..3 {
        world.write("seen in time\n");
        world.read();
        world.write(&"before its rotation\n".repeat(round));
        world.rotate_and_compress();
        world.read();
        std::fs::rename(world.beside(".1.gz"), world.beside(&format!(".{}.gz", 9 - round))).unwrap();
    }
    assert_eq!(world.losses(), (Vec::new(), "0".to_owned()));
}

#[test]
fn what_compressed_it_makes_no_difference() {
    for suffix in [".bz2", ".xz", ".zst", ".Z"] {
        let mut world = World::new();
        world.write("read while it was written\n");
        world.read();
        world.write("read from a file that is gone already\n");
        world.rotate_and_compress_to(suffix);
        let compressed = world.beside(&format!(".1{suffix}"));
        std::fs::rename(compressed, world.beside(&format!(".2{suffix}"))).unwrap();
        world.write("never seen\n");
        world.rotate_and_compress_to(suffix);
        world.write("the first line of the next file\n");
        let (said, counted) = world.losses();
        assert_eq!(said.len(), 1, "{said:?}");
        let message = format!("app.log.1{suffix}\" was compressed before anything of it was read");
        assert!(said[0].contains(&message), "{said:?}");
        assert_eq!(counted, "1");
    }
}

#[test]
fn what_was_read_may_be_compressed_while_nobody_looks() {
    for suffix in [".gz", ".bz2"] {
        let mut world = World::new();
        world.write("of an earlier file\n");
        world.read();
        world.rotate_and_compress_to(suffix);
        let compressed = world.beside(&format!(".1{suffix}"));
        std::fs::rename(&compressed, world.beside(&format!(".3{suffix}"))).unwrap();
        world.write("read\n");
        world.read();
        sleep(CLOCK);
        world.rotate_and_compress_to(suffix);
        world.restart();
        assert_eq!(world.losses(), (Vec::new(), "0".to_owned()), "{suffix}");
    }
}

#[test]
fn what_was_not_read_and_is_compressed_while_nobody_looks_is_a_loss() {
    let mut world = World::new();
    world.write("seen\n");
    world.read();
    sleep(CLOCK);
    world.write("not read\n");
    world.rotate_and_compress();
    world.restart();
    let (said, counted) = world.losses();
    assert!(
        said[0].contains("before all of its 14 bytes were read"),
        "{said:?}"
    );
    assert_eq!((said.len(), counted.as_str()), (1, "1"), "{said:?}");

    let mut world = World::new();
    world.write("seen\n");
    world.read();
    sleep(CLOCK);
    world.rotate_and_compress_to(".bz2");
    std::fs::rename(world.beside(".1.bz2"), world.beside(".2.bz2")).unwrap();
    world.write("not read\n");
    world.rotate_and_compress_to(".bz2");
    world.restart();
    let (said, counted) = world.losses();
    assert_eq!((said.len(), counted.as_str()), (1, "1"), "{said:?}");
}

#[test]
fn what_was_seen_and_is_truncated_unread_is_a_loss_unless_a_copy_has_it() {
    let mut world = World::new();
    world.write("a line\n");
    world.read();
    world.write("one more\n");
    world.tailer.look(Instant::now());
    std::fs::copy(&world.path, world.beside(".1")).unwrap();
    truncate(&world.path);
    world.read();
    world.write("a third\n");
    world.read();
    world.write("a 4th\n");
    world.tailer.look(Instant::now());
    truncate(&world.path);
    let (said, counted) = world.losses();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("truncated with 6 bytes in it that were not printed"),
        "{said:?}"
    );
    assert_eq!(counted, "1");
}

#[test]
fn what_an_idle_file_gets_just_before_it_goes_is_read_however_late_the_look() {
    let mut world = World::new();
    world.write("a line\n");
    world.read();
    let minute = Duration::from_secs(60);
    let mut now = Instant::now();
    for end in ["removed", "compressed"] {
        now += minute;
        world.tailer.look(now);
        let before = world.printed();
        world.write(end);
        world.write("\n");
        world.rotate_and_compress();
        if end == "removed" {
            std::fs::remove_file(world.beside(".1.gz")).unwrap();
        }
        now += minute;
        world.tailer.look(now);
        while world.tailer.round(now).unwrap() {}
        assert_eq!(world.printed(), before + end.len() + 1, "{end}");
        world.write("a line of the next file\n");
        world.tailer.look(now);
        while world.tailer.round(now).unwrap() {}
    }
    assert_eq!(world.losses(), (Vec::new(), "0".to_owned()));
}
