//! Which lines belong together in one record.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which lines belong together: one of both.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[x_kube(
    validation = Rule::new("has(self.preset) != has(self.start)").message("write either preset or start")
)]
pub struct Multiline {
    /// Stack traces of a language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<MultilinePreset>,
    /// A regular expression (RE2) that the first line of each record matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub start: Option<String>,
}

/// Stack traces of a language.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub enum MultilinePreset {
    /// `Exception in thread ...`, `at ...`, `Caused by: ...`
    Java,
    /// `Traceback (most recent call last): ...`
    Python,
    /// `panic: ...`, `goroutine 1 [running]: ...`
    Go,
    /// `file.rb:1:in ...`
    Ruby,
}
