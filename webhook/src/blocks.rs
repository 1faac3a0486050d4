//! The blocks of a policy that concern pods, compiled: one for each pattern that the webhook serves.

use tributary_agents::sidecar::{Sidecar, compile_sidecar};
use tributary_crds::annotation;
use tributary_crds::output::{OtlpProtocol, Output};
use tributary_crds::policy::{
    self, Format, Layout, LoggingPolicySpec, MissingVolume, Multiline, MultilinePreset, Position,
};

use tributary_streamer::multiline::Rules;

use crate::explain::Quoted;
use crate::image::is_image;
use crate::sidecar::resources::{QuantityError, SidecarResources};

/// A block that makes the webhook do something.
pub trait Block: Sized {
    /// Its field in the policy's specification.
    const FIELD: &'static str;
    /// What pods get by it.
    const GIVES: &'static str;
    /// The pod annotation that asks for it.
    const ANNOTATION: &'static str;

    /// This block among those of a policy.
    fn of(blocks: &Blocks) -> Option<&Result<Self, CompileError>>;
}

/// The blocks of one policy.
#[derive(Debug)]
pub struct Blocks {
    streaming: Option<Result<Streaming, CompileError>>,
    agent: Option<Result<Agent, CompileError>>,
    direct: Option<Result<Direct, CompileError>>,
}

/// What a policy's `streamingSidecar` block says.
#[derive(Clone, Debug)]
pub struct Streaming {
    /// Whether an emptyDir may be created where no volume covers a file.
    pub create_volumes: bool,
    /// One sidecar a file, or one for all of a container.
    pub layout: Layout,
    /// What is printed.
    pub format: Format,
    /// Which lines belong together, as the streamer takes it.
    pub multiline: Option<String>,
    /// The sidecar's image, if it is not the webhook's own.
    pub image: Option<String>,
    /// The sidecar's resources.
    pub resources: SidecarResources,
}

/// What a policy's `agentSidecar` block says, with its outputs.
#[derive(Clone, Debug)]
pub struct Agent {
    /// Whether an emptyDir may be created where no volume covers a file.
    pub create_volumes: bool,
    /// Where in the order of sidecars it starts.
    pub position: Position,
    /// The engine's configuration, but for the pod's files.
    pub sidecar: Sidecar,
    /// The agent's image.
    pub image: String,
    /// The agent's resources.
    pub resources: SidecarResources,
}

/// What a policy's `direct` block says.
#[derive(Clone, Debug)]
pub struct Direct {
    /// The base URL.
    pub endpoint: String,
    /// The transport.
    pub protocol: OtlpProtocol,
}

/// What would make every pod of a policy inadmissible, or its sidecars fail.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Resources that are no quantities.
    #[error("{field}.resources: {problem}")]
    Resources {
        /// The block.
        field: &'static str,
        /// What is wrong.
        problem: QuantityError,
    },
    /// An image that is none.
    #[error("{field}.image: {image} is no image; write REGISTRY/NAME:TAG")]
    Image {
        /// The block.
        field: &'static str,
        /// As it is written.
        image: String,
    },
    /// What the engine cannot be given.
    #[error(transparent)]
    Agent(#[from] tributary_agents::CompileError),
    /// A block `direct` without an address.
    #[error("direct: there is no address to push to; add direct.endpoint, or an output otlp")]
    NoEndpoint,
    /// A pattern that the streamer cannot run.
    #[error("{field}.multiline: {problem}")]
    Multiline {
        /// The block.
        field: &'static str,
        /// What is wrong and what to write.
        problem: String,
    },
}

impl Blocks {
    /// Compiles the blocks that a policy has.
    pub fn compile(policy: &str, spec: &LoggingPolicySpec) -> Self {
        Self {
            streaming: spec.streaming_sidecar.as_ref().map(Streaming::compile),
            agent: spec
                .agent_sidecar
                .as_ref()
                .map(|block| Agent::compile(policy, block, spec)),
            direct: spec
                .direct
                .as_ref()
                .map(|block| Direct::compile(block, &spec.outputs)),
        }
    }
}

impl Block for Streaming {
    const FIELD: &'static str = "streamingSidecar";
    const GIVES: &'static str = "streaming sidecars";
    const ANNOTATION: &'static str = annotation::STREAM;

    fn of(blocks: &Blocks) -> Option<&Result<Self, CompileError>> {
        blocks.streaming.as_ref()
    }
}

impl Streaming {
    fn compile(block: &policy::StreamingSidecar) -> Result<Self, CompileError> {
        let field = Self::FIELD;
        let multiline = block.multiline.as_ref().map(multiline).transpose();
        Ok(Self {
            create_volumes: block.missing_volume == MissingVolume::CreateEmptyDir,
            layout: block.layout,
            format: block.format,
            multiline: multiline.map_err(|problem| CompileError::Multiline { field, problem })?,
            image: image(field, block.image.as_deref())?,
            resources: SidecarResources::compile(block.resources.as_ref())
                .map_err(|problem| CompileError::Resources { field, problem })?,
        })
    }
}

impl Block for Agent {
    const FIELD: &'static str = "agentSidecar";
    const GIVES: &'static str = "agent sidecars";
    const ANNOTATION: &'static str = annotation::SHIP;

    fn of(blocks: &Blocks) -> Option<&Result<Self, CompileError>> {
        blocks.agent.as_ref()
    }
}

impl Agent {
    fn compile(
        policy: &str,
        block: &policy::AgentSidecar,
        spec: &LoggingPolicySpec,
    ) -> Result<Self, CompileError> {
        let field = Self::FIELD;
        let image = image(field, block.image.as_deref())?;
        Ok(Self {
            create_volumes: block.missing_volume == MissingVolume::CreateEmptyDir,
            position: block.position,
            sidecar: compile_sidecar(policy, spec)?,
            image: image.unwrap_or_else(|| block.engine.default_image().to_owned()),
            resources: SidecarResources::compile(block.resources.as_ref())
                .map_err(|problem| CompileError::Resources { field, problem })?,
        })
    }
}

impl Block for Direct {
    const FIELD: &'static str = "direct";
    const GIVES: &'static str = "direct push";
    const ANNOTATION: &'static str = annotation::DIRECT;

    fn of(blocks: &Blocks) -> Option<&Result<Self, CompileError>> {
        blocks.direct.as_ref()
    }
}

impl Direct {
    fn compile(block: &policy::Direct, outputs: &[Output]) -> Result<Self, CompileError> {
        let own = block.endpoint.as_ref().map(|endpoint| (endpoint, block.protocol));
        let otlp = outputs.iter().find_map(|output| output.otlp.as_ref());
        let (endpoint, protocol) = own
            .or_else(|| otlp.map(|otlp| (&otlp.endpoint, otlp.protocol)))
            .ok_or(CompileError::NoEndpoint)?;
        Ok(Self {
            // Kubernetes replaces $(NAME) in a variable's value, and takes two dollar signs for one.
            endpoint: endpoint.replace('$', "$$"),
            protocol,
        })
    }
}

fn image(field: &'static str, image: Option<&str>) -> Result<Option<String>, CompileError> {
    if let Some(image) = image.filter(|image| !is_image(image)) {
        let image = Quoted(image).to_string();
        return Err(CompileError::Image { field, image });
    }
    Ok(image.map(str::to_owned))
}

/// What the streamer's option `--multiline` takes; the error says what to write instead.
fn multiline(multiline: &Multiline) -> Result<String, String> {
    match (multiline.preset, &multiline.start) {
        (Some(preset), None) => Ok(preset_option(preset).to_owned()),
        (None, Some(start)) => pattern_option(start),
        (Some(_), Some(_)) | (None, None) => Err("write either preset or start".to_owned()),
    }
}

/// The value of `--multiline` for a preset.
pub fn preset_option(preset: MultilinePreset) -> &'static str {
    match preset {
        MultilinePreset::Java => "java",
        MultilinePreset::Python => "python",
        MultilinePreset::Go => "go",
        MultilinePreset::Ruby => "ruby",
    }
}

/// The value of `--multiline` for the pattern of a first line, if it is one that the streamer starts with.
pub fn pattern_option(start: &str) -> Result<String, String> {
    let option = format!("/{start}/");
    match Rules::parse(&option) {
        Ok(_) => Ok(option),
        Err(error) => Err(error.to_string()),
    }
}
