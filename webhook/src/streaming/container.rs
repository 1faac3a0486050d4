//! The streaming sidecar: a native sidecar that prints files, or patterns of files, of one container to its stdout.

use k8s_openapi::api::core::v1::{Container as CoreContainer, ResourceRequirements, VolumeMount};
use tributary_crds::annotation::AbsolutePath;
use tributary_crds::policy::Format;

use crate::files::access::{Access, mounts, variables};
use crate::files::directories::ELSEWHERE;
use crate::pod::Container;
use crate::sidecar::container::native_sidecar;
use crate::sidecar::user::RunAs;
use crate::sidecar::{POSITIONS_DIRECTORY, STREAMER};
use crate::text::Text;

/// One streaming sidecar.
#[derive(Debug)]
pub struct StreamingSidecar<'s> {
    /// The container's name.
    pub name: &'s str,
    /// The image with the streamer.
    pub image: &'s str,
    /// The container that writes the files.
    pub application: &'s str,
    /// Where the files are; never empty, no mount within another, all from before the pod or none.
    pub files: &'s [&'s Access],
    /// Whether each line says which file it is from.
    pub combined: bool,
    /// What is printed.
    pub format: Format,
    /// Which lines belong together, as the streamer takes it.
    pub multiline: Option<&'s str>,
    /// The volume for positions.
    pub positions: &'s str,
    /// Whom it runs as.
    pub user: RunAs,
    /// CPU, memory and disk; `None` leaves them to the pod's own.
    pub resources: Option<ResourceRequirements>,
}

impl StreamingSidecar<'_> {
    /// The container, as an entry of `spec.initContainers`.
    pub fn container(&self) -> CoreContainer {
        let files = || self.files.iter().copied();
        let env = variables(files());
        let mut volume_mounts = mounts(files());
        volume_mounts.push(VolumeMount {
            name: self.positions.to_owned(),
            mount_path: POSITIONS_DIRECTORY.to_owned(),
            ..VolumeMount::default()
        });
        CoreContainer {
            command: Some(self.command()),
            env: (!env.is_empty()).then_some(env),
            volume_mounts: Some(volume_mounts),
            ..native_sidecar(self.name, self.image, self.user, self.resources.clone())
        }
    }

    /// The command line. A volume that outlives the pod may hold files that were printed before, so those begin at their end.
    /// Each sidecar has a directory of its own for positions: the streamer names its files there after the paths, and two
    /// containers may write to the same path.
    fn command(&self) -> Vec<String> {
        let mut command = vec![
            STREAMER.to_owned(),
            format!("--checkpoint={POSITIONS_DIRECTORY}/{}", self.name),
        ];
        if self.files.iter().any(|file| file.outlives_pod) {
            command.push("--existing=end".to_owned());
        }
        if self.format == Format::Json {
            command.push("--format=json".to_owned());
        } else if self.combined {
            command.push("--prefix".to_owned());
        }
        if self.combined || self.format == Format::Json {
            command.push(format!("--container={}", self.application));
            if self.files.iter().any(|file| file.is_elsewhere()) {
                command.push(format!("--strip={ELSEWHERE}"));
            }
        }
        if let Some(multiline) = self.multiline {
            command.push(format!("--multiline={}", escaped(multiline)));
        }
        command.push("--".to_owned());
        command.extend(self.files.iter().map(|file| escaped(file.path.as_str())));
        command
    }
}

/// Whether a container is the sidecar for this one file of the application, whatever else was changed in it since.
pub fn prints(container: &Container<'_>, path: &AbsolutePath) -> bool {
    let mut paths = printed(container);
    paths.next().is_some_and(|printed| is_path(printed, path)) && paths.next().is_none()
}

/// Whether a container is a sidecar for this file among others of that application.
pub fn prints_for(container: &Container<'_>, application: &str, path: &AbsolutePath) -> bool {
    let option = container
        .command
        .iter()
        .flatten()
        .find_map(|argument| argument.strip_prefix("--container="));
    option == Some(application) && printed(container).any(|printed| is_path(printed, path))
}

/// The paths on a streaming sidecar's command line.
fn printed<'c>(container: &'c Container<'_>) -> impl Iterator<Item = &'c str> {
    let command = container
        .command
        .as_deref()
        .filter(|_| container.is_streaming_sidecar());
    command
        .unwrap_or_default()
        .iter()
        .skip_while(|argument| *argument != "--")
        .skip(1)
        .map(Text::as_str)
}

fn is_path(printed: &str, path: &AbsolutePath) -> bool {
    let path = escaped(path.as_str());
    printed == path || printed.strip_prefix(ELSEWHERE) == Some(&path)
}

/// A text as a command line takes it: Kubernetes replaces `$(NAME)` there, and takes two dollar signs for one.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::files::access::Part;

    fn access(path: &str, part: Part, outlives_pod: bool) -> Access {
        Access {
            volume: "logs".to_owned(),
            mount_path: "/logs".to_owned(),
            path: AbsolutePath::parse(path).unwrap(),
            part,
            outlives_pod,
            empty_dir: true,
        }
    }

    fn sidecar<'s>(files: &'s [&'s Access]) -> StreamingSidecar<'s> {
        StreamingSidecar {
            name: "stream-a",
            image: "i",
            application: "app",
            files,
            combined: false,
            format: Format::Raw,
            multiline: None,
            positions: "tributary-positions",
            user: RunAs::default(),
            resources: None,
        }
    }

    fn container(path: &str, part: Part, outlives_pod: bool) -> Value {
        json!(sidecar(&[&access(path, part, outlives_pod)]).container())
    }

    fn command_of(container: &Value) -> Vec<&str> {
        let command = container["command"].as_array().unwrap();
        command
            .iter()
            .map(|argument| argument.as_str().unwrap())
            .collect()
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
        assert_eq!(
            command_of(&container("/logs/$(HOME)-$$", Part::Whole, false)),
            [
                "/tributary-streamer",
                "--checkpoint=/tributary-positions/stream-a",
                "--",
                "/logs/$$(HOME)-$$$$"
            ]
        );
    }

    #[test]
    fn old_files_of_a_lasting_volume_are_not_printed_again() {
        assert_eq!(
            command_of(&container("/logs/a", Part::Whole, true)),
            [
                "/tributary-streamer",
                "--checkpoint=/tributary-positions/stream-a",
                "--existing=end",
                "--",
                "/logs/a"
            ]
        );
    }

    #[test]
    fn several_files_say_which_they_are() {
        let (a, b) = (
            access("/logs/a", Part::Whole, false),
            access("/tributary/b", Part::Whole, false),
        );
        let files = [&a, &b];
        let combined = StreamingSidecar {
            combined: true,
            ..sidecar(&files)
        };
        assert_eq!(
            command_of(&json!(combined.container()))[2..],
            [
                "--prefix",
                "--container=app",
                "--strip=/tributary",
                "--",
                "/logs/a",
                "/tributary/b"
            ]
        );
        let json = StreamingSidecar {
            format: Format::Json,
            multiline: Some("/^$x/"),
            ..combined
        };
        assert_eq!(
            command_of(&json!(json.container()))[2..6],
            [
                "--format=json",
                "--container=app",
                "--strip=/tributary",
                "--multiline=/^$$x/"
            ]
        );
        assert_eq!(json.container().volume_mounts.unwrap().len(), 2);
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
        let path = |text: &str| AbsolutePath::parse(text).unwrap();
        let json = container("/logs/$a", Part::SubPath("x".to_owned()), false).to_string();
        let container: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints(&container, &path("/logs/$a")));
        assert!(!prints(&container, &path("/logs/b")));
        assert!(!prints_for(&container, "app", &path("/logs/$a")));
        let json = self::container("/tributary/var/run/a", Part::Whole, false).to_string();
        let elsewhere: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints(&elsewhere, &path("/var/run/a")));
        let (a, b) = (
            access("/logs/a", Part::Whole, false),
            access("/logs/b", Part::Whole, false),
        );
        let files = [&a, &b];
        let several = StreamingSidecar {
            combined: true,
            ..sidecar(&files)
        };
        let json = json!(several.container()).to_string();
        let several: Container<'_> = serde_json::from_str(&json).unwrap();
        assert!(prints_for(&several, "app", &path("/logs/b")));
        assert!(!prints_for(&several, "other", &path("/logs/b")));
        assert!(!prints(&several, &path("/logs/b")));
    }
}
