//! Why nothing could be done. Each message names the file and the line, and says what to write.

use std::fmt;
use std::io;

use json_patch::PatchError;

use crate::origin::Origin;

/// Each ends the program with the exit status [`crate::UNUSABLE`], but for a closed output.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// Its name, as it was given.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Standard input was named twice.
    #[error("- (standard input) is given twice; it can be read once")]
    StdinTwice,
    /// Neither YAML nor JSON.
    #[error("{origin}: this is not {format}: {problem}")]
    Syntax {
        /// Where.
        origin: Origin,
        /// YAML or JSON.
        format: &'static str,
        /// What the parser says.
        problem: String,
    },
    /// A document that is no object of Kubernetes.
    #[error("{origin}: {problem}")]
    NoObject {
        /// Where it begins.
        origin: Origin,
        /// What it is instead, and what to write.
        problem: String,
    },
    /// A field whose value cannot be.
    #[error("{origin}: {field}: {problem}")]
    Field {
        /// Where it is.
        origin: Origin,
        /// The object, and the path in it: `Pod web: spec.containers`.
        field: String,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// One object in two places.
    #[error("{second}: {object} was given at {first} already; remove one")]
    Twice {
        /// `LoggingPolicy default`
        object: String,
        /// Where first.
        first: Origin,
        /// Where again.
        second: Origin,
    },
    /// A pod in a file of the cluster's objects.
    #[error("{origin}: {object} is in a file of --policies; give pods and workloads with -f")]
    NotForPolicies {
        /// Where.
        origin: Origin,
        /// `Pod web`
        object: String,
    },
    /// Nothing to inject into.
    #[error("there is no Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob in {0}")]
    NoPods(Files),
    /// Nothing to look at.
    #[error("there is no LoggingPolicy in {0}")]
    NoPolicies(Files),
    /// `--engine-binary` cannot be used.
    #[error("--engine-binary {program} {problem}")]
    EngineBinary {
        /// As it was given.
        program: String,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// An engine cannot be given its files.
    #[error(
        "cannot write an agent's files to a temporary directory for its engine to read: {source}; TMPDIR says where"
    )]
    Scratch {
        /// What the system says.
        source: io::Error,
    },
    /// The files cannot be written where they should go.
    #[error("cannot write {path}: {source}")]
    WriteFile {
        /// Where.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// An object cannot be made, which is a defect of Tributary.
    #[error("{origin}: {object}: {problem}; this is a defect of Tributary, please report it with the file")]
    Build {
        /// Where.
        origin: Origin,
        /// `LoggingPolicy default`
        object: String,
        /// What cannot be.
        problem: String,
    },
    /// Another namespace than the one on the command line.
    #[error(
        "{origin}: {object} is in namespace {found}, and --namespace says {asked}; leave one of them out"
    )]
    OtherNamespace {
        /// Where.
        origin: Origin,
        /// `Pod web`
        object: String,
        /// In the file.
        found: String,
        /// On the command line.
        asked: String,
    },
    /// `--streamer-image` is no image.
    #[error("--streamer-image {0:?} is no image's name; write REGISTRY/NAME:TAG")]
    Image(String),
    /// A patch that does not fit its pod, which is a defect of Tributary.
    #[error(
        "{origin}: {object} and its patch do not fit: {source}; this is a defect of Tributary, please report it with the file"
    )]
    Patch {
        /// Where.
        origin: Origin,
        /// `Pod web`
        object: String,
        /// What does not fit.
        source: PatchError,
    },
    /// A pod that YAML cannot hold.
    #[error("cannot print the result as YAML: {0}; print it with -o json")]
    Yaml(#[from] serde_saphyr::SerializeError),
    /// A pod that JSON cannot hold.
    #[error("cannot print the result as JSON: {0}; print it with -o yaml")]
    Json(#[from] serde_json::Error),
    /// The output is closed.
    #[error("cannot write the result: {0}")]
    Write(#[from] io::Error),
}

/// Names of files in a sentence.
#[derive(Debug)]
pub struct Files(pub Vec<String>);

impl fmt::Display for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
