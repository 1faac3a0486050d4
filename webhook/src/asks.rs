//! What a pod asks for: the annotations that turn a pattern on, ours and those of operators that people come from.

use tributary_crds::annotation::{self, FileSpec, MAX_FILES, parse_files};
use tributary_crds::{Reason, annotation::AnnotationError};

use crate::direct::Who;
use crate::explain::{Finding, Quoted};
use crate::files::directories::clean;
use crate::pod::Pod;

/// What a pod asks for.
#[derive(Debug)]
pub struct Asks {
    /// Files to stream, or why the annotation was not understood.
    pub stream: Option<Result<Vec<FileSpec>, Finding>>,
    /// Files to ship, or why the annotation was not understood.
    pub ship: Option<Result<Vec<FileSpec>, Finding>>,
    /// Containers that push for themselves, or why the annotation was not understood.
    pub direct: Option<Result<Who, Finding>>,
    /// Which annotation of another operator was read as ours, if one was.
    pub foreign: Option<Finding>,
}

impl Asks {
    /// Reads the annotations.
    pub fn read(pod: &Pod<'_>) -> Self {
        let mut foreign = None;
        let stream = match files(pod, annotation::STREAM) {
            Some(files) => Some(files),
            None => foreign_files(pod).map(|(key, files)| {
                foreign = Some(read_as_ours(key));
                files
            }),
        };
        Self {
            stream,
            ship: files(pod, annotation::SHIP),
            direct: pod.annotation(annotation::DIRECT).and_then(Who::parse),
            foreign,
        }
    }

    /// Whether the pod asks for nothing.
    pub fn is_empty(&self) -> bool {
        !self.needs_sidecars() && self.direct.is_none()
    }

    /// Whether it asks for what needs a sidecar.
    pub fn needs_sidecars(&self) -> bool {
        self.stream.is_some() || self.ship.is_some()
    }

    /// The annotation by which the pod asks, for what is said about all of it.
    pub fn annotation(&self) -> &'static str {
        if self.stream.is_some() {
            annotation::STREAM
        } else if self.ship.is_some() {
            annotation::SHIP
        } else {
            annotation::DIRECT
        }
    }
}

/// The files that an annotation of ours names.
fn files(pod: &Pod<'_>, key: &'static str) -> Option<Result<Vec<FileSpec>, Finding>> {
    let value = pod.annotation(key)?;
    Some(parse_files(value).map_err(|error| not_understood(key, &error)))
}

fn not_understood(key: &'static str, error: &AnnotationError) -> Finding {
    let message = format!("not understood at character {}", error.position);
    Finding::new(Reason::InvalidAnnotation, message, error.problem.to_string()).about(key)
}

fn read_as_ours(key: &'static str) -> Finding {
    let message = format!("read as {}", annotation::STREAM);
    let remedy = format!("write {} when you are done moving", annotation::STREAM);
    Finding::new(Reason::ForeignAnnotation, message, remedy).about(key)
}

/// The files that an annotation of another operator names.
fn foreign_files(pod: &Pod<'_>) -> Option<(&'static str, Result<Vec<FileSpec>, Finding>)> {
    let key = annotation::TAIL_OF_LOGGING_OPERATOR;
    if let Some(value) = pod.annotation(key) {
        return Some((
            key,
            parse_files(value).map_err(|error| not_understood(key, &error)),
        ));
    }
    let key = annotation::TAILING_SIDECAR;
    pod.annotation(key)
        .map(|value| (key, tailing_sidecar(pod, value)))
}

/// `[NAME:]VOLUME:PATH` items, separated by semicolons: the container is the one that mounts the volume there.
fn tailing_sidecar(pod: &Pod<'_>, value: &str) -> Result<Vec<FileSpec>, Finding> {
    let key = annotation::TAILING_SIDECAR;
    let items = value.split(';').map(str::trim).filter(|item| !item.is_empty());
    // One more than may be named is enough to say that there are too many.
    let ours: Vec<String> = items
        .take(MAX_FILES + 1)
        .map(|item| {
            let (before, path) = item.rsplit_once(':').unwrap_or(("", item));
            let volume = before.rsplit(':').next().unwrap_or_default();
            let writer = writer_of(pod, volume, path).ok_or_else(|| {
                let message = format!(
                    "no container mounts volume {} over {}",
                    Quoted(volume),
                    Quoted(path)
                );
                let remedy = format!("write VOLUME:PATH, or {}: [CONTAINER:]/PATH", annotation::STREAM);
                Finding::new(Reason::InvalidAnnotation, message, remedy).about(key)
            })?;
            Ok(format!("{writer}:{path}"))
        })
        .collect::<Result<_, Finding>>()?;
    parse_files(&ours.join(",")).map_err(|error| not_understood(key, &error))
}

fn writer_of<'p>(pod: &'p Pod<'_>, volume: &str, path: &str) -> Option<&'p str> {
    let covers = |mount: &crate::pod::Mount| {
        mount.name == volume && crate::files::directories::is_within(path, &clean(&mount.mount_path))
    };
    pod.all_containers()
        .find(|container| container.container.mounts().iter().any(covers))
        .map(|container| container.container.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(annotations: &str) -> Asks {
        let json = format!(
            r#"{{"metadata":{{"annotations":{annotations}}},"spec":{{"containers":[{{"name":"proxy"}},
                {{"name":"app","volumeMounts":[{{"name":"varlog","mountPath":"/var/log/"}}]}}]}}}}"#
        );
        Asks::read(&Pod::parse(&json).unwrap())
    }

    fn files(asks: Asks) -> Vec<String> {
        let file = |file: &FileSpec| format!("{}:{}", file.container.as_deref().unwrap_or("-"), file.path);
        asks.stream.unwrap().unwrap().iter().map(file).collect()
    }

    #[test]
    fn other_operators_annotations_mean_stream() {
        let tail = read(r#"{"sidecar.logging-extensions.banzaicloud.io/tail":"/var/log/a,/var/log/b"}"#);
        assert_eq!(tail.foreign.as_ref().unwrap().reason, Reason::ForeignAnnotation);
        assert_eq!(files(tail), ["-:/var/log/a", "-:/var/log/b"]);
        let tailing = read(r#"{"tailing-sidecar":"first:varlog:/var/log/a; varlog:/var/log/b;"}"#);
        assert_eq!(files(tailing), ["app:/var/log/a", "app:/var/log/b"]);
    }

    #[test]
    fn ours_wins() {
        let asks = read(r#"{"tailing-sidecar":"varlog:/var/log/a","tributary.dev/stream":"/var/log/c"}"#);
        assert!(asks.foreign.is_none());
        assert_eq!(files(asks), ["-:/var/log/c"]);
    }

    #[test]
    fn what_another_operator_would_not_understand_either_is_explained() {
        for value in ["/var/log/a", "other:/var/log/a", "varlog:/srv/a", "varlog:a"] {
            let asks = read(&format!(r#"{{"tailing-sidecar":"{value}"}}"#));
            let finding = asks.stream.unwrap().unwrap_err();
            assert_eq!(
                (finding.reason, finding.annotation),
                (Reason::InvalidAnnotation, annotation::TAILING_SIDECAR),
                "{value}"
            );
        }
    }
}
