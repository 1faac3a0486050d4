//! The pod of a node agent.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    HostPathVolumeSource, KeyToPath, ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec,
    Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile, SecretKeySelector, SecretProjection,
    SecurityContext, Toleration, Volume, VolumeMount, VolumeProjection,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tributary_agents::config::{AgentConfig, CONFIG_DIRECTORY, HostPath, HttpEndpoint, SECRETS_DIRECTORY};
use tributary_crds::names::NODE_AGENT_SERVICE_ACCOUNT;
use tributary_crds::policy::{NodeAgent, Resources};

use super::{CONFIG_HASH, SECRET_VERSIONS, labels};
use crate::policy::dereference::SecretView;

const CONFIG_VOLUME: &str = "tributary-config";
const SECRETS_VOLUME: &str = "tributary-secrets";
/// Time to hand over what is in flight; what is not handed over stays in the buffer on the node.
const GRACE_SECONDS: i64 = 60;
/// Any user but root, for the container that only pulls an image.
const NOBODY: i64 = 65532;

/// What the pod is made from.
pub struct Template<'a> {
    /// The policy's block.
    pub block: &'a NodeAgent,
    /// The agent's image.
    pub image: &'a str,
    /// What the engine needs.
    pub agent: &'a AgentConfig,
    /// The `ConfigMap` of the files.
    pub config_map: &'a str,
    /// Its hash.
    pub config_hash: &'a str,
    /// The Secrets that the policy names.
    pub secrets: &'a BTreeMap<String, Option<SecretView>>,
    /// An image to pull before a sidecar needs it.
    pub pre_pull: Option<&'a str>,
}

/// The template of the agent's pods.
pub fn build(policy: &str, template: &Template<'_>) -> PodTemplateSpec {
    let pod = &template.block.pod;
    let mut node_selector = pod.node_selector.clone();
    node_selector
        .entry("kubernetes.io/os".to_owned())
        .or_insert_with(|| "linux".to_owned());
    let everything = Toleration {
        operator: Some("Exists".to_owned()),
        ..Toleration::default()
    };
    let spec = PodSpec {
        service_account_name: Some(NODE_AGENT_SERVICE_ACCOUNT.to_owned()),
        enable_service_links: Some(false),
        priority_class_name: Some(
            pod.priority_class_name
                .clone()
                .unwrap_or_else(|| "system-node-critical".to_owned()),
        ),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        node_selector: Some(node_selector),
        tolerations: Some(pod.tolerations.clone().unwrap_or_else(|| vec![everything])),
        image_pull_secrets: Some(pod.image_pull_secrets.clone()).filter(|list| !list.is_empty()),
        security_context: Some(PodSecurityContext {
            seccomp_profile: Some(runtime_default()),
            ..PodSecurityContext::default()
        }),
        init_containers: template.pre_pull.map(|image| vec![pre_pull(image)]),
        containers: vec![agent(template)],
        volumes: Some(volumes(template)),
        ..PodSpec::default()
    };
    let mut annotations = BTreeMap::from([(CONFIG_HASH.to_owned(), template.config_hash.to_owned())]);
    annotations.extend(secret_versions(template.secrets).map(|text| (SECRET_VERSIONS.to_owned(), text)));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(labels(policy)),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(spec),
    }
}

/// `NAME=VERSION` of each Secret.
fn secret_versions(secrets: &BTreeMap<String, Option<SecretView>>) -> Option<String> {
    let versions: Vec<String> = secrets
        .iter()
        .filter_map(|(name, view)| Some(format!("{name}={}", view.as_ref()?.resource_version)))
        .collect();
    (!versions.is_empty()).then(|| versions.join(","))
}

fn agent(template: &Template<'_>) -> Container {
    let block = template.block;
    let config = template.agent;
    Container {
        name: "agent".to_owned(),
        image: Some(template.image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        args: Some(config.args.clone()),
        env: Some(environment(config)),
        ports: Some(vec![ContainerPort {
            name: Some("metrics".to_owned()),
            container_port: i32::from(config.metrics.port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(
            block
                .pod
                .resources
                .clone()
                .map_or_else(default_resources, ResourceRequirements::from),
        ),
        // Replaying a full buffer at start takes a while; after that, a minute without an answer is a hang.
        startup_probe: Some(probe(&config.health, 2, 150)),
        liveness_probe: Some(probe(&config.health, 20, 3)),
        readiness_probe: Some(probe(&config.health, 5, 2)),
        volume_mounts: Some(mounts(config)),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        // Files of pods belong to root and are readable by root alone; no capability is needed for that.
        security_context: Some(SecurityContext {
            run_as_user: Some(0),
            run_as_group: Some(0),
            ..locked_down()
        }),
        ..Container::default()
    }
}

fn pre_pull(image: &str) -> Container {
    let quantities = |cpu: &str, memory: &str| {
        [("cpu", cpu), ("memory", memory)]
            .map(|(name, value)| (name.to_owned(), Quantity(value.to_owned())))
            .into()
    };
    Container {
        name: "pull-streamer".to_owned(),
        image: Some(image.to_owned()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["/tributary-streamer".to_owned(), "--version".to_owned()]),
        resources: Some(ResourceRequirements {
            requests: Some(quantities("5m", "16Mi")),
            limits: Some(quantities("100m", "32Mi")),
            claims: None,
        }),
        security_context: Some(SecurityContext {
            run_as_user: Some(NOBODY),
            run_as_group: Some(NOBODY),
            run_as_non_root: Some(true),
            ..locked_down()
        }),
        ..Container::default()
    }
}

fn locked_down() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            add: None,
        }),
        read_only_root_filesystem: Some(true),
        seccomp_profile: Some(runtime_default()),
        ..SecurityContext::default()
    }
}

fn runtime_default() -> SeccompProfile {
    SeccompProfile {
        type_: "RuntimeDefault".to_owned(),
        localhost_profile: None,
    }
}

/// As documented at `AgentPod::resources`.
fn default_resources() -> ResourceRequirements {
    let quantity = |name: &str, value: &str| (name.to_owned(), Quantity(value.to_owned()));
    Resources {
        requests: [quantity("cpu", "50m"), quantity("memory", "128Mi")].into(),
        limits: [quantity("memory", "512Mi")].into(),
    }
    .into()
}

fn probe(endpoint: &HttpEndpoint, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(endpoint.path.clone()),
            port: IntOrString::Int(i32::from(endpoint.port)),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

fn environment(config: &AgentConfig) -> Vec<EnvVar> {
    let field = |name: &str, path: &str| EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                api_version: Some("v1".to_owned()),
            }),
            ..EnvVarSource::default()
        }),
        value: None,
    };
    let fixed = config.env.iter().map(|(name, value)| EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        value_from: None,
    });
    let secret = config.secret_env.iter().map(|(name, key)| EnvVar {
        name: name.clone(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: key.name.clone(),
                key: key.key.clone(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
        value: None,
    });
    let node = [
        field("K8S_NODE_NAME", "spec.nodeName"),
        field("POD_IP", "status.podIP"),
    ];
    node.into_iter().chain(fixed).chain(secret).collect()
}

fn mounts(config: &AgentConfig) -> Vec<VolumeMount> {
    let mount = |name: &str, path: &str, read_only: bool| VolumeMount {
        name: name.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    };
    let secrets = (!config.secret_files.is_empty()).then(|| mount(SECRETS_VOLUME, SECRETS_DIRECTORY, true));
    let node = config
        .host_paths
        .iter()
        .map(|path| mount(&path.name, &path.mount_path, path.read_only));
    [mount(CONFIG_VOLUME, CONFIG_DIRECTORY, true)]
        .into_iter()
        .chain(secrets)
        .chain(node)
        .collect()
}

fn volumes(template: &Template<'_>) -> Vec<Volume> {
    let config = Volume {
        name: CONFIG_VOLUME.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: template.config_map.to_owned(),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let node = template.agent.host_paths.iter().map(host_path);
    [config]
        .into_iter()
        .chain(secrets(template.agent))
        .chain(node)
        .collect()
}

/// One volume with every Secret's keys as `NAME/KEY`, readable by the agent alone.
fn secrets(config: &AgentConfig) -> Option<Volume> {
    let mut items: BTreeMap<&str, Vec<KeyToPath>> = BTreeMap::new();
    for key in &config.secret_files {
        let path = format!("{}/{}", key.name, key.key);
        items.entry(&key.name).or_default().push(KeyToPath {
            key: key.key.clone(),
            path,
            mode: None,
        });
    }
    if items.is_empty() {
        return None;
    }
    let sources = items.into_iter().map(|(name, items)| VolumeProjection {
        secret: Some(SecretProjection {
            name: name.to_owned(),
            items: Some(items),
            optional: None,
        }),
        ..VolumeProjection::default()
    });
    Some(Volume {
        name: SECRETS_VOLUME.to_owned(),
        projected: Some(ProjectedVolumeSource {
            default_mode: Some(0o400),
            sources: Some(sources.collect()),
        }),
        ..Volume::default()
    })
}

fn host_path(path: &HostPath) -> Volume {
    Volume {
        name: path.name.clone(),
        host_path: Some(HostPathVolumeSource {
            path: path.host_path.clone(),
            type_: (!path.read_only).then(|| "DirectoryOrCreate".to_owned()),
        }),
        ..Volume::default()
    }
}
