//! What Fluentd can do.

use super::abilities::{ANY_AUTH, Abilities, BASIC, BASIC_OR_API_KEY, NO_AUTH, TEMPLATES};
use crate::buffer::WhenFull;
use crate::compression::Compression;

const NONE_OR_GZIP: &[Compression] = &[Compression::None, Compression::Gzip];
const WITH_ZSTD: &[Compression] = &[Compression::None, Compression::Gzip, Compression::Zstd];

/// Not `googleCloudLogging`, `pubSub` and `azureMonitor`: no image of Fluentd's has a plugin for them.
///
/// No `Lz4` for `kafka`: no image has the gem. No `Zstd` for `forward`: its author calls that an experiment, and aggregators older than 1.19 cannot
/// read it. No choice for `cloudWatch` and `bigQuery`: nothing compresses there.
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
    compression: &[
        ("elasticsearch", NONE_OR_GZIP),
        ("openSearch", NONE_OR_GZIP),
        ("loki", NONE_OR_GZIP),
        ("otlp", WITH_ZSTD),
        (
            "kafka",
            &[
                Compression::None,
                Compression::Gzip,
                Compression::Snappy,
                Compression::Zstd,
            ],
        ),
        ("splunk", NONE_OR_GZIP),
        ("datadog", WITH_ZSTD),
        ("s3", WITH_ZSTD),
        ("gcs", NONE_OR_GZIP),
        ("forward", NONE_OR_GZIP),
        ("http", WITH_ZSTD),
    ],
    placeholders: TEMPLATES,
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
