//! What holds for an output whatever the engine.

use super::{Encryption, OutputSupport};

/// For destinations that say themselves how an agent proves who it is.
const OWN_FIELDS: &str = "remove auth: credentials go to fields of the destination";

/// `elasticsearch`.
pub const ELASTICSEARCH: OutputSupport = by_url("elasticsearch", "url");
/// `openSearch`.
pub const OPEN_SEARCH: OutputSupport = by_url("openSearch", "url");
/// `loki`.
pub const LOKI: OutputSupport = by_url("loki", "url");
/// `otlp`.
pub const OTLP: OutputSupport = by_url("otlp", "endpoint");
/// `kafka`.
pub const KAFKA: OutputSupport = OutputSupport {
    encryption: Encryption::Tls,
    ..by_url("kafka", "")
};
/// `splunk`.
pub const SPLUNK: OutputSupport = OutputSupport {
    instead_of_auth: OWN_FIELDS,
    ..by_url("splunk", "url")
};
/// `datadog`.
pub const DATADOG: OutputSupport = OutputSupport {
    field: "datadog",
    instead_of_auth: OWN_FIELDS,
    ..PAPERTRAIL
};
/// `s3`.
pub const S3: OutputSupport = OutputSupport {
    field: "s3",
    instead_of_auth: OWN_FIELDS,
    encryption: Encryption::Own,
    ..PAPERTRAIL
};
/// `cloudWatch`.
pub const CLOUD_WATCH: OutputSupport = OutputSupport {
    field: "cloudWatch",
    ..S3
};
/// `googleCloudLogging`.
pub const GOOGLE_CLOUD_LOGGING: OutputSupport = OutputSupport {
    field: "googleCloudLogging",
    ..S3
};
/// `bigQuery`.
pub const BIG_QUERY: OutputSupport = OutputSupport {
    field: "bigQuery",
    ..S3
};
/// `gcs`.
pub const GCS: OutputSupport = OutputSupport { field: "gcs", ..S3 };
/// `pubSub`.
pub const PUB_SUB: OutputSupport = OutputSupport {
    field: "pubSub",
    ..S3
};
/// `azureMonitor`.
pub const AZURE_MONITOR: OutputSupport = OutputSupport {
    field: "azureMonitor",
    ..S3
};
/// `syslog`.
pub const SYSLOG: OutputSupport = OutputSupport {
    field: "syslog",
    encryption: Encryption::Tls,
    ..PAPERTRAIL
};
/// `papertrail`.
pub const PAPERTRAIL: OutputSupport = OutputSupport {
    instead_of_auth: "remove auth: the protocol has none",
    encryption: Encryption::Always,
    ..by_url("papertrail", "")
};
/// `forward`.
pub const FORWARD: OutputSupport = OutputSupport {
    instead: "an output otlp",
    instead_of_auth: OWN_FIELDS,
    encryption: Encryption::Tls,
    ..by_url("forward", "")
};
/// `http`.
pub const HTTP: OutputSupport = by_url("http", "url");
/// `stdout`.
pub const STDOUT: OutputSupport = without_network("stdout");
/// `file`.
pub const FILE: OutputSupport = without_network("file");

/// Every destination, in the order in which messages and documents list them.
pub const OUTPUTS: &[OutputSupport] = &[
    ELASTICSEARCH,
    OPEN_SEARCH,
    LOKI,
    OTLP,
    KAFKA,
    SPLUNK,
    DATADOG,
    S3,
    CLOUD_WATCH,
    GOOGLE_CLOUD_LOGGING,
    BIG_QUERY,
    GCS,
    PUB_SUB,
    AZURE_MONITOR,
    SYSLOG,
    PAPERTRAIL,
    FORWARD,
    HTTP,
    STDOUT,
    FILE,
];

const fn by_url(field: &'static str, url: &'static str) -> OutputSupport {
    OutputSupport {
        field,
        instead: "",
        instead_of_auth: "",
        encryption: Encryption::Scheme(url),
    }
}

const fn without_network(field: &'static str) -> OutputSupport {
    OutputSupport {
        field,
        instead: "",
        instead_of_auth: "remove auth",
        encryption: Encryption::NoNetwork,
    }
}
