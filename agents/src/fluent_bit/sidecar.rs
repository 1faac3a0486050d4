//! Fluent Bit as a sidecar: it reads files of its pod.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_crds::annotation::{AGENT_CONFIG, AGENT_DATA, AGENT_SCRIPT, AbsolutePath};
use tributary_crds::auth::SecretKeyRef;

use super::{FILE, data, outputs, record, service, steps, tail};
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
    data: String,
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
            data: steps::data(pipeline)?,
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
                "filters": [record::standard()],
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
                part(AGENT_SCRIPT, data::SCRIPT, data::short_script()),
                part(AGENT_DATA, data::DATA, self.data(pod)),
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
        input["tag"] = json!(format!("pod.file.{at}"));
        // Files that appear later are read from their beginning in any case.
        input["read_from_head"] = json!(if file.from_end { "off" } else { "on" });
        Ok(input)
    }

    fn data(&self, pod: &SidecarPod) -> String {
        let mut lines = self.data.clone();
        for (key, value) in &pod.labels {
            data::add(
                &mut lines,
                &["label".to_owned(), data::text(key), data::text(value)],
            );
        }
        for (at, file) in pod.files.iter().enumerate() {
            let shown = data::text(&shipping::shown(file));
            let cells = [
                "file".to_owned(),
                at.to_string(),
                data::text(&file.container),
                shown,
            ];
            data::add(&mut lines, &cells);
        }
        lines
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
