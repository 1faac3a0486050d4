//! What Fluentd can do.

use super::abilities::{ANY_AUTH, Abilities, BASIC, BASIC_OR_API_KEY, NO_AUTH};
use crate::buffer::WhenFull;

/// Not `googleCloudLogging`, `pubSub` and `azureMonitor`: no image of Fluentd's has a plugin for them.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[
        ("elasticsearch", BASIC_OR_API_KEY),
        ("openSearch", BASIC),
        ("loki", ANY_AUTH),
        ("otlp", ANY_AUTH),
        ("kafka", BASIC),
        ("splunk", NO_AUTH),
        ("datadog", NO_AUTH),
        ("s3", NO_AUTH),
        ("cloudWatch", NO_AUTH),
        ("bigQuery", NO_AUTH),
        ("gcs", NO_AUTH),
        ("syslog", NO_AUTH),
        ("papertrail", NO_AUTH),
        ("forward", NO_AUTH),
        ("http", ANY_AUTH),
        ("stdout", NO_AUTH),
        ("file", NO_AUTH),
    ],
    compression: &[],
    placeholders: &[],
    when_full: &[WhenFull::Block, WhenFull::DropOldest, WhenFull::DropNewest],
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
        "throttle",
    ],
    sources: &["containers", "journald", "files"],
    patterns: &["nodeAgent"],
};
