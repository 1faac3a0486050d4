//! What can go wrong between this machine and a running cluster.

use std::{io, path::PathBuf};

/// An error of this crate: what was being done, to what, and where to look next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory could not be read, written or locked.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done, for example `writing`.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program could not be started at all.
    #[error("starting {program}: {source}; {hint}")]
    Spawn {
        /// The program as it was called.
        program: String,
        /// What to do about it.
        hint: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A program ran and reported failure.
    #[error("{doing} failed ({status}):\n{output}")]
    Command {
        /// What the program was for.
        doing: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// A server ended, or did not answer in time.
    #[error("{name} {problem}; its log is {}, and ends:\n{tail}", log.display())]
    NotReady {
        /// The server.
        name: String,
        /// What was seen instead of a ready server.
        problem: String,
        /// The server's log.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// There is no directory for built programs.
    #[error(
        "no directory to keep built programs in: set TRIBUTARY_CACHE, XDG_CACHE_HOME or HOME to a writable directory"
    )]
    NoCache,
    /// A certificate could not be made.
    #[error("making the certificate of {subject}: {source}")]
    Certificate {
        /// The common name.
        subject: String,
        /// Why it failed.
        source: rcgen::Error,
    },
    /// The API server could not be reached, or refused a request that the harness itself makes.
    #[error("{doing}: {source}")]
    Api {
        /// What was asked for.
        doing: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A client configuration could not be used.
    #[error("reading the client configuration of {user}: {source}")]
    Kubeconfig {
        /// Who the client would be.
        user: String,
        /// Why it failed.
        source: Box<kube::config::KubeconfigError>,
    },
}

impl Error {
    /// For `map_err` after an operation on a file.
    pub(crate) fn file(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { doing, path, source }
    }

    /// For `map_err` after a request to the API server.
    pub(crate) fn api(doing: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Api {
            doing,
            source: Box::new(source),
        }
    }
}
