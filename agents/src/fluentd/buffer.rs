//! What waits on disk while a destination is slow or away.

use tributary_crds::output::WhenFull;

use super::config::Section;
use super::names;
use crate::config::STATE_DIRECTORY;
use crate::pipeline::{Destination, Output};

/// The largest batch, which the longest record fits into, even as JSON in which every character is an escape.
const CHUNK: &str = "4m";

/// The buffer of an output. A chunk is sent after a second.
pub fn section(output: &Output) -> Section {
    let keys = match output.destination {
        // It refuses to go without, although all records have the same tag.
        Destination::Forward { .. } => "tag",
        _ if is_apart(output) => "tag",
        _ => "[]",
    };
    on_disk(output).argument(keys).set("flush_interval", "1s")
}

/// The buffer of an output that writes objects: one for each hour of records, when there is enough, or after half a minute.
pub fn of_objects(output: &Output) -> Section {
    on_disk(output)
        .argument(if is_apart(output) { "tag,time" } else { "time" })
        .set("timekey", "3600")
        .set("timekey_use_utc", "true")
        .set("flush_interval", "30s")
}

/// Whether tags, which are names then, keep records apart.
fn is_apart(output: &Output) -> bool {
    !names::apart(&output.destination).is_empty()
}

fn on_disk(output: &Output) -> Section {
    let overflow = match output.buffer.when_full {
        // `out_tributary.rb` waits, or drops. The action `block` would also block the thread that makes room.
        WhenFull::Block | WhenFull::DropNewest => "throw_exception",
        WhenFull::DropOldest => "drop_oldest_chunk",
    };
    Section::new("buffer")
        .set("@type", "file")
        .set("path", format!("{STATE_DIRECTORY}/buffers/{}", output.name))
        .set("total_limit_size", output.buffer.max_size.to_string())
        .set("chunk_limit_size", CHUNK)
        .set("overflow_action", overflow)
        .set("flush_mode", "interval")
        .set("flush_thread_count", "1")
        // What is on disk is sent after the next start.
        .set("flush_at_shutdown", "false")
        // By default, a chunk is dropped after three days.
        .set("retry_forever", "true")
        .set("retry_wait", "1s")
        .set("retry_max_interval", "30s")
        // What a destination will never take would fill the disk otherwise.
        .set("disable_chunk_backup", "true")
}
