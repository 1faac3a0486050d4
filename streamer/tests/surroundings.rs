//! The real program where its surroundings are not as usual: filesystems, permissions, limits, and many idle files.
//!
//! What a test takes that is not everywhere stands in its name; without it, the test is shown as ignored.

// A test fails by a panic, wherever it is.
#![allow(clippy::unwrap_used)]

mod harness;
mod log_file;
mod mounts;

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

use crate::harness::{Streamer, Writer, numbered, program, rotate_names, scratch, within};
use crate::log_file::append;
use crate::mounts::Mount;

/// A disk without room for positions stops nothing; it is said once, and once more when there is room again.
fn full_disk() {
    let (directory, path) = scratch();
    let state = Mount::tiny(directory.path()).unwrap();
    let filler = state.0.join("filler");
    std::fs::write(&filler, vec![1; 64 * 1024]).expect_err("a full disk");
    let streamer = Streamer::start(["--checkpoint".as_ref(), state.0.as_os_str(), path.as_os_str()]);
    let mut writer = Writer::open(&path);
    writer.lines(10);
    streamer.await_message("cannot keep positions in");
    std::fs::remove_file(&filler).unwrap();
    streamer.await_message("positions are kept");
    writer.lines(10);
    let ended = streamer.stop();
    ended.assert_complete(20);
    assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    assert!(ended.stderr.contains("again"), "{}", ended.stderr);
}

/// The program notices that it is told nothing, and looks often enough from then on for files that live less than half a second.
fn silent_filesystem() {
    let (directory, path) = scratch();
    let outside = directory.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let view = Mount::another_view(directory.path(), &outside).unwrap();
    let streamer = Streamer::start([view.0.join("app.log")]);
    let path = outside.join(path.file_name().unwrap());
    let mut writer = Writer::open(&path);
    for _ in 0..10 {
        writer.lines(1);
        sleep(Duration::from_millis(600));
    }
    for _ in 0..6 {
        writer.lines(100);
        sleep(Duration::from_millis(450));
        rotate_names(&path, 9);
        std::fs::remove_file(numbered(&path, 1)).unwrap();
        writer.file = append(&path);
    }
    let ended = streamer.stop();
    ended.assert_complete(writer.next);
    ended.assert_in_order();
}

/// Writes six times as much as is given back at once, and returns how much of it is on the disk when all was printed.
fn reclaim(directory: &Path, positions: &Path) -> (u64, harness::Ended) {
    let path = directory.join("app.log");
    let streamer = Streamer::start([
        "--status".as_ref(),
        "--reclaim".as_ref(),
        "--checkpoint".as_ref(),
        positions.as_os_str(),
        path.as_os_str(),
    ]);
    let mut writer = Writer::open(&path);
    writer.lines(75_000);
    let size = writer.file.metadata().unwrap().size();
    assert!(size > 6 << 20);
    within(Duration::from_secs(30), "all is printed", || {
        let status = streamer.status();
        status.contains(&format!("bytes={size} "))
    });
    let left = writer.file.metadata().unwrap().blocks() * 512;
    let ended = streamer.stop();
    ended.assert_complete(writer.next);
    (left, ended)
}

fn reclaim_on_xfs() {
    let (directory, _) = scratch();
    let xfs = Mount::xfs(directory.path()).unwrap();
    let (left, ended) = reclaim(&xfs.0, directory.path());
    // XFS may have put blocks behind the end that the file has no use for yet.
    assert!(left < 4 << 20, "{left} bytes are left");
    let last = ended.statuses.last().unwrap();
    let freed = last.rsplit("reclaimed=").next().unwrap();
    assert!(freed.parse::<u64>().unwrap() > 4 << 20, "{:?}", ended.statuses);
    assert_eq!(ended.stderr, "");
}

fn no_holes() {
    let (directory, _) = scratch();
    let memory = Mount::without_holes(directory.path()).unwrap();
    let (left, ended) = reclaim(&memory.0, directory.path());
    assert!(left > 6 << 20, "{left} bytes are left");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("cannot give back the disk space of"),
        "{}",
        ended.stderr
    );
}

/// Says who may read a file, named or found, and reads it as soon as that is anybody.
fn no_permission() {
    let (directory, path) = scratch();
    let mut writer = Writer::open(&path);
    writer.lines(10);
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o200)).unwrap();
    let glob = directory.path().join("*.log");
    let running = [&path, &glob].map(|pattern| {
        let mut streamer = Streamer::launch(without_override().arg(pattern));
        streamer.read();
        streamer
    });
    let owner = path.metadata().unwrap();
    let message = format!("run as user {} or group {} (mode 200)", owner.uid(), owner.gid());
    for streamer in &running {
        streamer.await_message(&message);
    }
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
    for streamer in running {
        streamer.await_message("following ");
        let ended = streamer.stop();
        ended.assert_complete(10);
        assert_eq!(ended.stderr.lines().count(), 2, "{}", ended.stderr);
    }
}

/// The program as somebody whom permissions stop.
fn without_override() -> Command {
    if !rustix::process::geteuid().is_root() {
        return program();
    }
    let mut limited = Command::new("setpriv");
    limited.arg("--bounding-set=-dac_override,-dac_read_search");
    limited.arg(program().get_program());
    limited
}

/// Times that a process has waited, a second.
fn waits(process: u32) -> f64 {
    let count = || -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        line.unwrap().trim().parse().unwrap()
    };
    let before = count();
    sleep(Duration::from_secs(8));
    (count() - before) / 8.0
}

/// Once a second by the program, and a few times more by the kernel: four a second are those of a clock that is not relied on.
fn idle_files() {
    let (directory, _) = scratch();
    for number in 0..100 {
        append(&directory.path().join(format!("{number}.log")))
            .write_all(b"a line\n")
            .unwrap();
    }
    let glob = directory.path().join("*.log").into_os_string();
    let [told, untold] = [vec![], vec![OsStr::new("--no-inotify")]].map(|mut words| {
        words.push(&glob);
        Streamer::start(words)
    });
    sleep(Duration::from_secs(3));
    let of_untold = {
        let process = untold.child.id();
        std::thread::spawn(move || waits(process))
    };
    let of_told = waits(told.child.id());
    let of_untold = of_untold.join().unwrap();
    assert!(of_told < 2.5, "{of_told} a second");
    assert!(of_untold > 2.5, "{of_untold} a second: nothing was measured");
    for streamer in [told, untold] {
        assert_eq!(streamer.stop().stdout.lines().count(), 100);
    }
}

/// Where few inotify instances are to be had, none is taken.
fn few_instances() {
    let (_directory, path) = scratch();
    let has_instance = |limit: u32| {
        let mut command = Command::new("unshare");
        let script = format!("echo {limit} >/proc/sys/user/max_inotify_instances && exec \"$0\" \"$@\"");
        command.args(["--user", "--map-root-user", "sh", "-c", &script]);
        let mut streamer = Streamer::launch(command.arg(program().get_program()).arg(&path));
        streamer.read();
        // More than one are there while it finds out.
        sleep(Duration::from_secs(1));
        let descriptors = std::fs::read_dir(format!("/proc/{}/fd", streamer.child.id())).unwrap();
        let mut names = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        let has_one = names.any(|name| name == Path::new("anon_inode:inotify"));
        assert!(streamer.stop().status.success());
        has_one
    };
    assert!(has_instance(100), "there are enough");
    assert!(!has_instance(20), "they are left to others");
}

/// Whether `program` is there and answers.
fn is_installed(program: &str, question: &str) -> bool {
    let asked = Command::new(program)
        .arg(question)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

/// A test, and what it takes with whether that is there.
type Described<'a> = (&'static str, Vec<(&'static str, bool)>, fn());

fn main() {
    let mut arguments = Arguments::from_args();
    // They sleep most of the time.
    arguments.test_threads.get_or_insert(8);
    let is_root = rustix::process::geteuid().is_root();
    let mounting = ("the right to mount", mounts::is_possible());
    let fuse = ("FUSE", Path::new("/dev/fuse").exists());
    let bindfs = ("bindfs", is_installed("bindfs", "--version"));
    let loops = ("loop devices", Path::new("/dev/loop-control").exists());
    let xfs = ("mkfs.xfs", is_installed("mkfs.xfs", "-V"));
    let setpriv = (
        "setpriv, as root",
        !is_root || is_installed("setpriv", "--version"),
    );
    let namespace = Command::new("unshare")
        .args(["--user", "--map-root-user", "true"])
        .status();
    let namespaces = ("user namespaces", namespace.is_ok_and(|status| status.success()));
    let tests: [Described<'_>; 7] = [
        ("a full disk at the checkpoint", vec![mounting], full_disk),
        (
            "a filesystem that tells nothing",
            vec![mounting, fuse, bindfs],
            silent_filesystem,
        ),
        (
            "disk space is given back on xfs",
            vec![mounting, loops, xfs],
            reclaim_on_xfs,
        ),
        (
            "a filesystem without holes gives nothing back",
            vec![mounting],
            no_holes,
        ),
        ("a file that may not be read", vec![setpriv], no_permission),
        ("a hundred idle files", Vec::new(), idle_files),
        (
            "the last inotify instances are left to others",
            vec![namespaces],
            few_instances,
        ),
    ];
    let trials = tests.map(|(name, needs, test)| {
        let what: Vec<&str> = needs.iter().map(|&(what, _)| what).collect();
        let name = if what.is_empty() {
            name.to_owned()
        } else {
            format!("{name} (takes {})", what.join(" and "))
        };
        let is_missing = needs.iter().any(|&(_, is_there)| !is_there);
        let run = move || -> Result<(), Failed> {
            test();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(is_missing)
    });
    libtest_mimic::run(&arguments, trials.into()).exit();
}
