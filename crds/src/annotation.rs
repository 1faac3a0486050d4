//! The pod annotations and their grammar.

use std::fmt;

/// `[container:]/path-or-glob[,...]`: streaming sidecars for these files.
pub const STREAM: &str = "tributary.dev/stream";
/// The same grammar: an agent sidecar ships these files to the policy's outputs.
pub const SHIP: &str = "tributary.dev/ship";
/// `"true"`, or names of containers: the application pushes its telemetry for itself.
pub const DIRECT: &str = "tributary.dev/direct";
/// The name of the policy to use; it must select the pod.
pub const POLICY: &str = "tributary.dev/policy";
/// `create`: mount an emptyDir at the file's directory when no volume covers it.
pub const MISSING_VOLUME: &str = "tributary.dev/missing-volume";
/// `uid[:gid]` for the sidecar.
pub const RUN_AS: &str = "tributary.dev/run-as";
/// `PerFile` or `Combined`, in place of the policy's `streamingSidecar.layout`.
pub const LAYOUT: &str = "tributary.dev/layout";
/// `Raw` or `Json`, in place of the policy's `streamingSidecar.format`.
pub const FORMAT: &str = "tributary.dev/format";
/// `Java`, `Python`, `Go`, `Ruby`, or a regular expression that begins with `^`: in place of the policy's `streamingSidecar.multiline`.
pub const MULTILINE: &str = "tributary.dev/multiline";
/// JSON as in `resources` of a container: in place of the resources of the policy's block.
pub const RESOURCES: &str = "tributary.dev/resources";
/// The image of the sidecars, in place of the one of the policy's block.
pub const IMAGE: &str = "tributary.dev/image";
/// `"false"`: leave this pod alone.
pub const INJECT: &str = "tributary.dev/inject";
/// Written by the webhook: JSON, what was done per file and why not.
pub const RESULT: &str = "tributary.dev/result";
/// Written by the webhook: the configuration of the pod's agent sidecar, which a `downwardAPI` volume shows to it.
pub const AGENT_CONFIG: &str = "tributary.dev/agent-config";
/// Written by the webhook beside [`AGENT_CONFIG`]: the script of an engine that has one.
pub const AGENT_SCRIPT: &str = "tributary.dev/agent-script";
/// Written by the webhook beside [`AGENT_CONFIG`]: the data of that script.
pub const AGENT_DATA: &str = "tributary.dev/agent-data";
/// The logging operator's annotation for the same thing as [`STREAM`]: paths, separated by commas.
pub const TAIL_OF_LOGGING_OPERATOR: &str = "sidecar.logging-extensions.banzaicloud.io/tail";
/// The tailing sidecar operator's annotation for the same thing as [`STREAM`]: `[NAME:]VOLUME:PATH` items, separated by semicolons.
pub const TAILING_SIDECAR: &str = "tailing-sidecar";

/// Most files that one annotation may name: each is a container.
pub const MAX_FILES: usize = 16;
/// Longest path that is taken, in bytes (Linux' `PATH_MAX` less the terminating zero).
pub const MAX_PATH: usize = 4095;
/// Longest part of what is no container's name that a message repeats, in characters.
const MAX_SHOWN: usize = 100;

/// One file, or pattern of files, whose lines are to be printed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileSpec {
    /// The container that writes it; `None` stands for the pod's default container: the one that
    /// `kubectl.kubernetes.io/default-container` names, else the first.
    pub container: Option<String>,
    /// The file's path as that container sees it.
    pub path: AbsolutePath,
}

/// An absolute path without `.`, `..`, empty components or control characters. The last component may hold the wildcards
/// `*`, `?` and `[...]`; the directories before it may not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AbsolutePath(String);

/// What is wrong with an annotation, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("character {position}: {problem}")]
pub struct AnnotationError {
    /// The character that the problem starts at, counted from 1.
    pub position: usize,
    /// What is wrong and what to write.
    pub problem: PathProblem,
}

/// What is wrong with one item.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathProblem {
    /// Nothing between two commas, or nothing at all.
    #[error("nothing here; write a path such as /var/log/app.log")]
    Empty,
    /// Not starting with `/`.
    #[error("{0:?} is not absolute; write a path that starts with /")]
    Relative(String),
    /// A component `..` or `.`.
    #[error("{0:?} holds a . or .. component; write the path that it leads to")]
    DotComponent(String),
    /// Nothing but a directory.
    #[error("{0:?} is a directory; name the file, or a pattern such as {0}*.log")]
    Directory(String),
    /// A wildcard in a directory.
    #[error("{0:?} has a wildcard in a directory; only the file name may have one")]
    WildcardDirectory(String),
    /// A control character.
    #[error("{0:?} holds a control character")]
    ControlCharacter(String),
    /// Longer than [`MAX_PATH`].
    #[error("the path is longer than 4095 bytes")]
    TooLong,
    /// Not the name of a container.
    #[error("{0:?} is not a container's name; write CONTAINER:/PATH")]
    ContainerName(String),
    /// The same file twice.
    #[error("{0:?} is named twice; remove one")]
    Duplicate(String),
    /// More than [`MAX_FILES`].
    #[error("more than 16 files; use a pattern such as /var/log/app/*.log")]
    TooMany,
}

impl AbsolutePath {
    /// Checks a path.
    pub fn parse(text: &str) -> Result<Self, PathProblem> {
        let shown = || text.to_owned();
        if text.len() > MAX_PATH {
            return Err(PathProblem::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PathProblem::ControlCharacter(shown()));
        }
        let Some(inner) = text.strip_prefix('/') else {
            return Err(PathProblem::Relative(shown()));
        };
        if inner.is_empty() || inner.ends_with('/') {
            return Err(PathProblem::Directory(shown()));
        }
        let components: Vec<&str> = inner
            .split('/')
            .filter(|component| !component.is_empty())
            .collect();
        if components
            .iter()
            .any(|component| matches!(*component, "." | ".."))
        {
            return Err(PathProblem::DotComponent(shown()));
        }
        let directories = components.len().saturating_sub(1);
        if components
            .iter()
            .take(directories)
            .any(|component| has_wildcard(component))
        {
            return Err(PathProblem::WildcardDirectory(shown()));
        }
        Ok(Self(format!("/{}", components.join("/"))))
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that holds the file: `/` or a path without a trailing slash.
    pub fn directory(&self) -> &str {
        match self.0.rfind('/') {
            Some(0) | None => "/",
            Some(end) => &self.0[..end],
        }
    }

    /// The same path below another directory, as one sees it who mounts things elsewhere. `directory` is empty, or an absolute
    /// path without a trailing slash.
    #[must_use]
    pub fn below(&self, directory: &str) -> Self {
        Self(format!("{directory}{}", self.0))
    }

    /// The same file name at a path that somebody else chose. `path` is absolute and ends in this path's file name.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        debug_assert!(path.ends_with(self.file_name()), "{path} is not of {self}");
        Self(path.to_owned())
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// Whether the last component is a pattern.
    pub fn is_pattern(&self) -> bool {
        has_wildcard(self.file_name())
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn has_wildcard(component: &str) -> bool {
    component.contains(['*', '?', '['])
}

/// Reads the value of [`STREAM`]: `[container:]/path-or-glob` items separated by commas, with white space around them.
///
/// # Errors
/// The first problem, with the position of the item that has it.
pub fn parse_files(value: &str) -> Result<Vec<FileSpec>, AnnotationError> {
    let mut files: Vec<FileSpec> = Vec::new();
    let mut position = 1;
    for raw in value.split(',') {
        let lead = raw.chars().take_while(|c| c.is_whitespace()).count();
        let at = |problem| AnnotationError {
            position: position + lead,
            problem,
        };
        let file = parse_file(raw.trim()).map_err(at)?;
        if files.contains(&file) {
            return Err(at(PathProblem::Duplicate(file.path.as_str().to_owned())));
        }
        if files.len() == MAX_FILES {
            return Err(at(PathProblem::TooMany));
        }
        files.push(file);
        position += raw.chars().count() + 1;
    }
    Ok(files)
}

fn parse_file(item: &str) -> Result<FileSpec, PathProblem> {
    if item.is_empty() {
        return Err(PathProblem::Empty);
    }
    // A colon after the first slash belongs to the path.
    let (container, path) = match item.split_once(':') {
        Some((name, path)) if !name.contains('/') => (Some(name), path),
        _ => (None, item),
    };
    if let Some(name) = container.filter(|name| !is_container_name(name)) {
        let shown: String = name.chars().take(MAX_SHOWN).collect();
        return Err(PathProblem::ContainerName(shown));
    }
    Ok(FileSpec {
        container: container.map(str::to_owned),
        path: AbsolutePath::parse(path)?,
    })
}

/// Whether this is a DNS label (RFC 1123), as the API server asks of a container's name.
pub fn is_container_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 63
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(value: &str) -> String {
        parse_files(value).unwrap_err().to_string()
    }

    #[test]
    fn reads_files_containers_and_patterns() {
        let files = parse_files("/var/log/1.log, app:/var/log//app/*.log").unwrap();
        assert_eq!(files[0].container, None);
        assert_eq!(files[0].path.as_str(), "/var/log/1.log");
        assert_eq!(files[1].container.as_deref(), Some("app"));
        assert_eq!(files[1].path.as_str(), "/var/log/app/*.log");
        assert!(files[1].path.is_pattern());
        assert_eq!(files[1].path.directory(), "/var/log/app");
    }

    #[test]
    fn a_colon_after_a_slash_belongs_to_the_path() {
        let files = parse_files("/var/log/a:b.log").unwrap();
        assert_eq!(
            (files[0].container.clone(), files[0].path.as_str()),
            (None, "/var/log/a:b.log")
        );
    }

    #[test]
    fn errors_say_where_and_what_to_write() {
        assert_eq!(
            error(""),
            "character 1: nothing here; write a path such as /var/log/app.log"
        );
        assert_eq!(
            error("/a.log,,/b.log"),
            "character 8: nothing here; write a path such as /var/log/app.log"
        );
        assert_eq!(
            error("/a.log, b.log"),
            "character 9: \"b.log\" is not absolute; write a path that starts with /"
        );
        assert_eq!(
            error("/var/../etc/x"),
            "character 1: \"/var/../etc/x\" holds a . or .. component; write the path that it leads to"
        );
        assert_eq!(
            error("/var/log/"),
            "character 1: \"/var/log/\" is a directory; name the file, or a pattern such as /var/log/*.log"
        );
        assert_eq!(
            error("/var/*/x.log"),
            "character 1: \"/var/*/x.log\" has a wildcard in a directory; only the file name may have one"
        );
        assert_eq!(error("/a,/a"), "character 4: \"/a\" is named twice; remove one");
        assert_eq!(
            error("App:/a"),
            "character 1: \"App\" is not a container's name; write CONTAINER:/PATH"
        );
        assert!(error("/a\u{1b}[31m").contains("control character"));
        assert!(
            !error("/a\u{1b}[31m").contains('\u{1b}'),
            "escapes reach no terminal"
        );
        let many = (0..17).map(|n| format!("/{n}")).collect::<Vec<_>>().join(",");
        assert!(error(&many).contains("more than 16 files"));
    }

    proptest! {
        #[test]
        fn never_panics_and_what_it_takes_is_absolute(value in ".{0,200}") {
            if let Ok(files) = parse_files(&value) {
                for file in files {
                    prop_assert!(file.path.as_str().starts_with('/'));
                    prop_assert!(!file.path.as_str().split('/').any(|c| c == ".."));
                    prop_assert!(!file.path.file_name().is_empty());
                }
            }
        }

        #[test]
        fn what_it_printed_it_reads_again(value in "(/[a-z*]{1,3}){1,3}(,[a-z]{1,3}:/[a-z./]{1,9}){0,3}") {
            if let Ok(files) = parse_files(&value) {
                let printed = files.iter().map(|f| match &f.container {
                    Some(c) => format!("{c}:{}", f.path),
                    None => f.path.to_string(),
                }).collect::<Vec<_>>().join(",");
                prop_assert_eq!(parse_files(&printed).unwrap(), files);
            }
        }
    }
}
