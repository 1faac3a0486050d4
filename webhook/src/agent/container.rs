//! The agent sidecar: a native sidecar with the policy's engine, and the volumes that it needs.

use k8s_openapi::api::core::v1::{
    Container as CoreContainer, DownwardAPIVolumeFile, DownwardAPIVolumeSource, EnvVar, EnvVarSource,
    Lifecycle, LifecycleHandler, ObjectFieldSelector, ResourceRequirements, SecretKeySelector, SleepAction,
    Volume as CoreVolume, VolumeMount,
};
use tributary_agents::config::CONFIG_DIRECTORY;
use tributary_agents::sidecar::SidecarConfig;

use crate::files::access::{Access, mounts, variables};
use crate::patch::PatchBuilder;
use crate::pod::{Pod, Volume, VolumeKind};
use crate::sidecar::container::native_sidecar;
use crate::sidecar::names;
use crate::sidecar::user::RunAs;

/// The agent sidecar.
#[derive(Debug)]
pub struct AgentSidecar<'s> {
    /// The container's name.
    pub name: &'s str,
    /// The agent's image.
    pub image: &'s str,
    /// What it runs with.
    pub config: &'s SidecarConfig,
    /// Where the files are; no mount is within another.
    pub files: &'s [Access],
    /// Its other volumes.
    pub volumes: &'s Volumes,
    /// Whom it runs as.
    pub user: RunAs,
    /// CPU, memory and disk; `None` leaves them to the pod's own.
    pub resources: Option<ResourceRequirements>,
    /// How long the end of the pod may take, in seconds.
    pub grace_period: i64,
}

impl AgentSidecar<'_> {
    /// The container, as an entry of `spec.initContainers`.
    pub fn container(&self) -> CoreContainer {
        let own = |name: &str, path: &str, read_only| VolumeMount {
            name: name.to_owned(),
            mount_path: path.to_owned(),
            read_only,
            ..VolumeMount::default()
        };
        let mut volume_mounts = mounts(self.files);
        volume_mounts.push(own(&self.volumes.config.name, CONFIG_DIRECTORY, Some(true)));
        volume_mounts.push(own(&self.volumes.state.name, &self.config.state_directory, None));
        CoreContainer {
            args: Some(self.config.args.clone()),
            env: Some(self.env()),
            lifecycle: self.lifecycle(),
            volume_mounts: Some(volume_mounts),
            ..native_sidecar(self.name, self.image, self.user, self.resources.clone())
        }
    }

    /// An application that ends by itself ends its pod: the agent then gets a moment to read what was written last. The API server
    /// refuses a pod in which that is longer than its grace period.
    fn lifecycle(&self) -> Option<Lifecycle> {
        let seconds = i64::from(self.config.drain_seconds).min(self.grace_period - 1);
        let wait = LifecycleHandler {
            sleep: Some(SleepAction { seconds }),
            ..LifecycleHandler::default()
        };
        (seconds > 0).then(|| Lifecycle {
            pre_stop: Some(wait),
            ..Lifecycle::default()
        })
    }

    fn env(&self) -> Vec<EnvVar> {
        let config = self.config;
        let plain = config.env.iter().map(|(name, value)| EnvVar {
            name: name.clone(),
            // Kubernetes replaces $(NAME) there, and takes two dollar signs for one.
            value: Some(value.replace('$', "$$")),
            value_from: None,
        });
        let fields = config.field_env.iter().map(|(name, field)| {
            from(
                name,
                EnvVarSource {
                    field_ref: Some(field_of_pod(field)),
                    ..EnvVarSource::default()
                },
            )
        });
        let secrets = config.secret_env.iter().map(|(name, key)| {
            let key = SecretKeySelector {
                name: key.name.clone(),
                key: key.key.clone(),
                // A Secret that is not there keeps the agent from shipping, and nothing else.
                optional: Some(true),
            };
            from(
                name,
                EnvVarSource {
                    secret_key_ref: Some(key),
                    ..EnvVarSource::default()
                },
            )
        });
        let of_files = variables(self.files);
        plain.chain(fields).chain(secrets).chain(of_files).collect()
    }
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(source),
    }
}

fn field_of_pod(path: &str) -> ObjectFieldSelector {
    ObjectFieldSelector {
        api_version: Some("v1".to_owned()),
        field_path: path.to_owned(),
    }
}

/// The volumes of an agent sidecar.
#[derive(Debug)]
pub struct Volumes {
    config: Own,
    state: Own,
}

/// A volume that is only for the agent.
#[derive(Debug)]
struct Own {
    name: String,
    declared: bool,
}

impl Volumes {
    /// Those that the pod's agent mounts already, or else names that are free or those of volumes that nobody else uses.
    pub fn of(pod: &Pod<'_>, config: &SidecarConfig) -> Self {
        let shows = |volume: &Volume<'_>| volume.shows(fields(config));
        let is_empty_dir = |volume: &Volume<'_>| volume.kind() == VolumeKind::EmptyDir;
        Self {
            config: Own::of(pod, "agent-config", CONFIG_DIRECTORY, shows),
            state: Own::of(pod, "agent-state", &config.state_directory, is_empty_dir),
        }
    }

    /// Adds those that the pod does not declare.
    pub fn add_missing(&self, config: &SidecarConfig, patch: &mut PatchBuilder<'_>) {
        if !self.config.declared {
            let items = fields(config).map(|(path, field)| DownwardAPIVolumeFile {
                path: path.to_owned(),
                field_ref: Some(field_of_pod(&field)),
                ..DownwardAPIVolumeFile::default()
            });
            patch.volume(&CoreVolume {
                name: self.config.name.clone(),
                downward_api: Some(DownwardAPIVolumeSource {
                    items: Some(items.collect()),
                    ..DownwardAPIVolumeSource::default()
                }),
                ..CoreVolume::default()
            });
        }
        if !self.state.declared {
            patch.empty_dir(&self.state.name);
        }
    }
}

/// What the configuration's volume shows: each file's name, and the path of the pod's field.
fn fields(config: &SidecarConfig) -> impl Iterator<Item = (&str, String)> {
    config.documents.iter().map(|document| {
        let field = format!("metadata.annotations['{}']", document.annotation);
        (document.file_name, field)
    })
}

impl Own {
    fn of(pod: &Pod<'_>, purpose: &'static str, path: &str, is_fit: impl Fn(&Volume<'_>) -> bool) -> Self {
        let agent = pod.all_containers().find(|c| c.container.is_agent_sidecar());
        let mounted = agent
            .into_iter()
            .flat_map(|agent| agent.container.mounts())
            .find(|mount| mount.mount_path == path)
            .map(|mount| mount.name.to_string());
        let is_usable = |name: &String| {
            let others = pod.all_containers().filter(|c| !c.container.is_agent_sidecar());
            let mut theirs = others.flat_map(|c| c.container.mounts());
            theirs.all(|mount| mount.name != *name) && pod.volume(name).is_none_or(&is_fit)
        };
        let name = mounted
            .into_iter()
            .chain(names::own_volume_candidates(purpose))
            .find(is_usable)
            .expect("candidates have no end, and a pod's volumes do");
        Self {
            declared: pod.volume(&name).is_some(),
            name,
        }
    }
}
