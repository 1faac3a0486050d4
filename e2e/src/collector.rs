//! A real collector as a process of its own, without a cluster.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// How long a start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// A running collector; it ends with the value.
#[derive(Debug)]
pub struct Collector {
    child: Child,
    log: PathBuf,
}

impl Collector {
    /// Starts it with a configuration file. What it says goes to `log`.
    pub fn start(program: &Path, config: &Path, log: &Path) -> anyhow::Result<Self> {
        let output = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
        let child = Command::new(program)
            .arg("--feature-gates=stanza.synchronousLogEmitter")
            .arg("--config")
            .arg(config)
            .env("K8S_NODE_NAME", "node-1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Sends an OTLP request to the receiver at a socket, once it listens, and waits until every pipeline without a queue has taken it.
    pub fn post(&mut self, socket: &Path, request: &Value) -> anyhow::Result<()> {
        let body = request.to_string();
        let mut stream = self.connect(socket)?;
        write!(
            stream,
            "POST /v1/logs HTTP/1.0\r\nHost: collector\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .context("cannot send to the collector")?;
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .context("the collector does not answer")?;
        ensure!(
            answer
                .lines()
                .next()
                .is_some_and(|status| status.contains(" 200 ")),
            "the collector answers {answer:?}"
        );
        Ok(())
    }

    fn connect(&mut self, socket: &Path) -> anyhow::Result<UnixStream> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("the collector does not listen");
                }
                Err(_) => std::thread::sleep(POLL),
            }
            self.check()?;
        }
    }

    /// An error when it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the collector has ended ({status}): {}", self.said()),
        }
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end, and waits until it has written everything.
    pub fn stop(mut self) -> anyhow::Result<String> {
        self.check()?;
        // A child that was not waited for keeps its id, so this cannot reach another process.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM).context("cannot stop the collector")?;
        }
        self.child.wait().context("cannot wait for the collector")?;
        Ok(self.said())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Both fail only when the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
