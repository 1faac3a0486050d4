//! What the compiler, the renderers and admission refuse of a policy: not only the first.

use tributary_agents::{CompileError, compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;
use tributary_crds::output::{Output, Stdout};
use tributary_crds::policy::{AgentPod, AgentSidecar, NodeAgent};

use crate::lines::leading_path;

use super::problem::Problem;

/// A part of a policy that is compiled for an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// `nodeAgent`
    NodeAgent,
    /// `agentSidecar`
    AgentSidecar,
}

impl Block {
    /// Every block.
    pub const ALL: [Self; 2] = [Self::NodeAgent, Self::AgentSidecar];

    /// Its field in the policy's specification.
    pub fn field(self) -> &'static str {
        match self {
            Self::NodeAgent => "nodeAgent",
            Self::AgentSidecar => "agentSidecar",
        }
    }

    /// The engine that a policy has for it, if it has the block.
    pub fn engine(self, spec: &LoggingPolicySpec) -> Option<Engine> {
        match self {
            Self::NodeAgent => spec.node_agent.as_ref().map(|block| block.engine),
            Self::AgentSidecar => spec.agent_sidecar.as_ref().map(|block| block.engine),
        }
    }

    /// The policy with another engine for this block, and with this block alone.
    pub fn with_engine(self, spec: &LoggingPolicySpec, engine: Engine) -> LoggingPolicySpec {
        let mut spec = spec.clone();
        match self {
            Self::NodeAgent => {
                spec.agent_sidecar = None;
                spec.node_agent = spec.node_agent.map(|block| NodeAgent { engine, ..block });
            }
            Self::AgentSidecar => {
                spec.node_agent = None;
                spec.agent_sidecar = spec.agent_sidecar.map(|block| AgentSidecar { engine, ..block });
            }
        }
        spec
    }

    fn compile(self, name: &str, spec: &LoggingPolicySpec) -> Result<(), CompileError> {
        match self {
            Self::NodeAgent => render(&compile(name, spec)?).map(|_| ()),
            Self::AgentSidecar => compile_sidecar(name, spec).map(|_| ()),
        }
    }
}

/// Everything that keeps a block of a policy from being compiled, as far as it can be seen: what is refused is left out, and the rest
/// is compiled again.
pub fn problems(block: Block, name: &str, spec: &LoggingPolicySpec) -> Vec<Problem> {
    let mut rest = Rest::new(name, spec);
    let mut found = Vec::new();
    while let Err(error) = block.compile(&rest.name, &rest.spec) {
        let message = error.to_string();
        let path = leading_path(&message);
        if rest.outputs.is_empty() && path.starts_with(OUTPUTS) && !spec.outputs.is_empty() {
            // All of them have been refused. What else there is can be judged with another one.
            if rest.spec.outputs.is_empty() {
                rest.spec.outputs.push(stand_in());
                continue;
            }
            break;
        }
        let original = rest.original(path);
        found.push(Problem::new(format!("{original}{}", &message[path.len()..])));
        if !rest.leave_out(path) {
            break;
        }
    }
    found
}

/// An output that asks for nothing.
fn stand_in() -> Output {
    Output {
        name: "stand-in".to_owned(),
        stdout: Some(Stdout::default()),
        ..Output::default()
    }
}

/// What of a policy is not refused yet.
struct Rest {
    name: String,
    spec: LoggingPolicySpec,
    /// The places that the outputs had.
    outputs: Vec<usize>,
    /// The places that the processors had.
    processors: Vec<usize>,
}

const OUTPUTS: &str = "spec.outputs";
const PROCESSORS: &str = "spec.processors";

impl Rest {
    fn new(name: &str, spec: &LoggingPolicySpec) -> Self {
        Self {
            name: name.to_owned(),
            spec: spec.clone(),
            outputs: (0..spec.outputs.len()).collect(),
            processors: (0..spec.processors.len()).collect(),
        }
    }

    /// A path as it is in the whole policy.
    fn original(&self, path: &str) -> String {
        for (list, places) in [(OUTPUTS, &self.outputs), (PROCESSORS, &self.processors)] {
            if let Some((index, below)) = item(path, list)
                && let Some(place) = places.get(index)
            {
                return format!("{list}[{place}]{below}");
            }
        }
        path.to_owned()
    }

    /// Leaves out the part that a path is in. Whether there was something to leave out.
    fn leave_out(&mut self, path: &str) -> bool {
        if let Some((index, _)) = item(path, OUTPUTS).filter(|(index, _)| *index < self.outputs.len()) {
            self.outputs.remove(index);
            self.spec.outputs.remove(index);
            return true;
        }
        if let Some((index, _)) = item(path, PROCESSORS).filter(|(index, _)| *index < self.processors.len()) {
            self.processors.remove(index);
            self.spec.processors.remove(index);
            return true;
        }
        let before = (self.name.clone(), self.spec.clone());
        let is_in = |part: &str| path.starts_with(part);
        if is_in("metadata.name") {
            "policy".clone_into(&mut self.name);
        } else if is_in("spec.selector") {
            self.spec.selector = tributary_crds::policy::PodSelection::default();
        } else if let Some(block) = &mut self.spec.node_agent {
            if is_in("spec.nodeAgent.sources") {
                let all = std::mem::take(&mut block.sources);
                // Without what is refused there must still be something to collect.
                if is_in("spec.nodeAgent.sources.journald") {
                    block.sources.files = all.files;
                } else if is_in("spec.nodeAgent.sources.files") {
                    block.sources.journald = all.journald;
                }
            } else if is_in("spec.nodeAgent.pod") {
                block.pod = AgentPod::default();
            }
        }
        if let Some(block) = &mut self.spec.agent_sidecar {
            if is_in("spec.agentSidecar.bufferSize") {
                block.buffer_size = AgentSidecar::default().buffer_size;
            } else if is_in("spec.agentSidecar.resources") {
                block.resources = None;
            }
        }
        before != (self.name.clone(), self.spec.clone())
    }
}

/// The index in a list that a path leads to, and what of the path is below it.
fn item<'p>(path: &'p str, list: &str) -> Option<(usize, &'p str)> {
    let (index, below) = path.strip_prefix(list)?.strip_prefix('[')?.split_once(']')?;
    Some((index.parse().ok()?, below))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_part_is_judged_though_others_are_wrong() {
        let spec: LoggingPolicySpec = serde_json::from_value(json!({
            "selector": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Is"}]}},
            "nodeAgent": {"pod": {"resources": {"limits": {"memory": "1Mi"}}}},
            "outputs": [
                {"name": "a", "elasticsearch": {"url": "search:9200"}},
                {"name": "b", "stdout": {}},
                {"name": "b", "loki": {"url": "http://loki:3100"}},
                {"name": "c", "stdout": {}, "buffer": {"maxSize": "1Ki"}},
            ],
        }))
        .unwrap();
        let found = problems(Block::NodeAgent, "A", &spec);
        let pointers: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(
            pointers,
            [
                "/metadata/name",
                "/spec/selector/podSelector/matchExpressions/0/operator",
                "/spec/outputs/0/elasticsearch/url",
                "/spec/outputs/2/name",
                "/spec/outputs/3/buffer/maxSize",
                "/spec/nodeAgent/pod/resources/limits/memory",
            ],
            "{found:#?}"
        );
    }

    #[test]
    fn when_every_output_is_refused_nobody_says_that_there_is_none() {
        let spec = json!({
            "nodeAgent": {"pod": {"resources": {"limits": {"memory": "1Mi"}}}},
            "outputs": [{"name": "a"}, {"name": "b"}],
        });
        let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
        let of = |spec: &LoggingPolicySpec| -> Vec<String> {
            let found = problems(Block::NodeAgent, "a", spec).into_iter();
            found.map(|problem| problem.pointer).collect()
        };
        let memory = "/spec/nodeAgent/pod/resources/limits/memory";
        assert_eq!(of(&spec), ["/spec/outputs/0", "/spec/outputs/1", memory]);
        let empty = LoggingPolicySpec {
            outputs: Vec::new(),
            ..spec
        };
        assert_eq!(of(&empty), ["/spec/outputs"]);
    }
}
