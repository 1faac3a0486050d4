//! Everything that can go wrong at the operator's edges.

use std::net::SocketAddr;

use kube::core::Status;

/// What was being done, to what, and why it failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A read from the API server failed.
    #[error("cannot read {object}: {source}")]
    Read {
        /// Kind, namespace and name.
        object: String,
        /// What the client says.
        source: Box<kube::Error>,
    },
    /// A write to the API server failed.
    #[error("cannot write {object}: {source}")]
    Write {
        /// Kind, namespace and name.
        object: String,
        /// What the client says.
        source: Box<kube::Error>,
    },
    /// A deletion failed.
    #[error("cannot delete {object}: {source}")]
    Delete {
        /// Kind, namespace and name.
        object: String,
        /// What the client says.
        source: Box<kube::Error>,
    },
    /// A request could not be put together.
    #[error("cannot build the request for {object}: {source}")]
    Request {
        /// What was to be read.
        object: String,
        /// What the client says.
        source: kube::core::request::Error,
    },
    /// A list was cut off, or is none.
    #[error("cannot read {object}: the answer breaks off or cannot be understood: {source}")]
    Broken {
        /// What was being read.
        object: String,
        /// What went wrong.
        source: std::io::Error,
    },
    /// An object could not be turned into JSON, which its hash or a patch needs.
    #[error("cannot turn {object} into JSON: {source}")]
    Json {
        /// Kind and name.
        object: String,
        /// What the serializer says.
        source: serde_json::Error,
    },
    /// A key or certificate could not be made.
    #[error("cannot make the webhook's {what}: {source}")]
    Mint {
        /// `certificate authority` or `certificate`.
        what: &'static str,
        /// What the generator says.
        source: rcgen::Error,
    },
    /// Another operator holds the Lease, or the API server was away for too long.
    #[error(
        "leadership was lost; the process ends so that two operators never write at once, and is started again"
    )]
    LeadershipLost,
    /// The watch on policies ended, which it never does while the process runs.
    #[error("the controller of LoggingPolicy ended by itself; the process ends and is started again")]
    ControllerEnded,
    /// The server of health and metrics ended, which it never does before it is told to.
    #[error("the admin server ended by itself; the process ends and is started again")]
    AdminEnded,
    /// The admin port could not be opened.
    #[error("cannot listen on {address} (--admin-listen): {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The admin server stopped.
    #[error("cannot serve health and metrics: {0}")]
    Serve(std::io::Error),
    /// Neither a cluster's service account nor a kubeconfig was found.
    #[error("cannot find the API server: {0}; run in a cluster or set KUBECONFIG")]
    Connect(Box<kube::Error>),
    /// The handler of SIGTERM could not be installed.
    #[error("cannot listen for signals: {0}")]
    Signal(std::io::Error),
}

impl Error {
    /// Wraps a failed read of `object`.
    pub fn read(object: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let object = object.into();
        move |source| Self::Read {
            object,
            source: Box::new(source),
        }
    }

    /// Wraps a failed write of `object`.
    pub fn write(object: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let object = object.into();
        move |source| Self::Write {
            object,
            source: Box::new(source),
        }
    }

    /// Wraps a failed deletion of `object`.
    pub fn delete(object: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let object = object.into();
        move |source| Self::Delete {
            object,
            source: Box::new(source),
        }
    }

    /// A word for metrics, from a short fixed list.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Read { .. } | Self::Request { .. } | Self::Broken { .. } => "read",
            Self::Write { .. } | Self::Json { .. } => "write",
            Self::Delete { .. } => "delete",
            Self::Mint { .. } => "certificate",
            Self::LeadershipLost => "leadership",
            Self::ControllerEnded
            | Self::AdminEnded
            | Self::Listen { .. }
            | Self::Serve(_)
            | Self::Connect(_)
            | Self::Signal(_) => "process",
        }
    }

    /// The answer with which the API server refused a write for good: a quota, an admission policy, an invalid object.
    ///
    /// `None` for what passes by itself: conflicts, overload, network trouble, and everything that is no write.
    pub fn refusal(&self) -> Option<&Status> {
        let Self::Write { source, .. } = self else {
            return None;
        };
        let kube::Error::Api(status) = source.as_ref() else {
            return None;
        };
        matches!(status.code, 400 | 403 | 422).then_some(status)
    }
}
