//! What a check has found, as it is printed.

use serde::Serialize;
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;
use tributary_crds::names::AGENTS_NAMESPACE;

use super::compiling::Block;
use crate::documents::Document;
use crate::lines::dotted;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Report {
    /// In the order of the files.
    pub policies: Vec<Policy>,
}

/// What was found of one policy.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Where it begins there.
    pub line: u64,
    /// What is wrong.
    pub problems: Vec<Finding>,
    /// Whether its fields are such that the rest could be judged.
    pub is_readable: bool,
    /// What engines said.
    pub validators: Vec<Validator>,
    /// To which engines it could change, where that was asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub engines: Vec<Change>,
    /// What must be there for it to run.
    pub secrets: Vec<Secret>,
}

/// Something that is wrong.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// The file.
    pub file: String,
    /// The line of the field.
    pub line: u64,
    /// The field, `spec.outputs[0].name`; empty for the policy as a whole.
    pub field: String,
    /// What is wrong, a sentence that begins with the field.
    pub message: String,
    /// The validator that said so; absent: Tributary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Finding {
    /// Something that is wrong with the field that a JSON pointer leads to.
    pub fn new(document: &Document, pointer: &str, message: &str, by: Option<&str>) -> Self {
        let origin = document.origin(pointer);
        Self {
            file: origin.file,
            line: origin.line,
            field: dotted(pointer),
            message: message.to_owned(),
            by: by.map(str::to_owned),
        }
    }
}

/// What an engine's own validator said of one agent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Validator {
    /// `nodeAgent` or `agentSidecar`.
    pub block: &'static str,
    /// The engine.
    pub engine: Engine,
    /// The program; absent: none was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it did not judge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it should have judged and has not.
    #[serde(skip)]
    pub has_failed: bool,
}

impl Validator {
    /// Before anybody was asked.
    pub fn new(block: Block, engine: Engine) -> Self {
        Self {
            block: block.field(),
            engine,
            program: None,
            outcome: Outcome::NotFound,
            message: None,
            has_failed: false,
        }
    }
}

/// What came of asking a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// It is not on the `PATH`.
    NotFound,
    /// It accepts the files.
    Accepted,
    /// It does not; the problems say what.
    Complained,
    /// It lacks a part that the engine's image has.
    CannotJudge,
    /// It did not end, or not by itself.
    DidNotAnswer,
}

/// Whether a policy could change to an engine.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// `nodeAgent` or `agentSidecar`.
    pub block: &'static str,
    /// The engine.
    pub engine: Engine,
    /// Whether it is the one that the policy has.
    pub is_present: bool,
    /// Whether the policy could be as it is otherwise.
    pub is_possible: bool,
    /// Why not.
    pub problems: Vec<Finding>,
}

/// A key of a Secret that an agent reads.
#[derive(Debug, Serialize)]
pub struct Secret {
    /// The block whose agent reads it.
    pub block: &'static str,
    /// Where it must be; absent: in the namespace of each pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<&'static str>,
    /// Its name.
    pub name: String,
    /// The key.
    pub key: String,
}

/// What the agent of a block reads.
pub fn secrets(block: Block, spec: &LoggingPolicySpec) -> Vec<Secret> {
    let namespace = match block {
        Block::NodeAgent => Some(AGENTS_NAMESPACE),
        Block::AgentSidecar => None,
    };
    let keys = spec.secret_keys().into_iter();
    keys.map(|key| Secret {
        block: block.field(),
        namespace,
        name: key.name.clone(),
        key: key.key.clone(),
    })
    .collect()
}
