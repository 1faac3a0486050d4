//! The node agent of one policy.

use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::ConfigMap;
use tributary_agents::config::AgentConfig;
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;
use tributary_crds::status::LoggingPolicyStatus;
use tributary_operator::policy::build::{self, Plan};
use tributary_operator::policy::dereference::{Identity, Inputs};
use tributary_operator::policy::validate::Accepted;

use crate::documents::Document;
use crate::error::Error;
use crate::origin::Origin;

/// The node agent of one policy.
pub struct Rendered {
    /// Where the policy is.
    pub origin: Origin,
    /// Its name.
    pub name: String,
    /// The engine.
    pub engine: Engine,
    /// What the engine needs.
    pub config: AgentConfig,
    /// The files, as the operator applies them.
    pub config_map: ConfigMap,
    /// What runs the engine, as the operator applies it.
    pub daemon_set: DaemonSet,
}

impl Rendered {
    /// Renders a policy that compiles.
    pub fn new(document: &Document, spec: &LoggingPolicySpec, streamer_image: &str) -> Result<Self, Error> {
        let broken = |problem: String| Error::Build {
            origin: document.origin(""),
            object: document.title(),
            problem,
        };
        let pipeline = compile(document.name(), spec).map_err(|error| broken(error.to_string()))?;
        let config = render(&pipeline).map_err(|error| broken(error.to_string()))?;
        let accepted = Accepted {
            agent: Some(config.clone()),
        };
        let plan = build::build(
            &inputs(document.name(), spec),
            &Ok(accepted),
            Some(streamer_image),
        )
        .map_err(|error| broken(error.to_string()))?;
        let Plan::NodeAgent(agent) = plan else {
            return Err(broken("it has a nodeAgent and no objects".to_owned()));
        };
        let build::NodeAgent {
            mut config_map,
            mut daemon_set,
        } = *agent;
        // The owner's uid is the cluster's to know.
        config_map.metadata.owner_references = None;
        daemon_set.metadata.owner_references = None;
        Ok(Self {
            origin: document.origin(""),
            name: document.name().to_owned(),
            engine: pipeline.engine,
            config,
            config_map,
            daemon_set,
        })
    }

    /// The image that runs.
    pub fn image(&self) -> &str {
        let spec = self.daemon_set.spec.as_ref();
        let containers = spec
            .and_then(|spec| spec.template.spec.as_ref())
            .map(|pod| &pod.containers);
        let agent = containers.and_then(|containers| containers.first());
        agent.and_then(|agent| agent.image.as_deref()).unwrap_or_default()
    }
}

/// A policy as the operator sees it in a cluster in which nothing else is.
fn inputs(name: &str, spec: &LoggingPolicySpec) -> Inputs {
    Inputs {
        identity: Identity {
            name: name.to_owned(),
            uid: String::new(),
            generation: 0,
        },
        spec: Ok(spec.clone()),
        previous: LoggingPolicyStatus::default(),
        secrets: std::collections::BTreeMap::new(),
        overlaps: Vec::new(),
    }
}
