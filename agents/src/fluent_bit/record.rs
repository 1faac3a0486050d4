//! What happens to every record before it is sent anywhere: labels, selection, the standard record.

use serde_json::{Value, json};

use super::data::SCRIPT;
use super::pieces;
use crate::config::CONFIG_DIRECTORY;
use crate::pipeline::Pipeline;

/// The parser that finds the pod in what follows [`TAG_PREFIX`] in a tag.
const TAG_PARSER: &str = "pod-of-tag";
/// A tag is this and the path of the log below `/var/log/pods`, with dots for slashes.
const TAG_PREFIX: &str = "kube.var.log.pods.";

/// Parsers that inputs and filters name.
pub fn parsers() -> Value {
    json!([
        {
            "name": TAG_PARSER,
            "format": "regex",
            "regex": "^(?<namespace_name>[^_]+)_(?<pod_name>[^_]+)_(?<pod_uid>[^_.]+)\\.(?<container_name>[^.]+)\\.",
        },
        pieces::cri_line(),
    ])
}

/// The filters that records pass, in this order.
pub fn filters(pipeline: &Pipeline) -> Vec<Value> {
    let namespace_labels = if pipeline.namespace_labels().is_empty() {
        "off"
    } else {
        "on"
    };
    let mut filters = Vec::new();
    if pipeline.sources.containers {
        filters.push(json!({
            "name": "kubernetes",
            "match": "kube.*",
            "kube_tag_prefix": TAG_PREFIX,
            "regex_parser": TAG_PARSER,
            // By its name: the program reads no address of IPv6 in a URL.
            "kube_url": "https://kubernetes.default.svc:${KUBERNETES_SERVICE_PORT}",
            // Off by default, which would send the token to whatever the cluster's authority has signed.
            "tls.verify_hostname": "on",
            // Reading waits until the name is known. After half a minute by default, three minutes at most, and then records have no
            // labels.
            "dns_wait_time": "1s",
            "dns_retries": "240",
            "labels": "on",
            "annotations": "off",
            "namespace_labels": namespace_labels,
            // The message stays text, and nothing in it or in the pod's annotations decides anything.
            "merge_log": "off",
            "k8s-logging.parser": "off",
            "k8s-logging.exclude": "off",
            // The kubelet's API needs a permission that is as good as root on the node.
            "use_kubelet": "off",
            // A pod larger than a limit would be left without labels.
            "buffer_size": "0",
            "kube_meta_cache_ttl": "300s",
        }));
    }
    filters.push(standard());
    filters
}

/// The filter that makes the standard record and changes it by the policy's steps. It is one for all inputs: it is what counts for
/// a throttle.
pub fn standard() -> Value {
    let mut filter = lua("standard");
    filter["match"] = json!("*");
    filter
}

/// A filter that calls a function of the script.
pub fn lua(function: &str) -> Value {
    json!({
        "name": "lua",
        "script": format!("{CONFIG_DIRECTORY}/{SCRIPT}"),
        "call": function,
        // As a number, a time has no more than microseconds.
        "time_as_table": "on",
        // Without it, a null of a body would be gone, and a list with one cut off there.
        "enable_flb_null": "on",
    })
}
