//! Settings that several outputs have.

use std::collections::BTreeMap;

use serde_json::{Map, json};
use tributary_crds::compression::Compression;

use super::config::Section;
use crate::config::secret_path;
use crate::pipeline::Tls;

/// A section that takes every record of its label.
pub fn matching(kind: &'static str) -> Section {
    Section::new("match").argument("**").set("@type", kind)
}

/// The file with the authorities.
pub fn authority(tls: Option<&Tls>) -> Option<String> {
    tls.and_then(|tls| tls.ca.as_ref()).map(secret_path)
}

/// What plugins call a way to compress.
pub fn compression(way: Compression) -> &'static str {
    match way {
        Compression::None => "text",
        Compression::Gzip => "gzip",
        Compression::Snappy => "snappy",
        Compression::Lz4 => "lz4",
        Compression::Zstd => "zstd",
    }
}

/// A map as a setting.
pub fn map(entries: &BTreeMap<String, String>) -> String {
    let entries: Map<_, _> = entries
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!(entries).to_string()
}
