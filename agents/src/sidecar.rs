//! The agent sidecar of one pod: what its policy decides once, and what the pod adds at its admission.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::annotation::{AGENT_CONFIG, AGENT_DATA, AGENT_SCRIPT, AbsolutePath};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::policy::{AgentSidecar, Engine};

use crate::compile::{compile_for_pods, least_memory};
use crate::config::STATE_DIRECTORY;
use crate::pipeline::Pipeline;
use crate::{CompileError, fluent_bit, otel};

/// The annotations that may carry [`SidecarDocument`]s. The webhook overwrites them and the pod's author's text with them.
pub const DOCUMENT_ANNOTATIONS: [&str; 3] = [AGENT_CONFIG, AGENT_SCRIPT, AGENT_DATA];

/// The variables of the environment that say who the pod is, and the fields that hold it.
pub const IDENTITY: [(&str, &str); 4] = [
    ("POD_NAMESPACE", "metadata.namespace"),
    ("POD_NAME", "metadata.name"),
    ("POD_UID", "metadata.uid"),
    ("K8S_NODE_NAME", "spec.nodeName"),
];

/// How long the sidecar goes on when it is asked to stop at the pod's end: a few looks at the files, the half second after
/// which a last line without its end is taken for whole, and the delivery of what was read.
const DRAIN_SECONDS: u32 = 2;

/// What a policy decides about the agent sidecars that it gives to pods.
#[derive(Clone, Debug)]
pub struct Sidecar {
    revision: String,
    memory_limit: u64,
    buffers: u64,
    template: Template,
}

#[derive(Clone, Debug)]
enum Template {
    OpenTelemetryCollector(otel::Sidecar),
    FluentBit(fluent_bit::Sidecar),
}

/// What a pod decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SidecarPod {
    /// What is shipped, in the annotation's order; not empty.
    pub files: Vec<SidecarFile>,
    /// The pod's labels at its admission, which its records carry.
    pub labels: BTreeMap<String, String>,
    /// What the sidecar's container may use, in bytes, where that is not what the policy says.
    pub memory_limit: Option<u64>,
}

/// A file, or a pattern of files, that is shipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarFile {
    /// The name of the container that writes it.
    pub container: String,
    /// Where the sidecar sees it.
    pub path: AbsolutePath,
    /// Where that container sees it, which the records say. It ends in the same file name or pattern as `path`.
    pub shown_path: AbsolutePath,
    /// Whether files that exist when the sidecar starts begin at their end: those of a volume that is older than the pod.
    pub from_end: bool,
}

/// Everything about a sidecar's container that depends on the policy's outputs, on the engine and on the pod's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SidecarConfig {
    /// What a `downwardAPI` volume shows at [`crate::config::CONFIG_DIRECTORY`]: one document for `OpenTelemetryCollector`,
    /// three for `FluentBit`.
    pub documents: Vec<SidecarDocument>,
    /// The container's arguments.
    pub args: Vec<String>,
    /// Environment variables with fixed values.
    pub env: BTreeMap<String, String>,
    /// Environment variables from fields of the pod: variable to `fieldPath`.
    pub field_env: BTreeMap<String, String>,
    /// Environment variables from keys of Secrets in the pod's namespace, all `optional`.
    pub secret_env: BTreeMap<String, SecretKeyRef>,
    /// Where an emptyDir is mounted, for positions and buffers. Without a `sizeLimit`, which would evict the pod.
    pub state_directory: String,
    /// The container's `lifecycle.preStop.sleep.seconds`. It counts from the start of the pod's end, and runs beside the end
    /// of the application.
    pub drain_seconds: u32,
}

/// One file of the agent's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidecarDocument {
    /// The pod's annotation that carries it, one of [`DOCUMENT_ANNOTATIONS`].
    pub annotation: &'static str,
    /// The file's name in [`crate::config::CONFIG_DIRECTORY`].
    pub file_name: &'static str,
    /// The value of the annotation.
    pub text: String,
}

/// Compiles what a policy says about agent sidecars; to be done once for each change of the policy.
pub fn compile_sidecar(policy_name: &str, spec: &LoggingPolicySpec) -> Result<Sidecar, CompileError> {
    let pipeline = compile_for_pods(policy_name, spec)?;
    let mut sidecar = Sidecar {
        revision: String::new(),
        memory_limit: pipeline.memory_limit,
        buffers: pipeline.outputs.iter().map(|output| output.buffer.max_size).sum(),
        template: Template::new(&pipeline)?,
    };
    let settings = spec.agent_sidecar.clone().unwrap_or_default();
    sidecar.revision = revision(&settings, &sidecar.render(&SidecarPod::sample("/log/app.log"))?);
    Ok(sidecar)
}

impl Sidecar {
    /// A hash of everything that the policy decides, of 16 hexadecimal digits. It also changes when a new version of Tributary
    /// would write another configuration.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The least memory, in bytes, with which its engine reads on.
    pub fn least_memory(&self) -> u64 {
        least_memory(self.template.engine())
    }

    /// What may wait for all outputs on the pod's disk, in bytes.
    pub fn buffers(&self) -> u64 {
        self.buffers
    }

    /// The sidecar of one pod.
    ///
    /// # Errors
    /// A file that the engine cannot be told, or too little memory.
    pub fn render(&self, pod: &SidecarPod) -> Result<SidecarConfig, CompileError> {
        let memory_limit = self.memory_limit(pod)?;
        for file in &pod.files {
            check_container(&file.container)?;
        }
        let config = match &self.template {
            Template::OpenTelemetryCollector(template) => template.render(pod, memory_limit)?,
            Template::FluentBit(template) => template.render(pod, memory_limit)?,
        };
        Ok(SidecarConfig {
            field_env: IDENTITY
                .map(|(variable, field)| (variable.to_owned(), field.to_owned()))
                .into(),
            state_directory: STATE_DIRECTORY.to_owned(),
            drain_seconds: DRAIN_SECONDS,
            ..config
        })
    }

    fn memory_limit(&self, pod: &SidecarPod) -> Result<u64, CompileError> {
        let least = self.least_memory();
        match pod.memory_limit {
            Some(limit) if limit < least => Err(CompileError::field(
                "the memory limit of the agent sidecar",
                format!("is {}Mi", limit >> 20),
                format!("give it at least {}Mi", least >> 20),
            )),
            Some(limit) => Ok(limit),
            None => Ok(self.memory_limit),
        }
    }
}

impl Template {
    fn new(pipeline: &Pipeline) -> Result<Self, CompileError> {
        Ok(match pipeline.engine {
            Engine::OpenTelemetryCollector => Self::OpenTelemetryCollector(otel::Sidecar::new(pipeline)?),
            Engine::FluentBit => Self::FluentBit(fluent_bit::Sidecar::new(pipeline)?),
            engine @ (Engine::Fluentd | Engine::Vector) => {
                return Err(CompileError::field(
                    "spec.agentSidecar.engine",
                    format!("is {}, which runs on nodes only", engine.as_str()),
                    "write engine: OpenTelemetryCollector or FluentBit",
                ));
            }
        })
    }

    fn engine(&self) -> Engine {
        match self {
            Self::OpenTelemetryCollector(_) => Engine::OpenTelemetryCollector,
            Self::FluentBit(_) => Engine::FluentBit,
        }
    }
}

/// A container's name, a DNS label. A pod is admitted before the API server has looked at its names.
fn check_container(name: &str) -> Result<(), CompileError> {
    let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=63).contains(&name.len()) && name.chars().all(valid) {
        return Ok(());
    }
    let remedy = "write lower-case letters, digits and dashes";
    Err(CompileError::field(
        "the name of a container",
        format!("is {name:?}"),
        remedy,
    ))
}

impl SidecarPod {
    /// A pod with one file, for which a configuration is written only to be hashed or judged.
    pub fn sample(path: &str) -> Self {
        let path = AbsolutePath::parse(path);
        Self {
            files: path
                .into_iter()
                .map(|path| SidecarFile {
                    container: "app".to_owned(),
                    shown_path: path.clone(),
                    path,
                    from_end: false,
                })
                .collect(),
            ..Self::default()
        }
    }
}

fn revision(settings: &AgentSidecar, config: &SidecarConfig) -> String {
    let image = settings
        .image
        .as_deref()
        .unwrap_or_else(|| settings.engine.default_image());
    let text = format!("{settings:?}\n{image}\n{config:?}");
    Sha256::digest(text)
        .iter()
        .take(8)
        .fold(String::new(), |mut digits, byte| {
            // Writing to a String cannot fail.
            let _ = write!(digits, "{byte:02x}");
            digits
        })
}
