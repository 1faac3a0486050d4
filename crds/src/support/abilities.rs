//! What each engine can do. A column of the support table is a file of this folder.

use super::AuthMethod;
use crate::buffer::WhenFull;
use crate::compression::Compression;

/// What one engine can do.
#[derive(Clone, Copy, Debug)]
pub struct Abilities {
    /// The outputs that it can send to, and the methods of `auth` that it can use there.
    pub outputs: &'static [(&'static str, &'static [AuthMethod])],
    /// For each output whose compression can be chosen, the ways that it knows.
    pub compression: &'static [(&'static str, &'static [Compression])],
    /// The fields of [`TEMPLATES`] in which it can put values of each record in the place of placeholders.
    pub placeholders: &'static [&'static str],
    /// What it can do when a buffer is full.
    pub when_full: &'static [WhenFull],
    /// The processors that it has or can be given.
    pub processors: &'static [&'static str],
    /// What it can collect.
    pub sources: &'static [&'static str],
    /// The patterns that it can serve.
    pub patterns: &'static [&'static str],
}

/// For outputs without `auth`, or where an engine cannot use it.
pub const NO_AUTH: &[AuthMethod] = &[];
/// User and password alone.
pub const BASIC: &[AuthMethod] = &[AuthMethod::Basic];
/// All but `auth.apiKey`.
pub const BASIC_OR_BEARER: &[AuthMethod] = &[AuthMethod::Basic, AuthMethod::Bearer];
/// All but `auth.bearer`.
pub const BASIC_OR_API_KEY: &[AuthMethod] = &[AuthMethod::Basic, AuthMethod::ApiKey];
/// Every method.
pub const ANY_AUTH: &[AuthMethod] = &AuthMethod::ALL;

/// Every field that may hold placeholders, after its output's, in the order in which messages and documents list them.
pub const TEMPLATES: &[&str] = &[
    "elasticsearch.index",
    "openSearch.index",
    "splunk.index",
    "kafka.topic",
    "s3.prefix",
    "gcs.prefix",
    "cloudWatch.logGroup",
    "cloudWatch.logStream",
];
/// Every processor, in the order in which messages and documents list them.
pub const PROCESSORS: &[&str] = &[
    "parse",
    "multiline",
    "keep",
    "drop",
    "redact",
    "set",
    "rename",
    "remove",
    "sample",
    "throttle",
];
/// Every source of a node agent.
pub const SOURCES: &[&str] = &["containers", "journald", "files"];
/// Every pattern that an engine serves.
pub const PATTERNS: &[&str] = &["nodeAgent", "agentSidecar"];

impl Abilities {
    /// The methods of `auth` that it can use at an output; `None` when it cannot send there.
    pub fn output(&self, field: &str) -> Option<&'static [AuthMethod]> {
        self.outputs
            .iter()
            .find(|(known, _)| *known == field)
            .map(|(_, methods)| *methods)
    }

    /// The ways in which it can compress what goes to an output; none where there is no choice.
    pub fn compression(&self, field: &str) -> &'static [Compression] {
        self.compression
            .iter()
            .find(|(known, _)| *known == field)
            .map_or(&[], |(_, ways)| ways)
    }
}
