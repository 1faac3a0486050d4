//! The pod's other annotations: whether to touch it at all, whom sidecars run as, whether volumes may be created.

use tributary_crds::{Reason, annotation};

use crate::explain::Finding;
use crate::pod::Pod;
use crate::user::RunAs;

/// The annotation of a static pod's mirror.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Largest user or group that Kubernetes takes.
const MAX_ID: i64 = i32::MAX as i64;

/// Longest part of a value that a message repeats, in characters.
const MAX_SHOWN: usize = 60;

/// Why a pod is left alone.
#[derive(Debug)]
pub struct LeftAlone {
    /// What is said.
    pub finding: Finding,
    /// Whether the pod may carry the result as an annotation.
    pub may_annotate: bool,
}

/// What the pod's author chose.
#[derive(Debug, Default)]
pub struct Options {
    /// `tributary.dev/run-as`
    pub run_as: Option<RunAs>,
    /// `tributary.dev/missing-volume: create`
    pub create_volumes: bool,
    /// Annotations that were not understood; the defaults hold for them.
    pub problems: Vec<Finding>,
}

/// Checks that the pod is one that sidecars can be added to.
pub fn gate(pod: &Pod<'_>) -> Result<(), LeftAlone> {
    match pod.annotation(annotation::INJECT) {
        None | Some("true") => {}
        Some("false") => {
            let message = format!("is \"false\", so {} does nothing", annotation::STREAM);
            let finding = Finding::new(
                Reason::InjectionDisabled,
                message,
                "remove one of the two annotations",
            );
            return Err(LeftAlone {
                finding: finding.about(annotation::INJECT),
                may_annotate: false,
            });
        }
        Some(other) => {
            let finding = not_understood(
                annotation::INJECT,
                other,
                "write \"false\", or remove the annotation",
            );
            return Err(LeftAlone {
                finding,
                may_annotate: true,
            });
        }
    }
    if pod.annotation(MIRROR).is_some() {
        let remedy = "add the sidecar to the static pod's manifest on the node";
        let finding = Finding::new(
            Reason::MirrorPod,
            "no admission can change a static pod's mirror",
            remedy,
        );
        return Err(LeftAlone {
            finding,
            may_annotate: false,
        });
    }
    if pod.is_windows() {
        let remedy = "let the application log to stdout";
        let finding = Finding::new(Reason::WindowsPod, "there is no sidecar for Windows", remedy);
        return Err(LeftAlone {
            finding,
            may_annotate: true,
        });
    }
    Ok(())
}

fn not_understood(key: &'static str, value: &str, remedy: &str) -> Finding {
    let shown: String = value.chars().take(MAX_SHOWN).collect();
    Finding::new(
        Reason::InvalidAnnotation,
        format!("{shown:?} is not understood"),
        remedy,
    )
    .about(key)
}

impl Options {
    /// Reads the annotations of a pod.
    pub fn read(pod: &Pod<'_>) -> Self {
        let mut options = Self::default();
        if let Some(value) = pod.annotation(annotation::RUN_AS) {
            match parse_run_as(value) {
                Ok(run_as) => options.run_as = Some(run_as),
                Err(remedy) => options
                    .problems
                    .push(not_understood(annotation::RUN_AS, value, remedy)),
            }
        }
        match pod.annotation(annotation::MISSING_VOLUME) {
            None => {}
            Some("create") => options.create_volumes = true,
            Some(other) => {
                let remedy = "write create, or remove the annotation";
                options
                    .problems
                    .push(not_understood(annotation::MISSING_VOLUME, other, remedy));
            }
        }
        options
    }
}

/// `uid[:gid]`; the error says what to write.
fn parse_run_as(value: &str) -> Result<RunAs, &'static str> {
    const SHAPE: &str = "write UID or UID:GID, such as \"1000:1000\"";
    let id = |text: &str| {
        text.parse()
            .ok()
            .filter(|id| (0..=MAX_ID).contains(id))
            .ok_or(SHAPE)
    };
    let (user, group) = match value.split_once(':') {
        Some((user, group)) => (id(user)?, Some(id(group)?)),
        None => (id(value)?, None),
    };
    if user == 0 {
        return Err("a sidecar never runs as root; write the UID of another user who may read the files");
    }
    Ok(RunAs { user, group })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_as_takes_users_and_groups_but_not_root() {
        assert_eq!(
            parse_run_as("1000"),
            Ok(RunAs {
                user: 1000,
                group: None
            })
        );
        assert_eq!(
            parse_run_as("1000:0"),
            Ok(RunAs {
                user: 1000,
                group: Some(0)
            })
        );
        assert!(parse_run_as("0:5").unwrap_err().contains("never runs as root"));
        for bad in ["", "app", "1:", ":1", "-1", "1:2:3", "2147483648", "1 "] {
            assert!(parse_run_as(bad).unwrap_err().starts_with("write UID"), "{bad}");
        }
    }
}
