//! Why a load could not be put on the webhook, or what was wrong with an answer.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Everything that can go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No port, thread or runtime for the stand-in of the API server.
    #[error("starting the stand-in of the API server: {0}")]
    ApiServer(io::Error),
    /// A certificate could not be made.
    #[error("making a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// TLS could not be set up.
    #[error("setting TLS up: {0}")]
    Tls(#[from] rustls::Error),
    /// The program could not be started.
    #[error("starting {program}: {source}")]
    Start {
        /// What was to run.
        program: PathBuf,
        /// Why it did not.
        source: io::Error,
    },
    /// The program is not ready.
    #[error("the webhook was not ready within {0:?}; its log is:\n{1}")]
    NotReady(Duration, String),
    /// The process could not be asked about, or asked to end.
    #[error("{doing} the webhook's process: {source}")]
    Process {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// A connection failed.
    #[error("sending a review and reading its answer: {0}")]
    Connection(#[from] io::Error),
    /// The answer is not the one that is right.
    #[error("the answer to review {uid} is wrong: {problem}")]
    WrongAnswer {
        /// Which review.
        uid: String,
        /// What is wrong with it.
        problem: String,
    },
}
