//! Messages on standard error. Few: in a pod they stand among the log lines of the container.

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a file may be missing before that is worth a message: a sidecar starts before the application that writes the file.
const MISSING: Duration = Duration::from_secs(30);
/// How long anything else may last: a file is often created first and made readable next.
const OTHER: Duration = Duration::from_secs(2);

/// Where messages go.
pub struct Reporter {
    sink: Box<dyn Write>,
}

impl Reporter {
    /// Messages go to `sink`, one line each.
    pub fn new(sink: Box<dyn Write>) -> Self {
        Self { sink }
    }

    /// Messages go nowhere.
    pub fn silent() -> Self {
        Self::new(Box::new(std::io::sink()))
    }

    /// Says `message`. Names that others chose belong in it as [`Escaped`].
    pub fn say(&mut self, message: fmt::Arguments<'_>) {
        // There is no place left to tell that standard error does not work.
        let _ = writeln!(self.sink, "tributary-streamer: {message}");
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Reporter")
    }
}

/// A name in a message: in quotes, with line breaks and terminal controls escaped.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a Path);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.0, formatter)
    }
}

/// How bad a trouble is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing there yet.
    Missing,
    /// Something is wrong.
    Wrong,
}

/// A trouble that may pass by itself: said once when it lasts, and said again when it is over.
#[derive(Debug, Default)]
pub struct Trouble {
    current: Option<Current>,
}

#[derive(Debug)]
struct Current {
    severity: Severity,
    since: Instant,
    said: bool,
}

impl Trouble {
    /// Notes that the trouble is there, and says `message` when it has lasted.
    pub fn note(
        &mut self,
        severity: Severity,
        now: Instant,
        reporter: &mut Reporter,
        message: impl FnOnce() -> String,
    ) {
        let current = match &mut self.current {
            Some(current) if current.severity == severity => current,
            slot => slot.insert(Current {
                severity,
                since: now,
                said: false,
            }),
        };
        let patience = match severity {
            Severity::Missing => MISSING,
            Severity::Wrong => OTHER,
        };
        if !current.said && now.duration_since(current.since) >= patience {
            current.said = true;
            reporter.say(format_args!("{}", message()));
        }
    }

    /// Whether something is wrong now, beyond what may only be missing yet.
    pub fn is_wrong(&self) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.severity == Severity::Wrong)
    }

    /// Notes that it is over, and says so of `what` when the trouble was said.
    pub fn clear(&mut self, reporter: &mut Reporter, what: fmt::Arguments<'_>) {
        if self.current.take().is_some_and(|current| current.said) {
            reporter.say(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_trouble_is_said_once_when_it_lasts_and_once_when_it_is_over() {
        let said = Shared::default();
        let mut reporter = Reporter::new(Box::new(said.clone()));
        let mut trouble = Trouble::default();
        let start = Instant::now();
        for seconds in [0, 10, 29, 30, 31, 100] {
            let now = start + Duration::from_secs(seconds);
            trouble.note(Severity::Missing, now, &mut reporter, || {
                format!("missing after {seconds} s")
            });
        }
        trouble.clear(&mut reporter, format_args!("found"));
        trouble.clear(&mut reporter, format_args!("found again"));
        trouble.note(Severity::Wrong, start, &mut reporter, || "too early".to_owned());
        trouble.clear(&mut reporter, format_args!("never said"));
        let said = String::from_utf8(said.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            said,
            "tributary-streamer: missing after 30 s\ntributary-streamer: found\n"
        );
    }
}
