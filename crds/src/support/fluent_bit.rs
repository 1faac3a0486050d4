//! What Fluent Bit can do.

use super::abilities::{ANY_AUTH, Abilities, BASIC, BASIC_OR_API_KEY, NO_AUTH};
use crate::buffer::WhenFull;
use crate::compression::Compression;

const NONE_OR_GZIP: &[Compression] = &[Compression::None, Compression::Gzip];
const NONE_GZIP_OR_ZSTD: &[Compression] = &[Compression::None, Compression::Gzip, Compression::Zstd];

/// Not `googleCloudLogging`: it drops a batch when a quota is used up. Not `azureMonitor`: it would send a batch that is larger than a
/// request may be again and again. Not `s3` and `gcs`: they take records for delivered when they are in files of the plugin's own, which `Block` does not hold back.
/// Not `multiline`: its filter has open records in memory alone, and when it stops, at every change of a policy, they are gone. Its clock
/// cuts open records into two, however new their last line is.
///
/// No placeholders: its plugins read names from fields of the record, which stay in it or leave the name at a default when they are absent.
/// Not `Snappy` for `http`: it sends blocks without frames, by the name that others give to frames.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[
        ("elasticsearch", BASIC_OR_API_KEY),
        ("openSearch", BASIC),
        ("loki", ANY_AUTH),
        ("otlp", ANY_AUTH),
        ("kafka", BASIC),
        ("splunk", NO_AUTH),
        ("datadog", NO_AUTH),
        ("cloudWatch", NO_AUTH),
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
        ("otlp", NONE_GZIP_OR_ZSTD),
        ("kafka", &Compression::ALL),
        ("splunk", NONE_OR_GZIP),
        ("datadog", NONE_OR_GZIP),
        ("forward", NONE_OR_GZIP),
        ("http", NONE_GZIP_OR_ZSTD),
    ],
    placeholders: &[],
    when_full: &[WhenFull::Block, WhenFull::DropOldest],
    processors: &[
        "parse", "keep", "drop", "redact", "set", "rename", "remove", "sample", "throttle",
    ],
    sources: &["containers", "journald", "files"],
    patterns: &["nodeAgent", "agentSidecar"],
};
