//! Where records come from.

use serde_json::{Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use crate::config::{POD_LOGS_DIRECTORY, STATE_DIRECTORY};

/// Reads stdout and stderr of all pods but our own. With `pause`, reading stops while [`chunks_up`] chunks wait.
pub fn containers(pause: bool) -> Value {
    let exclude = [
        format!("{POD_LOGS_DIRECTORY}/*/*/*.gz"),
        format!("{POD_LOGS_DIRECTORY}/*/*/*.tmp"),
        format!("{POD_LOGS_DIRECTORY}/{SYSTEM_NAMESPACE}_*/*/*"),
        format!("{POD_LOGS_DIRECTORY}/{AGENTS_NAMESPACE}_*/*/*"),
    ];
    json!({
        "name": "tail",
        "alias": "containers",
        // The second pattern: what was written to a rotated file while the agent was away or held back.
        "path": format!("{POD_LOGS_DIRECTORY}/*/*/*.log,{POD_LOGS_DIRECTORY}/*/*/*.log.2*"),
        "exclude_path": exclude.join(","),
        "tag": "kube.*",
        // It joins the pieces of a long line, stream by stream.
        "multiline.parser": "cri",
        "db": format!("{STATE_DIRECTORY}/tail.db"),
        "db.sync": "normal",
        "db.locking": "on",
        // A file is known by its inode, so that it is not read again under the name that rotation gives it.
        "db.compare_filename": "off",
        "read_from_head": "on",
        // A longer interval misses files that are rotated twice within it.
        "refresh_interval": "1",
        "rotate_wait": "30",
        // One line too long would make the whole file be given up otherwise.
        "skip_long_lines": "on",
        "buffer_chunk_size": "64k",
        "buffer_max_size": "2M",
        "storage.type": "filesystem",
        "storage.pause_on_chunks_overlimit": if pause { "on" } else { "off" },
    })
}

/// How many chunks, of at most some 2 MB each, may be in memory: a quarter of it.
pub fn chunks_up(memory_limit: u64) -> u64 {
    (memory_limit / 4 / (2 << 20)).max(8)
}
