//! Running the tailer: when to look, when to read, and how to end.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::output::{Blocked, OutputError};
use crate::signals::{Signals, Woken};
use crate::tail::Tailer;
use crate::watch::Watcher;

/// The least time between two looks, however much happens: what came meanwhile is read at once.
const BUSY: Duration = Duration::from_millis(100);
/// Time between two looks where events are not to be relied on, and while a line waits for its end.
const WAITING: Duration = Duration::from_millis(250);
/// Time between two looks while nothing happens: one wakeup a second.
const IDLE: Duration = Duration::from_secs(1);
/// How long after the last sign of life looks come as often as they may, where events are not to be relied on.
const ACTIVE: Duration = Duration::from_secs(1);
/// How long after the last sign of life nothing is thought to happen any more.
const SETTLED: Duration = Duration::from_secs(30);
/// How long to wait before writing again to an output that failed.
const RETRY: Duration = Duration::from_millis(200);

/// Follows until a signal says to stop, then reads every file to its end, for at most `grace`. Says its status when asked. With
/// `inotify`, the kernel tells when to look, where it does.
///
/// # Errors
/// When nobody reads the output any more.
pub fn follow<W: Write + AsFd>(
    tailer: &mut Tailer<W>,
    signals: &mut Signals,
    inotify: bool,
    grace: Duration,
) -> Result<(), OutputError> {
    let now = Instant::now();
    tailer.look(now);
    tailer.round(now)?;
    // After the first bytes, as the kernel may take its time.
    let mut watcher = if inotify { Watcher::new() } else { Watcher::blind() };
    follow_until_stopped(tailer, signals, &mut watcher)?;
    read_to_end(tailer, signals, grace)
}

fn follow_until_stopped<W: Write + AsFd>(
    tailer: &mut Tailer<W>,
    signals: &mut Signals,
    watcher: &mut Watcher,
) -> Result<(), OutputError> {
    let mut looked = Instant::now();
    let mut look_now = true;
    // At the start more than once a second: a file that comes first may be rotated soon.
    let mut last_sign = looked;
    // Whether only the clock said to look, although events are relied on for all that may come.
    let mut unprompted = false;
    while !signals.is_stop_requested() {
        if signals.take_status_request() {
            tailer.report_status();
        }
        let now = Instant::now();
        if look_now || now.duration_since(looked) >= BUSY {
            if tailer.look(now) {
                last_sign = now;
            }
            looked = now;
            look_now = watcher.watch(tailer.directories(), tailer.open_files());
        }
        if tailer.round(now)? {
            last_sign = now;
            if unprompted && !watcher.drain() {
                watcher.note_miss();
            }
            unprompted = false;
            continue;
        }
        if look_now {
            continue;
        }
        let blocked = tailer.blocked();
        // What waits for its end waits for a reader first.
        let is_waiting = blocked.is_none() && tailer.is_waiting(now);
        let between = time_between_looks(watcher.is_reliable(), is_waiting, now - last_sign);
        let woken = wait(tailer, signals, watcher, looked, between);
        unprompted = woken == Woken::ByTime && !is_waiting && watcher.is_reliable();
        look_now = match woken {
            Woken::ByEvent => true,
            Woken::ByTime => looked.elapsed() >= between,
            Woken::BySignal | Woken::ByOutput => false,
        };
    }
    Ok(())
}

/// Waits for something to do: at most until the time `between` two looks is over, and no less than the least of it for an event.
fn wait<W: Write + AsFd>(
    tailer: &Tailer<W>,
    signals: &mut Signals,
    watcher: &mut Watcher,
    looked: Instant,
    between: Duration,
) -> Woken {
    let until = |time: Duration| (looked + time).saturating_duration_since(Instant::now());
    let (output, at_most) = awaited_output(tailer);
    let woken = signals.wait(until(between).min(at_most), watcher.descriptor(), output);
    if woken != Woken::ByEvent {
        return woken;
    }
    // More may come at once, and is worth no look of its own.
    match signals.wait(until(BUSY), None, output) {
        Woken::ByTime => {
            watcher.drain();
            Woken::ByEvent
        }
        sooner @ (Woken::BySignal | Woken::ByOutput | Woken::ByEvent) => sooner,
    }
}

/// The output, when it is its reader who keeps it waiting, and how long to wait before writing again in any case.
fn awaited_output<W: Write + AsFd>(tailer: &Tailer<W>) -> (Option<BorrowedFd<'_>>, Duration) {
    match tailer.blocked() {
        None => (None, Duration::MAX),
        Some(Blocked::ByReader) => (Some(tailer.sink().as_fd()), Duration::MAX),
        Some(Blocked::ByFailure) => (None, RETRY),
    }
}

/// How long to wait for an event before looking without one. `silent` is the time since the last byte, or other sign of life.
fn time_between_looks(is_reliable: bool, is_waiting: bool, silent: Duration) -> Duration {
    match (is_reliable, is_waiting) {
        (true, false) => IDLE,
        (false, _) if silent < ACTIVE => BUSY,
        (false, false) if silent >= SETTLED => IDLE,
        (true | false, _) => WAITING,
    }
}

/// Reads until a look finds nothing new, a moment after the last that did, or until `grace` is over.
fn read_to_end<W: Write + AsFd>(
    tailer: &mut Tailer<W>,
    signals: &mut Signals,
    grace: Duration,
) -> Result<(), OutputError> {
    let deadline = Instant::now() + grace;
    loop {
        tailer.last_look(Instant::now());
        let looked = Instant::now();
        let mut any = false;
        // While the reader keeps it waiting, files come and go as before.
        while Instant::now() < deadline && (tailer.blocked().is_none() || looked.elapsed() < IDLE) {
            if signals.take_status_request() {
                tailer.report_status();
            }
            if tailer.drain_round(Instant::now())? {
                any = true;
                continue;
            }
            if tailer.blocked().is_none() {
                break;
            }
            any = true;
            let (output, at_most) = awaited_output(tailer);
            let left = deadline
                .min(looked + IDLE)
                .saturating_duration_since(Instant::now());
            signals.wait(left.min(at_most), None, output);
        }
        if Instant::now() >= deadline {
            tailer.report_unread();
            return Ok(());
        }
        if !any {
            return Ok(());
        }
        if tailer.blocked().is_none() {
            // A writer that is stopped together with us may have a last word.
            std::thread::sleep(BUSY);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_streamer_wakes_once_a_second_and_a_busy_one_ten_times_at_most() {
        let silent = Duration::from_secs;
        for (is_reliable, is_waiting, silent, between) in [
            (true, false, silent(0), IDLE),
            (true, true, silent(0), WAITING),
            (false, false, silent(0), BUSY),
            (false, false, silent(5), WAITING),
            (false, false, silent(40), IDLE),
            (false, true, silent(40), WAITING),
        ] {
            assert_eq!(
                time_between_looks(is_reliable, is_waiting, silent),
                between,
                "{is_reliable} {is_waiting} {silent:?}"
            );
        }
    }
}
