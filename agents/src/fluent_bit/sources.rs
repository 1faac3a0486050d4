//! The logs of all containers of a node.

use serde_json::{Value, json};
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE};

use super::tail;
use crate::config::POD_LOGS_DIRECTORY;

/// Reads stdout and stderr of all pods but our own. With `pause`, reading stops while [`chunks_up`](super::chunks_up) chunks wait.
pub fn containers(pause: bool) -> Value {
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
    // It joins the pieces of a long line, stream by stream.
    input["multiline.parser"] = json!("cri");
    input["read_from_head"] = json!("on");
    input
}
