//! Fluent Bit as a sidecar: it reads files of its pod.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_crds::annotation::{AGENT_CONFIG, AGENT_DATA, AGENT_SCRIPT, AbsolutePath};
use tributary_crds::auth::SecretKeyRef;

use super::{FILE, PREDICATES, SCRIPT, outputs, predicates, record, service, tail};
use crate::CompileError;
use crate::config::CONFIG_DIRECTORY;
use crate::pattern::Dialect;
use crate::pipeline::Pipeline;
use crate::sidecar::{SidecarConfig, SidecarDocument, SidecarFile, SidecarPod};
use crate::support::check_expansion;
use crate::{shipping, yaml};

/// How `glob(3)` reads patterns.
const DIALECT: Dialect = Dialect {
    special: "*?[]",
    backslash: "\\\\",
    negation: '!',
};

/// The part of the configuration that only the policy decides.
#[derive(Clone, Debug)]
pub struct Sidecar {
    policy: String,
    outputs: Vec<Value>,
    secret_env: BTreeMap<String, SecretKeyRef>,
    predicates: String,
    blocks: bool,
}

impl Sidecar {
    /// Renders what the policy decides.
    pub fn new(pipeline: &Pipeline) -> Result<Self, CompileError> {
        let (outputs, secret_env) = outputs(pipeline)?;
        Ok(Self {
            policy: pipeline.policy.clone(),
            outputs,
            secret_env,
            predicates: predicates::data(pipeline),
            blocks: super::blocks(pipeline),
        })
    }

    /// Adds what the pod decides. `memory_limit` is in bytes.
    pub fn render(&self, pod: &SidecarPod, memory_limit: u64) -> Result<SidecarConfig, CompileError> {
        let inputs = pod
            .files
            .iter()
            .enumerate()
            .map(|(at, file)| self.input(at, file, &pod.files))
            .collect::<Result<Vec<_>, _>>()?;
        let document = json!({
            // No server: the pod's ports are the application's.
            "service": service(memory_limit),
            "pipeline": {
                "inputs": inputs,
                "filters": [record::standard("shipped")],
                "outputs": self.outputs,
            },
        });
        let part = |annotation, file_name, text| SidecarDocument {
            annotation,
            file_name,
            text,
        };
        Ok(SidecarConfig {
            documents: vec![
                part(AGENT_CONFIG, FILE, yaml::write(&self.policy, FILE, &document)?),
                part(AGENT_SCRIPT, SCRIPT, include_str!("tributary.lua").to_owned()),
                part(AGENT_DATA, PREDICATES, self.data(pod)),
            ],
            args: vec![format!("--config={CONFIG_DIRECTORY}/{FILE}")],
            secret_env: self.secret_env.clone(),
            ..SidecarConfig::default()
        })
    }

    fn input(&self, at: usize, file: &SidecarFile, all: &[SidecarFile]) -> Result<Value, CompileError> {
        check(&file.path)?;
        let mut input = tail::input(&format!("file-{at}"), &format!("tail-{at}.db"), self.blocks);
        input["path"] = json!(shipping::include(file, DIALECT).join(","));
        input["exclude_path"] = json!(shipping::exclude(file, all, DIALECT).join(","));
        input["path_key"] = json!("file");
        input["tag"] = json!(format!("kube.file.{at}"));
        // Files that appear later are read from their beginning in any case.
        input["read_from_head"] = json!(if file.from_end { "off" } else { "on" });
        Ok(input)
    }

    fn data(&self, pod: &SidecarPod) -> String {
        let mut text = self.predicates.clone();
        let mut line = |cells: &[&str]| {
            let cells: Vec<String> = cells.iter().map(|cell| predicates::encode(cell)).collect();
            text.push_str(&cells.join("\t"));
            text.push('\n');
        };
        for (key, value) in &pod.labels {
            line(&["label", key, value]);
        }
        for (at, file) in pod.files.iter().enumerate() {
            line(&["file", &at.to_string(), &file.container, &shipping::shown(file)]);
        }
        text
    }
}

/// Refuses what the program would read as something else: it splits at commas, trims spaces and replaces variables.
fn check(path: &AbsolutePath) -> Result<(), CompileError> {
    let text = path.as_str();
    check_expansion("the path of a file", text)?;
    if text.contains(',') || text.ends_with(char::is_whitespace) {
        return Err(CompileError::field(
            "the path of a file",
            format!("is {text:?}, which engine FluentBit would take for several or trim"),
            "write to a file without commas and without a space at its end, or engine: OpenTelemetryCollector",
        ));
    }
    Ok(())
}
