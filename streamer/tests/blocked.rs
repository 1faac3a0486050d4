//! A reader that stops for long costs a bounded number of open files.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod blocking_sink;

use std::ffi::OsString;
use std::time::{Duration, Instant};

use tributary_streamer::arguments::{self, Command};
use tributary_streamer::report::Reporter;
use tributary_streamer::tail::Tailer;

use crate::blocking_sink::BlockingSink;

#[test]
fn a_bounded_number_of_rotated_files_is_held_for_a_reader_that_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.log");
    let Ok(Command::Follow(options)) = arguments::parse([OsString::from(&path)]) else {
        panic!("a command line");
    };
    let sink = BlockingSink::default();
    sink.set_room(Some(0));
    let mut tailer = Tailer::new(&options, sink.clone(), Reporter::silent());
    let mut now = Instant::now();
    for number in 0..300 {
        std::fs::write(&path, format!("line {number:04}\n")).unwrap();
        tailer.look(now);
        while tailer.round(now).unwrap() {}
        std::fs::remove_file(&path).unwrap();
        now += Duration::from_secs(60);
    }
    let held = tailer.open_files().count();
    assert!((250..255).contains(&held), "{held} files are open");

    sink.set_room(None);
    while tailer.round(now).unwrap() {}
    let printed = String::from_utf8(sink.printed().to_vec()).unwrap();
    let expected: Vec<String> = (0..held).map(|number| format!("line {number:04}")).collect();
    let lines: Vec<&str> = printed.lines().collect();
    assert_eq!(lines, expected, "all that was held, in order");
    for _ in 0..2 {
        tailer.look(now);
        now += Duration::from_secs(60);
    }
    assert_eq!(tailer.open_files().count(), 0, "they are let go");
}
