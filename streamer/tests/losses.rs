//! What is lost for certain is said, once, and counted; what only looks like a loss is not.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod log_file;

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tributary_streamer::arguments::{self, Command as Asked};
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::Tailer;

use crate::log_file::{append, truncate};

/// All messages.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

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

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.log");
        let Ok(Asked::Follow(options)) = arguments::parse([OsString::from(&path)]) else {
            panic!("a command line");
        };
        let said = Said::default();
        let mut tailer = Tailer::new(&options, std::io::sink(), Reporter::new(Box::new(said.clone())));
        tailer.look(Instant::now());
        Self {
            _directory: directory,
            path,
            said,
            tailer,
        }
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
        std::fs::rename(&self.path, self.beside(".1")).unwrap();
        gzip(&self.beside(".1"));
    }

    /// The losses that were said, and how many the status counts.
    fn losses(mut self) -> (Vec<String>, String) {
        self.read();
        self.tailer.report_status();
        let said = String::from_utf8(self.said.0.lock().unwrap().clone()).unwrap();
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
