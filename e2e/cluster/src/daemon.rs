//! A server process with a log file.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{error::Error, keeper};

/// How many bytes of a log an error shows.
const TAIL_BYTES: u64 = 4096;
/// How often a stopping process is looked at.
const POLL: Duration = Duration::from_millis(20);

/// A child process that is killed when this value, or the whole process, goes away.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

/// A command that the kernel kills when this process ends, however it ends; `options` are further ones of `setpriv`.
pub(crate) fn tied(options: &[String], program: &Path, arguments: &[String]) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL"])
        .args(options)
        .arg("--")
        .arg(program)
        .args(arguments);
    command
}

impl Daemon {
    /// Starts a command that [`tied`] made, with its output in `log` (appended).
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Result<Self, Error> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(Error::file("opening the log", log))?;
        let errors = output.try_clone().map_err(Error::file("opening the log", log))?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = keeper::spawn(command).map_err(|source| Error::Spawn {
            program: format!("setpriv (for {name})"),
            hint: "it is part of util-linux",
            source,
        })?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// An error if the process has ended.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.not_ready(format!("ended ({status})"))),
            Err(error) => Err(self.not_ready(format!("could not be watched ({error})"))),
        }
    }

    /// The error for a server that is not as it should be.
    pub(crate) fn not_ready(&self, problem: impl Into<String>) -> Error {
        not_ready(&self.name, problem, &self.log)
    }

    /// Asks the process to end, and kills it if it has not after `patience`.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        // A child that was not waited for keeps its id, so this cannot reach another process.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            tokio::time::sleep(POLL).await;
        }
        self.kill();
    }

    /// Kills the process if it has not ended.
    pub(crate) fn kill(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The error for a server that is not as it should be, with the end of its log.
pub(crate) fn not_ready(name: &str, problem: impl Into<String>, log: &Path) -> Error {
    Error::NotReady {
        name: name.to_owned(),
        problem: problem.into(),
        log: log.to_owned(),
        tail: tail(log),
    }
}

/// The last lines of a log, whole; or why they cannot be shown.
pub(crate) fn tail(log: &Path) -> String {
    read_tail(log).unwrap_or_else(|error| format!("(cannot be read: {error})"))
}

fn read_tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let whole_lines = if start == 0 {
        &text
    } else {
        text.split_once('\n').map_or(&*text, |(_, rest)| rest)
    };
    Ok(whole_lines.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tail_shows_whole_last_lines() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let lines: Vec<String> = (0..1000).map(|number| format!("line {number}")).collect();
        std::fs::write(log.path(), lines.join("\n")).unwrap();
        let tail = tail(log.path());
        assert!(tail.ends_with("line 999"));
        assert!(tail.starts_with("line "), "{}", &tail[..20]);
        assert!(tail.len() <= 4096);
    }

    #[tokio::test]
    async fn an_ended_process_is_noticed_with_its_output() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let arguments = ["-c".to_owned(), "echo no port left; exit 3".to_owned()];
        let mut daemon = Daemon::start("shell", tied(&[], Path::new("/bin/sh"), &arguments), &log).unwrap();
        let error = loop {
            match daemon.check() {
                Ok(()) => tokio::time::sleep(POLL).await,
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("shell ended (exit status: 3)"), "{error}");
        assert!(error.contains("no port left"), "{error}");
    }

    #[tokio::test]
    async fn a_process_outlives_the_thread_that_ordered_it_but_not_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let started = log.clone();
        let mut daemon = std::thread::spawn(move || {
            Daemon::start(
                "sleep",
                tied(&[], Path::new("/bin/sleep"), &["600".to_owned()]),
                &started,
            )
            .unwrap()
        })
        .join()
        .unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        daemon.check().unwrap();
        let proc = PathBuf::from(format!("/proc/{}", daemon.child.id()));
        assert!(proc.exists());
        daemon.stop(Duration::from_secs(5)).await;
        assert!(!proc.exists());
    }
}
