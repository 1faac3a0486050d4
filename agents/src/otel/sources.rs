//! Where records come from.

use serde_json::{Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

/// The longest message in bytes; a longer one is cut into several records. With the emitter's batches of at most 199
/// records, one batch stays below [`super::outputs::LEAST_QUEUE`], which must hold it.
const LONGEST_MESSAGE: &str = "256KiB";

/// Reads stdout and stderr of all pods but our own.
pub fn containers() -> Value {
    json!({
        // `*.log.2*` are rotated files that are not yet compressed: what was written to them while the agent was away or
        // held back would be lost otherwise.
        "include": ["/var/log/pods/*/*/*.log", "/var/log/pods/*/*/*.log.2*"],
        "exclude": [
            "/var/log/pods/*/*/*.gz",
            "/var/log/pods/*/*/*.tmp",
            format!("/var/log/pods/{SYSTEM_NAMESPACE}_*/*/*"),
            format!("/var/log/pods/{AGENTS_NAMESPACE}_*/*/*"),
        ],
        "start_at": "beginning",
        "include_file_path": true,
        "include_file_name": false,
        // A longer interval misses files that are rotated twice within it.
        "poll_interval": "200ms",
        "max_log_size": LONGEST_MESSAGE,
        "max_log_size_behavior": "split",
        // Spaces at the ends of a line belong to the message.
        "preserve_leading_whitespaces": true,
        "preserve_trailing_whitespaces": true,
        "storage": "file_storage/offsets",
        "retry_on_failure": super::outputs::endless_retry(),
        // No `format`: containerd, CRI-O and Docker are told apart line by line.
        "operators": [{
            "id": "container",
            "type": "container",
            "add_metadata_from_filepath": true,
            "max_log_size": LONGEST_MESSAGE,
        }],
    })
}
