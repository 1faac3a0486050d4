//! The real program against writers: numbered lines, counted at the other end.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod harness;
mod log_file;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::harness::{Streamer, Writer, line, numbered, parse, rotate_names, scratch, shift_names};
use crate::log_file::{append, truncate};

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
