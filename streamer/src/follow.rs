//! Running the tailer: when to look, when to read, and how to end.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::output::OutputError;
use crate::signals::{Signals, Woken};
use crate::tail::Tailer;
use crate::watch::Watcher;

/// The least time between two looks, however much happens: what came meanwhile is read at once.
const BUSY: Duration = Duration::from_millis(100);
/// Time between two looks where events are not to be relied on, and while a line waits for its end.
const WAITING: Duration = Duration::from_millis(250);
/// Time between two looks while nothing happens: one wakeup a second.
const IDLE: Duration = Duration::from_secs(1);
/// How long after the last byte looks come as often as they may, where events are not to be relied on.
const ACTIVE: Duration = Duration::from_secs(1);
/// How long after the last byte nothing is thought to happen any more.
const SETTLED: Duration = Duration::from_secs(30);

/// Follows until a signal says to stop, then reads every file to its end, for at most `grace`. Says its status when asked, and at
/// the end.
///
/// # Errors
/// When nobody reads the output any more.
pub fn follow<W: Write>(
    tailer: &mut Tailer<W>,
    signals: &mut Signals,
    watcher: &mut Watcher,
    grace: Duration,
) -> Result<(), OutputError> {
    let ended = follow_until_stopped(tailer, signals, watcher).and_then(|()| read_to_end(tailer, grace));
    let ended = match ended {
        // The reader took nothing until the time was over.
        Err(OutputError::TimeOver) => {
            tailer.report_unread();
            Ok(())
        }
        ended => ended,
    };
    tailer.report_status();
    ended
}

fn follow_until_stopped<W: Write>(
    tailer: &mut Tailer<W>,
    signals: &mut Signals,
    watcher: &mut Watcher,
) -> Result<(), OutputError> {
    let mut looked = Instant::now();
    let mut look_now = true;
    // At the start more than once a second: a file that comes first may be rotated soon.
    let mut last_byte = looked;
    // Whether only the clock said to look, although events are relied on for all that may come.
    let mut unprompted = false;
    while !signals.is_stop_requested() {
        if signals.take_status_request() {
            tailer.report_status();
        }
        let now = Instant::now();
        if look_now || now.duration_since(looked) >= BUSY {
            tailer.look(now);
            looked = now;
            look_now = watcher.watch(tailer.directories(), tailer.open_files());
        }
        if tailer.round(now)? {
            last_byte = now;
            if unprompted && !watcher.drain() {
                watcher.note_miss();
            }
            unprompted = false;
            continue;
        }
        if look_now {
            continue;
        }
        let is_waiting = tailer.is_waiting(now);
        let between = time_between_looks(watcher.is_reliable(), is_waiting, now - last_byte);
        let left = (looked + between).saturating_duration_since(Instant::now());
        let woken = signals.wait(left, watcher.descriptor());
        unprompted = woken == Woken::ByTime && !is_waiting && watcher.is_reliable();
        if woken == Woken::ByDescriptor {
            // More may come at once, and is worth no look of its own.
            signals.wait((looked + BUSY).saturating_duration_since(Instant::now()), None);
            watcher.drain();
        }
        look_now = woken != Woken::BySignal;
    }
    Ok(())
}

/// How long to wait for an event before looking without one. `silent` is the time since the last byte.
fn time_between_looks(is_reliable: bool, is_waiting: bool, silent: Duration) -> Duration {
    match (is_reliable, is_waiting) {
        (true, false) => IDLE,
        (false, _) if silent < ACTIVE => BUSY,
        (false, false) if silent >= SETTLED => IDLE,
        (true | false, _) => WAITING,
    }
}

/// Reads until a look finds nothing new, a moment after the last that did, or until `grace` is over.
fn read_to_end<W: Write>(tailer: &mut Tailer<W>, grace: Duration) -> Result<(), OutputError> {
    let deadline = Instant::now() + grace;
    loop {
        tailer.last_look(Instant::now());
        let mut any = false;
        while Instant::now() < deadline && tailer.drain_round(Instant::now())? {
            any = true;
        }
        if Instant::now() >= deadline {
            tailer.report_unread();
            return Ok(());
        }
        if !any {
            return Ok(());
        }
        // A writer that is stopped together with us may have a last word.
        std::thread::sleep(BUSY);
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
