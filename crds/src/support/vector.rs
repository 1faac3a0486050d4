//! What Vector can do.

use super::abilities::{
    ANY_AUTH, Abilities, BASIC, BASIC_OR_BEARER, NO_AUTH, PROCESSORS, SOURCES, TEMPLATES,
};
use crate::buffer::WhenFull;
use crate::compression::Compression;

/// What every server of the kind takes.
const PLAIN_OR_GZIP: &[Compression] = &[Compression::None, Compression::Gzip];
const WITH_ZSTD: &[Compression] = &[Compression::None, Compression::Gzip, Compression::Zstd];

/// Not `forward`: it has no sink that speaks the protocol. Not `bigQuery`: nor for its API.
pub const ABILITIES: Abilities = Abilities {
    outputs: &[
        ("elasticsearch", ANY_AUTH),
        ("openSearch", BASIC_OR_BEARER),
        ("loki", ANY_AUTH),
        ("otlp", ANY_AUTH),
        ("kafka", BASIC),
        ("splunk", NO_AUTH),
        ("datadog", NO_AUTH),
        ("s3", NO_AUTH),
        ("cloudWatch", NO_AUTH),
        ("googleCloudLogging", NO_AUTH),
        ("gcs", NO_AUTH),
        ("pubSub", NO_AUTH),
        ("azureMonitor", NO_AUTH),
        ("syslog", NO_AUTH),
        ("papertrail", NO_AUTH),
        ("http", ANY_AUTH),
        ("stdout", NO_AUTH),
        ("file", NO_AUTH),
    ],
    compression: &[
        ("elasticsearch", PLAIN_OR_GZIP),
        ("openSearch", PLAIN_OR_GZIP),
        ("loki", PLAIN_OR_GZIP),
        ("otlp", WITH_ZSTD),
        ("kafka", &Compression::ALL),
        ("splunk", PLAIN_OR_GZIP),
        ("datadog", WITH_ZSTD),
        ("s3", WITH_ZSTD),
        ("gcs", WITH_ZSTD),
        ("http", WITH_ZSTD),
    ],
    placeholders: TEMPLATES,
    when_full: &[WhenFull::Block, WhenFull::DropNewest],
    processors: PROCESSORS,
    sources: SOURCES,
    patterns: &["nodeAgent"],
};
