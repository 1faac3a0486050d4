//! The streams of lines that are counted: who writes them, how many were written, how many arrived.

use std::time::{Duration, Instant};

use kube::Client;

use crate::kubectl::{self, Kubectl};
use crate::loki::{self, Source};
use crate::tally::{Numbering, Tally};

/// One stream of numbered lines.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// The logging pattern, as the table names it.
    pub pattern: &'static str,
    /// The pod's namespace.
    pub namespace: &'static str,
    /// What `kubectl exec` and `kubectl logs` call the pod: `NAME` or `deploy/NAME`.
    pub pod: &'static str,
    /// A regular expression for the pod's name at the backend.
    pub pod_pattern: &'static str,
    /// The container whose stdout carries the lines.
    pub container: &'static str,
    /// Where each line has its number.
    pub numbering: Numbering,
    /// How it is known how many lines were written.
    pub written: Written,
}

/// How it is known how many lines were written.
#[derive(Clone, Copy, Debug)]
pub enum Written {
    /// By the last line that the container has printed.
    LastPrinted,
    /// By the last line of the file that the application writes, read in the application's own container.
    LastInFile {
        /// The application's container.
        container: &'static str,
        /// The file.
        path: &'static str,
    },
    /// The application writes this many and ends.
    Exactly(u64),
}

/// Why a stream could not be counted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `kubectl` failed.
    #[error(transparent)]
    Kubectl(#[from] kubectl::Error),
    /// The backend failed.
    #[error(transparent)]
    Loki(#[from] loki::Error),
    /// The last line has no number.
    #[error("{pod} has written no numbered line yet; its last line is {line:?}")]
    NoNumber {
        /// The pod.
        pod: &'static str,
        /// The line.
        line: String,
    },
}

impl Stream {
    /// How many lines the application has written by now.
    pub async fn written(&self, kubectl: &Kubectl) -> Result<u64, Error> {
        let line = match self.written {
            Written::Exactly(lines) => return Ok(lines),
            Written::LastPrinted => {
                let arguments = [
                    "-n",
                    self.namespace,
                    "logs",
                    self.pod,
                    "-c",
                    self.container,
                    "--tail=1",
                ];
                kubectl.run(&arguments).await?.stdout
            }
            Written::LastInFile { container, path } => {
                let arguments = [
                    "-n",
                    self.namespace,
                    "exec",
                    self.pod,
                    "-c",
                    container,
                    "--",
                    "tail",
                    "-n1",
                    path,
                ];
                kubectl.run(&arguments).await?.stdout
            }
        };
        match self.numbering.number(line.trim_end()) {
            Some(last) => Ok(last + 1),
            None => Err(Error::NoNumber { pod: self.pod, line }),
        }
    }

    /// Counts what has arrived, and goes on counting until all has or `patience` is over.
    pub async fn tally(&self, client: &Client, written: u64, patience: Duration) -> Result<Tally, Error> {
        let source = Source {
            namespace: self.namespace,
            pod: self.pod_pattern,
            container: self.container,
        };
        let deadline = Instant::now() + patience;
        loop {
            let lines = loki::lines(client, &source).await?;
            let numbers = lines.iter().filter_map(|line| self.numbering.number(line));
            let tally = Tally::count(written, numbers);
            if tally.lost == 0 || Instant::now() >= deadline {
                return Ok(tally);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}
