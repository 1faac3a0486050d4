//! What a command prints: sentences for people, or what scripts read.

use serde::Serialize;

use crate::error::Error;

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// As YAML.
    Yaml,
    /// As JSON.
    Json,
}

/// A value as YAML.
pub fn yaml(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_saphyr::to_string(value)?;
    Ok(if text.ends_with('\n') { text } else { text + "\n" })
}

/// A value as JSON, over several lines.
pub fn json(value: &impl Serialize) -> Result<String, Error> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
