//! Saying what takes long.

use std::{
    future::Future,
    io::{IsTerminal as _, Write as _},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(120);
/// How often a line is printed where there is no terminal.
const LINE: Duration = Duration::from_secs(15);

/// Tells the user on stderr what is being done: a spinner on a terminal, else a line at the start, every 15 s, and at
/// the end.
#[derive(Clone, Debug)]
pub struct Progress {
    terminal: bool,
}

impl Progress {
    /// On stderr.
    pub fn stderr() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// Says one thing.
    pub fn say(&self, text: &str) {
        // Not by `eprintln!`, which a test would keep to itself; and whom would a failure to say it be told to?
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// Waits for `work` and shows `what` is being done, for how long, and how long it takes as a rule.
    pub async fn during<T>(
        &self,
        what: &str,
        expected: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> T {
        let usual = expected
            .map(|time| format!(" (about {} on two cores)", seconds(time)))
            .unwrap_or_default();
        let start = Instant::now();
        if self.terminal {
            let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner()
                .with_style(style)
                .with_message(format!("{what}{usual}"));
            bar.enable_steady_tick(TICK);
            let result = work.await;
            bar.finish_and_clear();
            self.say(&format!("{what}: {}", seconds(start.elapsed())));
            return result;
        }
        self.say(&format!("{what}{usual}"));
        tokio::pin!(work);
        loop {
            match tokio::time::timeout(LINE, &mut work).await {
                Ok(result) => {
                    self.say(&format!("{what}: {}", seconds(start.elapsed())));
                    return result;
                }
                Err(_) => self.say(&format!("{what}: {} so far{usual}", seconds(start.elapsed()))),
            }
        }
    }
}

/// For example `3 min 20 s`.
fn seconds(time: Duration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, 0..5) => format!("{:.1} s", time.as_secs_f64()),
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        for (milliseconds, text) in [
            (700, "0.7 s"),
            (59_900, "59 s"),
            (60_000, "1 min 0 s"),
            (200_000, "3 min 20 s"),
        ] {
            assert_eq!(seconds(Duration::from_millis(milliseconds)), text);
        }
    }
}
