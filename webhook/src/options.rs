//! The pod's other annotations: whether to touch it at all, whom sidecars run as, whether volumes may be created.

use tributary_crds::policy::{Format, Layout, MultilinePreset, Resources};
use tributary_crds::{Reason, annotation};

use crate::asks::Asks;
use crate::blocks::{pattern_option, preset_option};
use crate::explain::Finding;
use crate::image::is_image;
use crate::pod::Pod;
use crate::sidecar::resources::SidecarResources;
use crate::sidecar::user::RunAs;

/// The annotation of a static pod's mirror.
const MIRROR: &str = "kubernetes.io/config.mirror";
/// Largest user or group that Kubernetes takes.
const MAX_ID: i64 = i32::MAX as i64;

/// Longest pattern in bytes, as in policies: it is compiled for each pod.
const MAX_PATTERN: usize = 1024;
/// Longest value of `tributary.dev/resources` in bytes: a few quantities.
const MAX_RESOURCES: usize = 1024;
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
    /// `tributary.dev/layout`
    pub layout: Option<Layout>,
    /// `tributary.dev/format`
    pub format: Option<Format>,
    /// `tributary.dev/multiline`, as the streamer takes it.
    pub multiline: Option<String>,
    /// `tributary.dev/image`
    pub image: Option<String>,
    /// `tributary.dev/resources`
    pub resources: Option<SidecarResources>,
    /// Annotations that were not understood; the policy's choices hold for them.
    pub problems: Vec<Finding>,
}

/// Checks that the pod is one that sidecars can be added to.
pub fn gate(pod: &Pod<'_>, asks: &Asks) -> Result<(), LeftAlone> {
    match pod.annotation(annotation::INJECT) {
        None | Some("true") => {}
        Some("false") => {
            let asked_by = asks.annotation();
            let message = format!("is \"false\", so {asked_by} does nothing");
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
    if pod.is_windows() && asks.needs_sidecars() {
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
        let mut problems = Vec::new();
        let mut read = Reader {
            pod,
            problems: &mut problems,
        };
        let options = Self {
            run_as: read.option(annotation::RUN_AS, parse_run_as),
            create_volumes: read.option(annotation::MISSING_VOLUME, parse_create).is_some(),
            layout: read.option(annotation::LAYOUT, parse_layout),
            format: read.option(annotation::FORMAT, parse_format),
            multiline: read.option(annotation::MULTILINE, parse_multiline),
            image: read.option(annotation::IMAGE, parse_image),
            resources: read.option(annotation::RESOURCES, parse_resources),
            problems: Vec::new(),
        };
        Self { problems, ..options }
    }
}

/// Reads annotations, and notes those that it does not understand.
struct Reader<'r> {
    pod: &'r Pod<'r>,
    problems: &'r mut Vec<Finding>,
}

impl Reader<'_> {
    /// The value of an annotation. `parse` says what to write instead of one that it does not understand.
    fn option<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.pod.annotation(key)?;
        parse(value)
            .map_err(|remedy| self.problems.push(not_understood(key, value, &remedy)))
            .ok()
    }
}

fn parse_create(value: &str) -> Result<(), String> {
    match value {
        "create" => Ok(()),
        _ => Err("write create, or remove the annotation".to_owned()),
    }
}

fn parse_layout(value: &str) -> Result<Layout, String> {
    match value {
        "PerFile" => Ok(Layout::PerFile),
        "Combined" => Ok(Layout::Combined),
        _ => Err("write PerFile or Combined, or remove the annotation".to_owned()),
    }
}

fn parse_format(value: &str) -> Result<Format, String> {
    match value {
        "Raw" => Ok(Format::Raw),
        "Json" => Ok(Format::Json),
        _ => Err("write Raw or Json, or remove the annotation".to_owned()),
    }
}

fn parse_multiline(value: &str) -> Result<String, String> {
    let preset = match value {
        "Java" => MultilinePreset::Java,
        "Python" => MultilinePreset::Python,
        "Go" => MultilinePreset::Go,
        "Ruby" => MultilinePreset::Ruby,
        pattern if pattern.len() > MAX_PATTERN => {
            return Err(format!("write a pattern of at most {MAX_PATTERN} bytes"));
        }
        pattern if pattern.starts_with('^') => return pattern_option(pattern),
        _ => {
            return Err(
                "write Java, Python, Go, Ruby, or a pattern that starts with ^, such as ^\\d{4}-".to_owned(),
            );
        }
    };
    Ok(preset_option(preset).to_owned())
}

fn parse_image(value: &str) -> Result<String, String> {
    if is_image(value) {
        Ok(value.to_owned())
    } else {
        Err("write REGISTRY/NAME:TAG, or remove the annotation".to_owned())
    }
}

fn parse_resources(value: &str) -> Result<SidecarResources, String> {
    const SHAPE: &str = r#"write JSON such as {"requests":{"cpu":"10m"},"limits":{"memory":"64Mi"}}"#;
    if value.len() > MAX_RESOURCES {
        return Err(SHAPE.to_owned());
    }
    let resources: Resources = serde_json::from_str(value).map_err(|_| SHAPE.to_owned())?;
    SidecarResources::compile(Some(&resources)).map_err(|error| error.to_string())
}

/// `uid[:gid]`; the error says what to write.
fn parse_run_as(value: &str) -> Result<RunAs, String> {
    let id = |text: &str| {
        text.parse()
            .ok()
            .filter(|id| (0..=MAX_ID).contains(id))
            .ok_or_else(|| "write UID or UID:GID, such as \"1000:1000\"".to_owned())
    };
    let (user, group) = match value.split_once(':') {
        Some((user, group)) => (id(user)?, Some(id(group)?)),
        None => (id(value)?, None),
    };
    if user == 0 {
        return Err(
            "a sidecar never runs as root; write the UID of another user who may read the files".to_owned(),
        );
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
