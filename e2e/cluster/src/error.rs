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
    /// This is not Debian.
    #[error(
        "this system has no dpkg, so nothing is installed; a cluster needs what Debian packages as {packages}: use a \
         Debian machine, or an existing cluster"
    )]
    NotDebian {
        /// Debian's names of what is needed.
        packages: String,
    },
    /// Packages are missing, and this user cannot install them.
    #[error("Debian packages are missing and only root can install them: apt-get install {packages}")]
    MissingPackages {
        /// Which.
        packages: String,
    },
    /// Only root can do this.
    #[error("{doing} needs root: it makes namespaces, network links and containers")]
    NotRoot {
        /// What was being done.
        doing: &'static str,
    },
    /// No address range is left.
    #[error("{clusters} clusters run on this machine already: take one down first")]
    NoSlot {
        /// How many there can be.
        clusters: u8,
    },
    /// The machine has other plans for the addresses.
    #[error("{address} is not reached through {link}, which was made for it, but: {route}")]
    Route {
        /// The node's address.
        address: String,
        /// The link that leads to the node.
        link: String,
        /// What `ip route get` says.
        route: String,
    },
    /// A process was named that the cluster does not have.
    #[error("the cluster has no process {name}; it has {known}")]
    NoProcess {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// Something in the cluster did not become what it should be.
    #[error("{what} after {seconds} s; {hint}")]
    Late {
        /// What is not as it should be.
        what: String,
        /// How long it was waited for.
        seconds: u64,
        /// Where to look.
        hint: String,
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
    /// Elasticsearch could not be reached.
    #[error("{doing}: {source}")]
    Elasticsearch {
        /// The request.
        doing: String,
        /// Why it failed.
        source: reqwest::Error,
    },
    /// Elasticsearch refused a request.
    #[error("{doing}: {status} {answer}")]
    Refused {
        /// The request.
        doing: String,
        /// The HTTP status.
        status: u16,
        /// The body of the answer.
        answer: String,
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
