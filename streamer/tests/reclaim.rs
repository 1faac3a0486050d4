//! Giving back the disk space of what was printed: all of it comes out all the same, also after a restart, and nothing else is taken.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod sink;

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

use tributary_streamer::arguments::{self, Command};
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::Tailer;

use crate::sink::Sink;

fn start(directory: &Path, sink: &Sink, options: &[&str]) -> Tailer<Sink> {
    let positions = directory.join("positions");
    let words = options.iter().map(OsString::from).chain([
        "--checkpoint".into(),
        positions.into_os_string(),
        directory.join("app.log").into_os_string(),
    ]);
    let Ok(Command::Follow(options)) = arguments::parse(words) else {
        panic!("a command line");
    };
    Tailer::new(&options, sink.clone(), Reporter::silent())
}

fn lines(from: usize, count: usize) -> Vec<u8> {
    (from..from + count)
        .flat_map(|number| format!("line {number:09} of many that take much room on the disk\n").into_bytes())
        .collect()
}

fn allocated(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().blocks() * 512
}

/// Prints four times as much as is given back at once, restarts in between, and leaves some unread.
fn run(directory: &Path, options: &[&str]) {
    let path = directory.join("app.log");
    let sink = Sink::default();
    let mut writer = File::create(&path).unwrap();
    let mut expected = Vec::new();
    for round in 0..4 {
        let mut tailer = start(directory, &sink, options);
        let written = lines(round * 100_000, 100_000);
        writer.write_all(&written).unwrap();
        expected.extend(written);
        tailer.look(Instant::now());
        while tailer.round(Instant::now()).unwrap() {}
    }
    assert!(*sink.printed() == *expected, "what was printed");
    let unread = lines(400_000, 50_000);
    writer.write_all(&unread).unwrap();
    drop(start(directory, &sink, options));
    let content = std::fs::read(&path).unwrap();
    assert_eq!(content.len(), expected.len() + unread.len(), "the size stays");
    assert!(content.ends_with(&unread), "what was not printed stays");
}

#[test]
fn disk_space_of_what_was_printed_is_given_back() {
    let memory = Path::new("/dev/shm");
    for filesystem in [std::env::temp_dir().as_path(), memory] {
        if !filesystem.is_dir() {
            continue;
        }
        let directory = tempfile::tempdir_in(filesystem).unwrap();
        run(directory.path(), &["--reclaim"]);
        let left = allocated(&directory.path().join("app.log"));
        let unread = lines(400_000, 50_000).len() as u64;
        // What was printed last, the first block, and what is too little to be worth it.
        assert!(
            left < unread + 2_000_000,
            "{left} bytes are left in {}",
            filesystem.display()
        );
    }
}

#[test]
fn nothing_is_given_back_unless_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    run(directory.path(), &[]);
    let path = directory.path().join("app.log");
    assert!(!std::fs::read(&path).unwrap().contains(&0));
}
