//! What Fluentd can do.

use super::abilities::{Abilities, BASIC, BASIC_OR_BEARER, NO_AUTH};
use crate::buffer::WhenFull;

/// Not `googleCloudLogging`, `pubSub` and `azureMonitor`: no image of Fluentd's has a plugin for them.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[
        ("elasticsearch", BASIC),
        ("openSearch", BASIC),
        ("loki", BASIC_OR_BEARER),
        ("otlp", BASIC_OR_BEARER),
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
        ("http", BASIC_OR_BEARER),
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
