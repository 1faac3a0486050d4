//! How files are read through rotations and restarts.

use serde_json::{Value, json};

use crate::config::STATE_DIRECTORY;

/// An input that tails files, once it is told which (`path`) and under what `tag`. It keeps its positions in a file named
/// `positions`. With `pause`, it stops while [`chunks_up`](super::chunks_up) chunks wait.
pub fn input(alias: &str, positions: &str, pause: bool) -> Value {
    json!({
        "name": "tail",
        "alias": alias,
        "db": format!("{STATE_DIRECTORY}/{positions}"),
        "db.sync": "normal",
        "db.locking": "on",
        // A file is known by its inode, so that it is not read again under the name that rotation gives it.
        "db.compare_filename": "off",
        // A longer interval misses files that are rotated twice within it.
        "refresh_interval": "1",
        "rotate_wait": "30",
        // One line too long would make the whole file be given up otherwise. What a file has more than the buffer holds in one line is cut
        // off; a runtime's lines are far shorter.
        "truncate_long_lines": "on",
        "skip_long_lines": "on",
        "buffer_chunk_size": "64k",
        "buffer_max_size": "2M",
        "storage.type": "filesystem",
        "storage.pause_on_chunks_overlimit": if pause { "on" } else { "off" },
    })
}
