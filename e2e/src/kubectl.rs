//! `kubectl`, as a user calls it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// A `kubectl` and the cluster that it talks to.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    arguments: Vec<OsString>,
}

/// What a command printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: String,
    /// Standard error: warnings of admission are here.
    pub stderr: String,
}

/// A command that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The program could not be run.
    #[error("cannot run {program}: {source}", program = program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("kubectl {arguments} failed: {stderr}")]
    Failed {
        /// The command.
        arguments: String,
        /// What it printed.
        stderr: String,
    },
}

impl Kubectl {
    /// For the cluster of a kubeconfig file.
    pub fn with_kubeconfig(program: impl Into<PathBuf>, kubeconfig: &Path) -> Self {
        Self {
            program: program.into(),
            arguments: vec!["--kubeconfig".into(), kubeconfig.into()],
        }
    }

    /// For a context of the user's own kubeconfig.
    pub fn with_context(program: impl Into<PathBuf>, context: &str) -> Self {
        Self {
            program: program.into(),
            arguments: vec!["--context".into(), context.into()],
        }
    }

    /// The command line that a person would type for this cluster.
    pub fn shown(&self) -> String {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        std::iter::once(self.program.to_string_lossy())
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs a command.
    pub async fn run(&self, arguments: &[&str]) -> Result<Output, Error> {
        self.run_with_input(arguments, "").await
    }

    /// Applies manifests given as text.
    pub async fn apply(&self, manifests: &str) -> Result<Output, Error> {
        self.run_with_input(&["apply", "-f", "-"], manifests).await
    }

    /// Has the API server do all that it would to apply manifests, admission included, and keep nothing.
    pub async fn dry_run(&self, manifests: &str) -> Result<Output, Error> {
        let arguments = ["apply", "--dry-run=server", "-o", "json", "-f", "-"];
        self.run_with_input(&arguments, manifests).await
    }

    async fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<Output, Error> {
        let start = |source| Error::Start {
            program: self.program.clone(),
            source,
        };
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that fails early closes its input; its own message says why.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
        let output = child.wait_with_output().await.map_err(start)?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        if output.status.success() {
            Ok(Output { stdout, stderr })
        } else {
            Err(Error::Failed {
                arguments: arguments.join(" "),
                stderr: stderr.trim().to_owned(),
            })
        }
    }
}
