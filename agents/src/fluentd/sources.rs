//! What a node agent reads: the logs of containers, the journal, files of the node.

use serde_json::json;
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use super::config::Section;
use crate::config::{FILES_DIRECTORY, POD_LOGS_DIRECTORY, STATE_DIRECTORY};
use crate::pipeline::Sources;

/// Where journals are: on disk, or in memory until the node stops.
const JOURNALS: [(&str, &str); 2] = [
    ("journal", "/var/log/journal"),
    ("journal-in-memory", "/run/log/journal"),
];

/// The sections. Their tags tell `out_tributary.rb` what it is given.
pub fn sections(sources: &Sources) -> Vec<Section> {
    let mut sections = Vec::new();
    if sources.containers {
        sections.push(containers());
    }
    if !sources.units.is_empty() {
        sections.extend(JOURNALS.map(|(id, path)| journal(id, path, &sources.units)));
    }
    // Whether a pattern also has the names that rotation gives to files.
    let (with_rotated, others): (Vec<&str>, _) = sources
        .files
        .iter()
        .map(String::as_str)
        .partition(|path| path.ends_with('*'));
    if !others.is_empty() {
        sections.push(files("files", &others).set("rotate_wait", "30"));
    }
    if !with_rotated.is_empty() {
        sections.push(files("rotated-files", &with_rotated).set("rotate_wait", "0"));
    }
    sections
}

/// Reads stdout and stderr of all pods but our own.
fn containers() -> Section {
    // First what was written to a rotated file while the agent was away or held back: the kubelet compresses it at its next rotation, and
    // a file that is being written to is read to its end before another one is opened.
    let path = format!("{POD_LOGS_DIRECTORY}/*/*/*.log.2*,{POD_LOGS_DIRECTORY}/*/*/*.log");
    let exclude = [
        format!("{POD_LOGS_DIRECTORY}/*/*/*.gz"),
        format!("{POD_LOGS_DIRECTORY}/*/*/*.tmp"),
        format!("{POD_LOGS_DIRECTORY}/{SYSTEM_NAMESPACE}_*/*/*"),
        format!("{POD_LOGS_DIRECTORY}/{AGENTS_NAMESPACE}_*/*/*"),
    ];
    // A rotated file is read on under its new name; to wait would be to read it twice.
    tail("containers", "tributary.containers", &path, &exclude).set("rotate_wait", "0")
}

fn files(id: &str, paths: &[&str]) -> Section {
    let exclude = [
        format!("{FILES_DIRECTORY}/*"),
        "/var/log/**/*.gz".to_owned(),
        "/var/log/**/*.xz".to_owned(),
    ];
    tail(id, "tributary.files", &paths.join(","), &exclude)
}

/// Reads files, known by their inodes, through rotations and restarts.
fn tail(id: &str, tag: &str, path: &str, exclude: &[String]) -> Section {
    Section::new("source")
        .set("@type", "tail")
        .set("@id", id)
        .set("tag", tag)
        .set("path", path)
        .set("exclude_path", json!(exclude).to_string())
        // By default, a question mark means itself.
        .set("glob_policy", "extended")
        .set("path_key", "path")
        .set("pos_file", format!("{STATE_DIRECTORY}/{id}.pos"))
        // Otherwise the file only grows.
        .set("pos_file_compaction_interval", "10m")
        .set("read_from_head", "true")
        // A file goes on under the name that rotation gives it; by its name, what was left in it would be lost with a restart.
        .set("follow_inodes", "true")
        // A longer interval misses files that are rotated twice within it.
        .set("refresh_interval", "1")
        // More than any line of a runtime. A longer one is skipped: its whole length would have to be kept in memory.
        .set("max_line_size", "8m")
        .with(Section::new("parse").set("@type", "none"))
}

fn journal(id: &str, path: &str, units: &[String]) -> Section {
    let matches: Vec<_> = units.iter().map(|unit| json!({"_SYSTEMD_UNIT": unit})).collect();
    Section::new("source")
        .set("@type", "systemd")
        .set("@id", id)
        .set("tag", "tributary.journal")
        .set("path", path)
        .set("matches", json!(matches).to_string())
        .set("read_from_head", "true")
        .with(
            Section::new("storage")
                .set("@type", "local")
                .set("persistent", "true")
                .set("path", format!("{STATE_DIRECTORY}/{id}.json")),
        )
}
