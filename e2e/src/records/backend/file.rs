//! A file on the node.

use anyhow::Context as _;
use serde_json::Value;

use crate::node::Node;

/// Where the output writes.
pub const PATH: &str = "/var/log/tributary/records.jsonl";

/// What the file holds by now.
pub fn records(node: &Node) -> anyhow::Result<Vec<Value>> {
    let path = node.path(PATH);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    // The last line may be half written.
    let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
        return Ok(Vec::new());
    };
    bytes[..end]
        .split(|byte| *byte == b'\n')
        .map(|line| {
            serde_json::from_slice(line)
                .with_context(|| format!("no JSON: {}", String::from_utf8_lossy(line)))
        })
        .collect()
}
