//! The streaming sidecar: a native sidecar that prints one file, or one pattern of files, to its stdout.

use k8s_openapi::api::core::v1::{
    Capabilities, Container as CoreContainer, ResourceRequirements, SeccompProfile, SecurityContext,
    VolumeMount,
};
use serde_json::{Value, json};
use tributary_crds::annotation::AbsolutePath;

use crate::directories::ELSEWHERE;
use crate::pod::Container;
use crate::positions;
use crate::user::RunAs;
use crate::volumes::{Access, Part};

/// The program in the sidecar's image.
pub const STREAMER: &str = "/tributary-streamer";
/// One streaming sidecar.
#[derive(Debug)]
pub struct StreamingSidecar<'s> {
    /// The container's name.
    pub name: &'s str,
    /// The image with the streamer.
    pub image: &'s str,
    /// Where the file is.
    pub access: &'s Access,
    /// The volume for positions.
    pub positions: &'s str,
    /// Whom it runs as.
    pub user: RunAs,
    /// CPU, memory and disk; `None` leaves them to the pod's own.
    pub resources: Option<ResourceRequirements>,
}

impl StreamingSidecar<'_> {
    /// The container, as an entry of `spec.initContainers`. It meets the Pod Security Standard `restricted`.
    pub fn container(&self) -> Value {
        let container = CoreContainer {
            name: self.name.to_owned(),
            image: Some(self.image.to_owned()),
            // Never a reason to wait for a registry when the node has the image.
            image_pull_policy: Some("IfNotPresent".to_owned()),
            command: Some(self.command()),
            env: match &self.access.part {
                Part::SubPathExpr(_, env) if !env.is_empty() => Some(env.clone()),
                Part::SubPathExpr(..) | Part::SubPath(_) | Part::Whole => None,
            },
            resources: self.resources.clone(),
            restart_policy: Some("Always".to_owned()),
            security_context: Some(restricted(self.user)),
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(vec![mount(self.access), self.positions_mount()]),
            ..CoreContainer::default()
        };
        json!(container)
    }

    /// The command line. A volume that outlives the pod may hold files that were printed before, so those begin at their end.
    /// Each sidecar has a directory of its own for positions: the streamer names its file there after the path, and two
    /// containers may write to the same path.
    fn command(&self) -> Vec<String> {
        let checkpoint = format!("--checkpoint={}/{}", positions::MOUNT_PATH, self.name);
        let existing = self.access.outlives_pod.then(|| "--existing=end".to_owned());
        [STREAMER.to_owned(), checkpoint]
            .into_iter()
            .chain(existing)
            .chain(["--".to_owned(), escaped(&self.access.path)])
            .collect()
    }

    fn positions_mount(&self) -> VolumeMount {
        VolumeMount {
            name: self.positions.to_owned(),
            mount_path: positions::MOUNT_PATH.to_owned(),
            ..VolumeMount::default()
        }
    }
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

/// Whether a container is the sidecar for this file of the application, whatever else was changed in it since.
pub fn prints(container: &Container<'_>, path: &AbsolutePath) -> bool {
    let Some(last) = container.command.as_ref().and_then(|command| command.last()) else {
        return false;
    };
    let path = escaped(path);
    is_streaming_sidecar(container) && (*last == path || last.strip_prefix(ELSEWHERE) == Some(&path))
}

/// A path as a command line takes it: Kubernetes replaces `$(NAME)` there, and takes two dollar signs for one.
fn escaped(path: &AbsolutePath) -> String {
    path.as_str().replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(path: &str, part: Part, outlives_pod: bool) -> Value {
        let access = Access {
            volume: "logs".to_owned(),
            mount_path: "/logs".to_owned(),
            path: AbsolutePath::parse(path).unwrap(),
            part,
            outlives_pod,
            empty_dir: true,
        };
        StreamingSidecar {
            name: "stream-a",
            image: "i",
            access: &access,
            positions: "tributary-positions",
            user: RunAs::default(),
            resources: None,
        }
        .container()
    }

    #[test]
    fn meets_every_rule_of_restricted() {
        let context = &container("/logs/a", Part::Whole, false)["securityContext"];
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
        let container = container("/logs/a", Part::Whole, false);
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
        let command = container("/logs/$(HOME)-$$", Part::Whole, false)["command"].clone();
        assert_eq!(
            command,
            json!([
                "/tributary-streamer",
                "--checkpoint=/tributary-positions/stream-a",
                "--",
                "/logs/$$(HOME)-$$$$"
            ])
        );
    }

    #[test]
    fn old_files_of_a_lasting_volume_are_not_printed_again() {
        let command = container("/logs/a", Part::Whole, true)["command"].clone();
        assert_eq!(
            command,
            json!([
                "/tributary-streamer",
                "--checkpoint=/tributary-positions/stream-a",
                "--existing=end",
                "--",
                "/logs/a"
            ])
        );
    }

    #[test]
    fn writes_nowhere_but_to_its_positions() {
        assert_eq!(
            container("/logs/a", Part::Whole, false)["volumeMounts"],
            json!([
                {"name": "logs", "mountPath": "/logs", "readOnly": true},
                {"name": "tributary-positions", "mountPath": "/tributary-positions"}
            ])
        );
    }

    #[test]
    fn knows_its_own_work_again() {
        let json = container("/logs/$a", Part::SubPath("x".to_owned()), false).to_string();
        let container: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints(&container, &AbsolutePath::parse("/logs/$a").unwrap()));
        assert!(!prints(&container, &AbsolutePath::parse("/logs/b").unwrap()));
        let json = self::container("/tributary/var/run/a", Part::Whole, false).to_string();
        let elsewhere: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints(&elsewhere, &AbsolutePath::parse("/var/run/a").unwrap()));
    }
}
