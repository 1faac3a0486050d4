//! Fields of the standard record, by the names that policies give them.

use std::fmt;

/// A field of the standard record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The text of the record.
    Message,
    /// `trace`, `debug`, `info`, `warn`, `error`, `fatal`, or whatever a parsed body calls its level, in lower case.
    Level,
    /// `stdout` or `stderr`, of a container.
    Stream,
    /// The path, of a file.
    File,
    /// The unit, of the node's journal.
    Unit,
    /// The pod's namespace.
    NamespaceName,
    /// The pod's name.
    PodName,
    /// The pod's uid.
    PodId,
    /// The container's name.
    ContainerName,
    /// The node's name.
    Host,
    /// A label of the pod, by its key.
    Label(String),
    /// What was parsed or set: the keys that lead to it, at least one.
    Data(Vec<String>),
}

/// How fields are written, for messages.
pub const FORMS: &str = "message, level, stream, file, systemd.unit, kubernetes.namespace_name, kubernetes.pod_name, \
                         kubernetes.pod_id, kubernetes.container_name, kubernetes.host, kubernetes.labels.KEY or data.KEY";

/// The characters of a key of `data`; in brackets dots, slashes and spaces too.
const PLAIN_KEY: &str = "_@-";
const QUOTED_KEY: &str = "_@-./ ";

impl Field {
    /// The fields without a key.
    const PLAIN: [Self; 10] = [
        Self::Message,
        Self::Level,
        Self::Stream,
        Self::File,
        Self::Unit,
        Self::NamespaceName,
        Self::PodName,
        Self::PodId,
        Self::ContainerName,
        Self::Host,
    ];

    /// Reads the name of a field as a policy writes it. `None` for an unknown one.
    pub fn parse(name: &str) -> Option<Self> {
        if let Some(key) = name.strip_prefix("kubernetes.labels.") {
            let valid = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
            return (!key.is_empty() && key.chars().all(valid)).then(|| Self::Label(key.to_owned()));
        }
        if let Some(path) = name.strip_prefix("data") {
            return keys(path).map(Self::Data);
        }
        Self::PLAIN.into_iter().find(|field| field.to_string() == name)
    }

    /// Whether a processor may change it. The others say where a record comes from, which is not for a policy to alter.
    pub fn is_mutable(&self) -> bool {
        matches!(self, Self::Message | Self::Level | Self::Data(_))
    }
}

/// The keys of `.a.b['c.d']`: at least one, none of them empty.
fn keys(mut path: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    while !path.is_empty() {
        let (key, allowed, rest) = if let Some(quoted) = path.strip_prefix("['") {
            let (key, rest) = quoted.split_once("']")?;
            (key, QUOTED_KEY, rest)
        } else {
            let plain = path.strip_prefix('.')?;
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            (&plain[..end], PLAIN_KEY, &plain[end..])
        };
        let valid = |c: char| c.is_ascii_alphanumeric() || allowed.contains(c);
        if key.is_empty() || !key.chars().all(valid) {
            return None;
        }
        keys.push(key.to_owned());
        path = rest;
    }
    (!keys.is_empty()).then_some(keys)
}

/// As a policy writes it.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => f.write_str("message"),
            Self::Level => f.write_str("level"),
            Self::Stream => f.write_str("stream"),
            Self::File => f.write_str("file"),
            Self::Unit => f.write_str("systemd.unit"),
            Self::NamespaceName => f.write_str("kubernetes.namespace_name"),
            Self::PodName => f.write_str("kubernetes.pod_name"),
            Self::PodId => f.write_str("kubernetes.pod_id"),
            Self::ContainerName => f.write_str("kubernetes.container_name"),
            Self::Host => f.write_str("kubernetes.host"),
            Self::Label(key) => write!(f, "kubernetes.labels.{key}"),
            Self::Data(keys) => {
                f.write_str("data")?;
                for key in keys {
                    if key.contains(['.', '/', ' ']) {
                        write!(f, "['{key}']")?;
                    } else {
                        write!(f, ".{key}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_alike() {
        for name in [
            "message",
            "level",
            "systemd.unit",
            "kubernetes.host",
            "kubernetes.labels.app.kubernetes.io/name",
            "data.status",
            "data.http.request.method",
            "data['log.level']",
            "data.a['b c'].d",
        ] {
            let field = Field::parse(name);
            assert_eq!(field.map(|field| field.to_string()).as_deref(), Some(name));
        }
    }

    #[test]
    fn what_no_record_has_is_no_field() {
        for name in [
            "",
            "mesage",
            "data",
            "data.",
            "data..a",
            "data.a b",
            "data['']",
            "data['a'",
            "data['a'']",
            "database",
            "kubernetes.labels.",
            "kubernetes.labels.a b",
            "time",
        ] {
            assert_eq!(Field::parse(name), None, "{name}");
        }
    }
}
