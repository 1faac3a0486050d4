//! Running the tailer: when to look, when to read, and how to end.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::output::OutputError;
use crate::stop::StopSignal;
use crate::tail::Tailer;

/// Time between two looks while anything is written.
const BUSY: Duration = Duration::from_millis(100);
/// Time between two looks while nothing is: four wakeups a second.
const IDLE: Duration = Duration::from_millis(250);
/// How long after the last byte the shorter time holds.
const ACTIVE: Duration = Duration::from_secs(1);

/// Follows until `stop` is requested, then reads every file to its end, for at most `grace`.
///
/// # Errors
/// When nobody reads the output any more.
pub fn follow<W: Write>(
    tailer: &mut Tailer<W>,
    stop: &mut StopSignal,
    grace: Duration,
) -> Result<(), OutputError> {
    let mut last_byte: Option<Instant> = None;
    let mut next_look = Instant::now();
    while !stop.is_requested() {
        let now = Instant::now();
        if now >= next_look {
            tailer.look(now);
            let active = last_byte.is_some_and(|at| now.duration_since(at) < ACTIVE);
            next_look = Instant::now() + if active { BUSY } else { IDLE };
        }
        if tailer.round(now)? {
            last_byte = Some(now);
            next_look = next_look.min(now + BUSY);
        } else {
            stop.wait(next_look.saturating_duration_since(Instant::now()));
        }
    }
    read_to_end(tailer, grace)
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
