//! The collector as a sidecar: it reads files of its pod.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tributary_crds::annotation::AGENT_CONFIG;
use tributary_crds::auth::SecretKeyRef;

use super::confmap::{text, texts};
use super::{Entry, FILE, arguments, document, environment, lines, ottl, outputs, processors, steps};
use crate::CompileError;
use crate::pattern::Dialect;
use crate::pipeline::Pipeline;
use crate::sidecar::{SidecarConfig, SidecarDocument, SidecarFile, SidecarPod};
use crate::{shipping, yaml};

/// The pipeline that all files come in by.
const ENTRY: &str = "logs/files";
const MEMORY_LIMITER: &str = "memory_limiter";
const LABELS: &str = "resource/labels";

/// How the collector reads patterns. A comma only means something between braces.
const DIALECT: Dialect = Dialect {
    special: "*?[]{}",
    // Escaped by a backslash, it is not found where nothing else of the path is a pattern.
    backslash: "[\\\\]",
    negation: '^',
};

/// The part of the configuration that only the policy decides.
#[derive(Clone, Debug)]
pub struct Sidecar {
    policy: String,
    document: Value,
    /// The operator that joins lines, where lines are joined.
    joining: Option<Value>,
    secret_env: BTreeMap<String, SecretKeyRef>,
}

impl Sidecar {
    /// Renders what the policy decides.
    pub fn new(pipeline: &Pipeline) -> Result<Self, CompileError> {
        let mut passed = vec![("transform".to_owned(), processors::identify_pod())];
        passed.extend(steps::processors(pipeline)?);
        let entry = Entry {
            pipeline: ENTRY,
            receivers: Map::new(),
            processors: passed,
        };
        let secret_env = pipeline.secrets().into_iter();
        Ok(Self {
            policy: pipeline.policy.clone(),
            document: document(pipeline, &[entry], &Map::new(), &telemetry())?,
            // A file without a name of its own is the only one of its receiver.
            joining: lines::joining(pipeline, "attributes[\"log.file.name\"]", "true"),
            secret_env: secret_env
                .map(|key| (pipeline.secret_variable(&key), key))
                .chain(pipeline.aws_environment())
                .collect(),
        })
    }

    /// Adds what the pod decides. `memory_limit` is in bytes.
    pub fn render(&self, pod: &SidecarPod, memory_limit: u64) -> Result<SidecarConfig, CompileError> {
        let mut document = self.document.clone();
        let receivers: Map<String, Value> = pod
            .files
            .iter()
            .enumerate()
            .map(|(at, file)| {
                (
                    format!("file_log/{at}"),
                    receiver(file, &pod.files, self.joining.as_ref()),
                )
            })
            .collect();
        let mut steps = vec![json!(MEMORY_LIMITER)];
        document["processors"][MEMORY_LIMITER] = processors::memory_limiter(memory_limit);
        if !pod.labels.is_empty() {
            document["processors"][LABELS] = labels(&pod.labels);
            steps.push(json!(LABELS));
        }
        let entry = &mut document["service"]["pipelines"][ENTRY];
        entry["receivers"] = receivers.keys().map(String::as_str).collect();
        if let Some(processors) = entry["processors"].as_array_mut() {
            processors.splice(0..0, steps);
        }
        document["receivers"] = Value::Object(receivers);
        Ok(SidecarConfig {
            documents: vec![SidecarDocument {
                annotation: AGENT_CONFIG,
                file_name: FILE,
                text: yaml::write(&self.policy, FILE, &document)?,
            }],
            args: arguments(),
            env: environment(memory_limit),
            secret_env: self.secret_env.clone(),
            ..SidecarConfig::default()
        })
    }
}

/// No port is listened on: the pod's ports are the application's.
fn telemetry() -> Value {
    json!({
        "logs": {"level": "info", "encoding": "json"},
        "metrics": {"level": "none"},
    })
}

fn labels(labels: &BTreeMap<String, String>) -> Value {
    let attributes: Vec<Value> = labels
        .iter()
        .map(|(key, value)| {
            json!({
                "action": "upsert",
                "key": text(&format!("{}{key}", ottl::POD_LABEL_PREFIX)),
                "value": text(value),
            })
        })
        .collect();
    json!({"attributes": attributes})
}

/// Reads one file or pattern, and what rotations make of it. Each has a receiver of its own, because a receiver takes files that
/// begin with the same text for one.
fn receiver(file: &SidecarFile, all: &[SidecarFile], joining: Option<&Value>) -> Value {
    json!({
        "include": texts(&shipping::include(file, DIALECT)),
        "exclude": texts(&shipping::exclude(file, all, DIALECT)),
        "start_at": if file.from_end { "end" } else { "beginning" },
        "include_file_path": false,
        "include_file_name": file.path.is_pattern(),
        "poll_interval": poll_interval(all.len()),
        "max_log_size": super::LONGEST_MESSAGE,
        "max_log_size_behavior": "split",
        "preserve_leading_whitespaces": true,
        "preserve_trailing_whitespaces": true,
        // A file that became shorter was truncated, by the rotation that copies.
        "on_truncate": "read_whole_file",
        "storage": "file_storage/offsets",
        "retry_on_failure": outputs::endless_retry(),
        "operators": operators(file, joining),
    })
}

/// How often each of a pod's files is looked at.
///
/// At the end of a pod that takes its time, some 100 ms are between the application's last line and the sidecar's end: with looks
/// every 100 ms, two pods of twenty lost that line, with 50 ms none. Looking at one file that often costs 1.3 % of a core, so that
/// several files are looked at less often each.
fn poll_interval(files: usize) -> String {
    format!("{}ms", (50 * files).clamp(50, 200))
}

/// Says by constants which container wrote a line to which file.
fn operators(file: &SidecarFile, joining: Option<&Value>) -> Value {
    let field = if file.shown_path.is_pattern() {
        "attributes.directory"
    } else {
        "attributes[\"log.file.path\"]"
    };
    let container = json!({
        "id": "container",
        "type": "add",
        "field": "resource[\"k8s.container.name\"]",
        "value": text(&file.container),
    });
    let path = json!({"id": "path", "type": "add", "field": field, "value": text(&shipping::shown(file))});
    joining.cloned().into_iter().chain([container, path]).collect()
}
