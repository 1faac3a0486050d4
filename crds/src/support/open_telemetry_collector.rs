//! What the OpenTelemetry Collector can do.

use super::abilities::{ANY_AUTH, Abilities, BASIC, BASIC_OR_BEARER, NO_AUTH};
use crate::buffer::WhenFull;

/// Not `gcs`: the exporter makes the bucket when it starts, and without that right or Google, the collector does not start. Not
/// `pubSub`: a message would be a batch. Not `azureMonitor`: the exporter of that name sends to Application Insights alone.
/// Not `datadog`: its exporter takes records for delivered when they are in its memory. Not `journald`: the collector's images have no
/// `journalctl`, which its receiver calls. Not `throttle`: it has nothing that counts records.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[
        ("elasticsearch", ANY_AUTH),
        ("openSearch", BASIC_OR_BEARER),
        ("loki", ANY_AUTH),
        ("otlp", ANY_AUTH),
        ("kafka", BASIC),
        ("splunk", NO_AUTH),
        ("s3", NO_AUTH),
        ("cloudWatch", NO_AUTH),
        ("googleCloudLogging", NO_AUTH),
        ("syslog", NO_AUTH),
        ("papertrail", NO_AUTH),
        ("http", ANY_AUTH),
        ("stdout", NO_AUTH),
        ("file", NO_AUTH),
    ],
    compression: &[],
    placeholders: &[],
    when_full: &[WhenFull::Block, WhenFull::DropNewest],
    processors: &[
        "parse",
        "multiline",
        "keep",
        "drop",
        "redact",
        "set",
        "rename",
        "remove",
        "sample",
    ],
    sources: &["containers", "files"],
    patterns: &["nodeAgent", "agentSidecar"],
};
