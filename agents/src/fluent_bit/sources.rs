//! What a node agent reads: the logs of containers, the journal, files of the node.

use serde_json::{Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use super::{pieces, tail};
use crate::config::{FILES_DIRECTORY, POD_LOGS_DIRECTORY, STATE_DIRECTORY};
use crate::pipeline::Sources;

/// The inputs. With `pause`, reading stops while [`chunks_up`](super::chunks_up) chunks wait.
pub fn inputs(sources: &Sources, pause: bool) -> Vec<Value> {
    let mut inputs = Vec::new();
    if sources.containers {
        inputs.push(containers(pause));
    }
    if !sources.units.is_empty() {
        inputs.push(journal(&sources.units, pause));
    }
    if !sources.files.is_empty() {
        inputs.push(files(&sources.files, pause));
    }
    inputs
}

/// Reads stdout and stderr of all pods but our own.
fn containers(pause: bool) -> Value {
    let exclude = [
        format!("{POD_LOGS_DIRECTORY}/*/*/*.gz"),
        format!("{POD_LOGS_DIRECTORY}/*/*/*.tmp"),
        format!("{POD_LOGS_DIRECTORY}/{SYSTEM_NAMESPACE}_*/*/*"),
        format!("{POD_LOGS_DIRECTORY}/{AGENTS_NAMESPACE}_*/*/*"),
    ];
    let mut input = tail::input("containers", "tail.db", pause);
    // The second pattern: what was written to a rotated file while the agent was away or held back.
    let path = format!("{POD_LOGS_DIRECTORY}/*/*/*.log,{POD_LOGS_DIRECTORY}/*/*/*.log.2*");
    input["path"] = json!(path);
    input["exclude_path"] = json!(exclude.join(","));
    input["tag"] = json!("kube.*");
    input["multiline.parser"] = json!(pieces::OF_RUNTIMES.join(", "));
    input["read_from_head"] = json!("on");
    input
}

/// Reads the journal of the node, wherever it is: without a path, in all its directories that there are.
fn journal(units: &[String], pause: bool) -> Value {
    let filters: Vec<String> = units.iter().map(|unit| format!("_SYSTEMD_UNIT={unit}")).collect();
    json!({
        "name": "systemd",
        "alias": "journal",
        "tag": "journal",
        "systemd_filter": filters,
        "systemd_filter_type": "or",
        "db": format!("{STATE_DIRECTORY}/journal.db"),
        "db.sync": "normal",
        "read_from_tail": "off",
        "lowercase": "off",
        "strip_underscores": "off",
        "storage.type": "filesystem",
        "storage.pause_on_chunks_overlimit": if pause { "on" } else { "off" },
    })
}

/// Reads files of the node, but for what other sources read and what outputs write.
fn files(paths: &[String], pause: bool) -> Value {
    let exclude = [
        "*.gz".to_owned(),
        format!("{FILES_DIRECTORY}/*"),
        format!("{POD_LOGS_DIRECTORY}/*"),
        "/var/log/containers/*".to_owned(),
    ];
    let mut input = tail::input("files", "files.db", pause);
    input["path"] = json!(paths.join(","));
    input["exclude_path"] = json!(exclude.join(","));
    input["path_key"] = json!("file");
    input["tag"] = json!("files");
    input["read_from_head"] = json!("on");
    input
}
