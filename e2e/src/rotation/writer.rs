//! A container that prints numbered lines, in a thread of its own.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;

use crate::node::framing::Runtime;
use crate::node::log::Log;

/// How fast it prints.
pub const LINES_PER_SECOND: u32 = 2_000;
/// How long the runtime takes to open a log again, in which the container waits.
const GAP: Duration = Duration::from_millis(100);
/// So often lines are written.
const TICK: Duration = Duration::from_millis(10);
/// What each line has beside its number.
const TEXT: &str = "abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz";

/// How much was written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Numbers from 0.
    pub lines: u64,
    /// Rotations.
    pub rotations: u64,
}

/// A running writer.
pub struct Writer(JoinHandle<anyhow::Result<Written>>);

impl Writer {
    /// Writes to a log for so long; the kubelet rotates it after every `rotation`.
    pub fn start(path: &Path, duration: Duration, rotation: Duration) -> anyhow::Result<Self> {
        let log = Log::create(path)?;
        Ok(Self(std::thread::spawn(move || write(log, duration, rotation))))
    }

    /// Waits for the last line.
    pub async fn written(self) -> anyhow::Result<Written> {
        tokio::task::spawn_blocking(|| self.0.join())
            .await
            .context("waiting for the writer")?
            .map_err(|_| anyhow!("the writer panicked"))?
    }
}

fn write(mut log: Log, duration: Duration, rotation: Duration) -> anyhow::Result<Written> {
    let started = Instant::now();
    let mut written = Written {
        lines: 0,
        rotations: 0,
    };
    let mut rotated = started;
    while started.elapsed() < duration {
        let due = started.elapsed().as_millis() * u128::from(LINES_PER_SECOND) / 1_000;
        let mut lines = Vec::new();
        while u128::from(written.lines) < due {
            let line = format!("{}: {TEXT}", written.lines);
            lines.extend(Runtime::Containerd.line(Timestamp::now(), "stdout", line.as_bytes()));
            written.lines += 1;
        }
        log.write(&lines)?;
        if rotated.elapsed() >= rotation {
            log.rotate(GAP)?;
            rotated = Instant::now();
            written.rotations += 1;
        }
        std::thread::sleep(TICK);
    }
    Ok(written)
}
