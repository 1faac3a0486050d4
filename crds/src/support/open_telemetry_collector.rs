//! What the OpenTelemetry Collector can do.

use super::abilities::{ANY_AUTH, Abilities, BASIC, BASIC_OR_BEARER, NO_AUTH};
use crate::buffer::WhenFull;
use crate::compression::Compression;

const NONE_OR_GZIP: &[Compression] = &[Compression::None, Compression::Gzip];

/// Not `gcs`: the exporter makes the bucket when it starts, and without that right or Google, the collector does not start. Not
/// `pubSub`: a message would be a batch. Not `azureMonitor`: the exporter of that name sends to Application Insights alone.
/// Not `datadog`: its exporter takes records for delivered when they are in its memory. Not `journald`: the collector's images have no
/// `journalctl`, which its receiver calls. Not `throttle`: it has nothing that counts records.
///
/// No `Snappy` for `otlp`: by HTTP, receivers do not agree whether it is framed.
///
/// No placeholders but in indices of Elasticsearch, which answers for each record alone. Elsewhere one name that is not there would be at the
/// cost of records with other names: `kafka` and `cloudWatch` would send those again and again, Splunk would refuse them too. `s3` makes one
/// object of records whose prefixes differ.
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
    compression: &[
        ("elasticsearch", NONE_OR_GZIP),
        ("openSearch", NONE_OR_GZIP),
        (
            "loki",
            &[
                Compression::None,
                Compression::Gzip,
                Compression::Lz4,
                Compression::Zstd,
            ],
        ),
        ("otlp", &[Compression::None, Compression::Gzip, Compression::Zstd]),
        ("kafka", &Compression::ALL),
        ("splunk", NONE_OR_GZIP),
        ("s3", &[Compression::None, Compression::Gzip, Compression::Zstd]),
        ("http", NONE_OR_GZIP),
    ],
    placeholders: &["elasticsearch.index", "openSearch.index"],
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
