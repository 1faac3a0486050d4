//! Conditions on a record, as `where` holds them.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// One test of one field. Exactly one of `in`, `notIn`, `matches`, `notMatches` and `exists` is set.
///
/// A record without the field meets `notIn`, `notMatches` and `exists: false`, and none of the others.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.__in__), has(self.notIn), has(self.matches), has(self.notMatches), has(self.exists)].filter(x, x).size() == 1")
        .message("a condition makes one test: write one of in, notIn, matches, notMatches, exists")
)]
pub struct Condition {
    /// `message`, `stream`, `kubernetes.namespace_name`, `kubernetes.pod_name`, `kubernetes.pod_id`,
    /// `kubernetes.container_name`, `kubernetes.host` or `kubernetes.labels.KEY`.
    #[schemars(length(max = 400))]
    #[x_kube(
        validation = Rule::new(
            "self in ['message', 'stream', 'kubernetes.namespace_name', 'kubernetes.pod_name', 'kubernetes.pod_id', 'kubernetes.container_name', 'kubernetes.host'] || self.matches('^kubernetes[.]labels[.][A-Za-z0-9][A-Za-z0-9./_-]*$')"
        )
        .message("unknown field: write message, stream, kubernetes.namespace_name, kubernetes.pod_name, kubernetes.pod_id, kubernetes.container_name, kubernetes.host or kubernetes.labels.KEY")
    )]
    pub field: String,

    /// The field equals one of these.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub one_of: Option<Vec<String>>,

    /// The field equals none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub not_in: Option<Vec<String>>,

    /// The field contains a match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("''.matches(self) || !''.matches(self)")
            .message("not a regular expression in RE2 syntax (no look-around, no back-references)")
    )]
    pub matches: Option<String>,

    /// The field contains no match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("''.matches(self) || !''.matches(self)")
            .message("not a regular expression in RE2 syntax (no look-around, no back-references)")
    )]
    pub not_matches: Option<String>,

    /// Whether the record has the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// A field of the standard record that a condition can name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The text of the record.
    Message,
    /// `stdout` or `stderr`.
    Stream,
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
}

/// The test of a [`Condition`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test<'a> {
    /// Equals one of these.
    In(&'a [String]),
    /// Equals none of these, or is absent.
    NotIn(&'a [String]),
    /// Contains a match of this expression.
    Matches(&'a str),
    /// Contains no match of this expression, or is absent.
    NotMatches(&'a str),
    /// Is present, or is not.
    Exists(bool),
}

impl Field {
    /// Reads the name of a field as a policy writes it. `None` for an unknown one.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "message" => Self::Message,
            "stream" => Self::Stream,
            "kubernetes.namespace_name" => Self::NamespaceName,
            "kubernetes.pod_name" => Self::PodName,
            "kubernetes.pod_id" => Self::PodId,
            "kubernetes.container_name" => Self::ContainerName,
            "kubernetes.host" => Self::Host,
            _ => Self::Label(
                name.strip_prefix("kubernetes.labels.")
                    .filter(|key| !key.is_empty())?
                    .to_owned(),
            ),
        })
    }
}

impl Condition {
    /// The one test that is set, or `None` when there is not exactly one (which the resource's schema refuses).
    pub fn test(&self) -> Option<Test<'_>> {
        let mut set = [
            self.one_of.as_deref().map(Test::In),
            self.not_in.as_deref().map(Test::NotIn),
            self.matches.as_deref().map(Test::Matches),
            self.not_matches.as_deref().map(Test::NotMatches),
            self.exists.map(Test::Exists),
        ]
        .into_iter()
        .flatten();
        let first = set.next();
        if set.next().is_some() { None } else { first }
    }
}
