//! The streaming sidecar: a native sidecar that prints one file, or one pattern of files, to its stdout.

use k8s_openapi::api::core::v1::{
    Capabilities, Container as CoreContainer, ResourceRequirements, SeccompProfile, SecurityContext,
    VolumeMount,
};
use serde_json::{Value, json};
use tributary_crds::annotation::AbsolutePath;

use crate::pod::{Container, Pod};
use crate::volumes::{Access, Part};

/// The program in the sidecar's image.
pub const STREAMER: &str = "/tributary-streamer";
/// Whom a sidecar runs as when nothing says otherwise: the customary `nonroot` of images without a user database.
pub const DEFAULT_USER: i64 = 65_532;

/// One streaming sidecar.
#[derive(Debug)]
pub struct StreamingSidecar<'s> {
    /// The container's name.
    pub name: &'s str,
    /// The image with the streamer.
    pub image: &'s str,
    /// The file or pattern.
    pub path: &'s AbsolutePath,
    /// Where the file is.
    pub access: &'s Access,
    /// Whom it runs as.
    pub user: RunAs,
    /// CPU, memory and disk; `None` leaves them to the pod's own.
    pub resources: Option<ResourceRequirements>,
}

/// Whom a sidecar runs as, never root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunAs {
    /// The user.
    pub user: i64,
    /// The first group; `None` leaves it to the image, which is group 0.
    pub group: Option<i64>,
}

/// What is known of the application's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationUser {
    /// Not root, and known.
    Known(RunAs),
    /// Root.
    Root,
    /// Whatever its image says.
    Unknown,
}

impl StreamingSidecar<'_> {
    /// The container, as an entry of `spec.initContainers`. It meets the Pod Security Standard `restricted`.
    pub fn container(&self) -> Value {
        let container = CoreContainer {
            name: self.name.to_owned(),
            image: Some(self.image.to_owned()),
            // Never a reason to wait for a registry when the node has the image.
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(command(self.path, self.access.outlives_pod)),
            env: match &self.access.part {
                Part::SubPathExpr(_, env) if !env.is_empty() => Some(env.clone()),
                Part::SubPathExpr(..) | Part::SubPath(_) | Part::Whole => None,
            },
            resources: self.resources.clone(),
            restart_policy: Some("Always".to_owned()),
            security_context: Some(restricted(self.user)),
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(vec![mount(self.access)]),
            ..CoreContainer::default()
        };
        json!(container)
    }
}

/// The command line. A volume that outlives the pod may hold files that were printed before, so those begin at their end.
fn command(path: &AbsolutePath, outlives_pod: bool) -> Vec<String> {
    // Kubernetes replaces $(NAME) in commands; two dollar signs are one that is not looked at.
    let path = path.as_str().replace('$', "$$");
    let options: &[&str] = if outlives_pod {
        &[STREAMER, "--existing=end", "--"]
    } else {
        &[STREAMER, "--"]
    };
    options
        .iter()
        .map(|&option| option.to_owned())
        .chain([path])
        .collect()
}

fn mount(access: &Access) -> VolumeMount {
    let (sub_path, sub_path_expr) = match &access.part {
        Part::Whole => (None, None),
        Part::SubPath(part) => (Some(part.clone()), None),
        Part::SubPathExpr(expression, _) => (None, Some(expression.clone())),
    };
    VolumeMount {
        name: access.volume.clone(),
        mount_path: access.mount_path.clone(),
        sub_path,
        sub_path_expr,
        read_only: Some(true),
        ..VolumeMount::default()
    }
}

fn restricted(user: RunAs) -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            add: None,
            drop: Some(vec!["ALL".to_owned()]),
        }),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        run_as_user: Some(user.user),
        run_as_group: user.group,
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            localhost_profile: None,
        }),
        ..SecurityContext::default()
    }
}

/// Whether a container is one of ours, for any file.
pub fn is_streaming_sidecar(container: &Container<'_>) -> bool {
    let program = container.command.as_ref().and_then(|command| command.first());
    container.is_native_sidecar() && program.is_some_and(|program| program == STREAMER)
}

/// Whether a container is the sidecar for this file, whatever else was changed in it since.
pub fn prints(container: &Container<'_>, path: &AbsolutePath) -> bool {
    let last = container.command.as_ref().and_then(|command| command.last());
    is_streaming_sidecar(container) && last.is_some_and(|last| *last == path.as_str().replace('$', "$$"))
}

/// Whom the application in this container runs as, as far as the pod says.
pub fn application_user(pod: &Pod<'_>, container: &Container<'_>) -> ApplicationUser {
    let of_pod = pod.spec.security_context.as_ref();
    let own = container.security_context.as_ref();
    let user = own
        .and_then(|context| context.run_as_user)
        .or_else(|| of_pod.and_then(|context| context.run_as_user));
    let group = own
        .and_then(|context| context.run_as_group)
        .or_else(|| of_pod.and_then(|context| context.run_as_group));
    match user {
        Some(0) => ApplicationUser::Root,
        Some(user) => ApplicationUser::Known(RunAs { user, group }),
        None => ApplicationUser::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(part: Part, outlives_pod: bool) -> Access {
        Access {
            volume: "logs".to_owned(),
            mount_path: "/logs".to_owned(),
            part,
            outlives_pod,
            empty_dir: true,
        }
    }

    fn container(path: &str, access: &Access) -> Value {
        let path = AbsolutePath::parse(path).unwrap();
        let user = RunAs {
            user: DEFAULT_USER,
            group: Some(DEFAULT_USER),
        };
        StreamingSidecar {
            name: "stream-a",
            image: "i",
            path: &path,
            access,
            user,
            resources: None,
        }
        .container()
    }

    #[test]
    fn meets_every_rule_of_restricted() {
        let context = &container("/logs/a", &access(Part::Whole, false))["securityContext"];
        assert_eq!(
            *context,
            json!({
                "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "privileged": false,
                "readOnlyRootFilesystem": true, "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                "seccompProfile": {"type": "RuntimeDefault"}
            })
        );
    }

    #[test]
    fn opens_no_port_and_has_no_probe() {
        let container = container("/logs/a", &access(Part::Whole, false));
        for field in [
            "ports",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
            "env",
            "resources",
        ] {
            assert!(container.get(field).is_none(), "{field}");
        }
    }

    #[test]
    fn a_path_is_no_variable_and_no_option() {
        let command = container("/logs/$(HOME)-$$", &access(Part::Whole, false))["command"].clone();
        assert_eq!(
            command,
            json!(["/tributary-streamer", "--", "/logs/$$(HOME)-$$$$"])
        );
    }

    #[test]
    fn old_files_of_a_lasting_volume_are_not_printed_again() {
        let command = container("/logs/a", &access(Part::Whole, true))["command"].clone();
        assert_eq!(
            command,
            json!(["/tributary-streamer", "--existing=end", "--", "/logs/a"])
        );
    }

    #[test]
    fn knows_its_own_work_again() {
        let json = container("/logs/$a", &access(Part::SubPath("x".to_owned()), false)).to_string();
        let container: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints(&container, &AbsolutePath::parse("/logs/$a").unwrap()));
        assert!(!prints(&container, &AbsolutePath::parse("/logs/b").unwrap()));
    }
}
