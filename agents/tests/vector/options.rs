//! The options of Vector 0.57 that its configurations here may have, read off its source. Vector itself refuses all others at
//! start, and is not there to be asked.
//!
//! An option is the path to it, with `*` for a name that is free; after `=` stand the words that it may be.

const SINK: &[&str] = &["inputs", "type"];
const DISK: &[&str] = &[
    "buffer.type=disk",
    "buffer.max_size",
    "buffer.when_full=block|drop_newest",
];
const MEMORY: &[&str] = &[
    "buffer.type=memory",
    "buffer.max_events",
    "buffer.when_full=block|drop_newest",
];
const ACKNOWLEDGED: &[&str] = &["acknowledgements.enabled"];
const TLS: &[&str] = &[
    "tls.ca_file",
    "tls.crt_file",
    "tls.key_file",
    "tls.verify_certificate",
    "tls.verify_hostname",
];
const TLS_ENABLED: &[&str] = &["tls.enabled"];
const JSON_LINES: &[&str] = &["encoding.codec=json", "framing.method=newline_delimited"];
const RETRIES: &[&str] = &["retry_strategy.type=custom", "retry_strategy.status_codes"];
const BATCH: &[&str] = &["batch.max_bytes", "batch.timeout_secs"];
const UNCONFINED: &[&str] = &["dangerously_allow_unconfined_template_resolution"];
const OBJECTS: &[&str] = &[
    "bucket",
    "key_prefix",
    "filename_time_format",
    "filename_append_uuid",
    "filename_extension",
    "compression=none|gzip|zstd",
];

/// The options of all of Vector.
pub const GLOBAL: &[&str] = &[
    "data_dir",
    "api.enabled",
    "api.address",
    "healthchecks.enabled",
    "secret.*.type=directory",
    "secret.*.path",
    "secret.*.remove_trailing_whitespace",
];

/// The options of a source, by its type.
pub fn source(kind: &str) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        "kubernetes_logs" => &[
            "auto_partial_merge",
            "delay_deletion_ms",
            "exclude_paths_glob_patterns",
            "extra_label_selector",
            "extra_namespace_label_selector",
            "glob_minimum_cooldown_ms",
            "include_paths_glob_patterns",
            "insert_namespace_fields",
            "max_line_bytes",
            "max_read_bytes",
            "node_annotation_fields.node_labels",
            "oldest_first",
            "pod_annotation_fields.container_id",
            "pod_annotation_fields.container_image",
            "pod_annotation_fields.container_image_id",
            "pod_annotation_fields.pod_annotations",
            "pod_annotation_fields.pod_ip",
            "pod_annotation_fields.pod_ips",
            "pod_annotation_fields.pod_node_name",
            "pod_annotation_fields.pod_owner",
            "rotate_wait_secs",
            "use_apiserver_cache",
        ],
        "file" => &[
            "fingerprint.strategy=device_and_inode",
            "glob_minimum_cooldown_ms",
            "include",
            "max_line_bytes",
            "max_read_bytes",
            "read_from=beginning",
            "rotate_wait_secs",
        ],
        "journald" => &["current_boot_only", "extra_args", "include_units"],
        "internal_metrics" => &[],
        other => panic!("no source {other}"),
    };
    [own, &["type"]].concat()
}

/// The options of a transform, by its type.
pub fn transform(kind: &str) -> Vec<&'static str> {
    let own: &[&str] = match kind {
        "remap" => &["drop_on_abort", "drop_on_error", "file"],
        "reduce" => &[
            "ends_when",
            "expire_after_ms",
            "flush_period_ms",
            "group_by",
            "max_events",
            "merge_strategies.*=concat_newline|concat_raw|discard",
            "starts_when",
        ],
        "throttle" => &["exclude", "key_field", "threshold", "window_secs"],
        other => panic!("no transform {other}"),
    };
    [own, SINK].concat()
}

/// The options of a sink, by its type.
pub fn sink(kind: &str) -> Vec<&'static str> {
    let (own, shared): (&[&str], &[&[&str]]) = match kind {
        "elasticsearch" => (
            &[
                "api_version=v8",
                "auth.password",
                "auth.strategy=basic",
                "auth.user",
                "bulk.action=create",
                "bulk.index",
                "compression=none|gzip",
                "endpoints",
                "mode=bulk",
                "request.headers.*",
                "request_retry_partial",
            ],
            &[TLS, DISK, ACKNOWLEDGED],
        ),
        "opentelemetry" => return opentelemetry(),
        "http" => (HTTP, &[JSON_LINES, RETRIES, BATCH, TLS, DISK, ACKNOWLEDGED]),
        "kafka" => (
            &[
                "bootstrap_servers",
                "compression=none|gzip|snappy|lz4|zstd",
                "encoding.codec=json",
                "message_timeout_ms",
                "sasl.enabled",
                "sasl.mechanism=PLAIN|SCRAM-SHA-256|SCRAM-SHA-512",
                "sasl.password",
                "sasl.username",
                "topic",
            ],
            &[TLS, TLS_ENABLED, DISK, ACKNOWLEDGED],
        ),
        "datadog_logs" => (
            &["compression=none|gzip|zstd", "default_api_key", "endpoint"],
            &[TLS, TLS_ENABLED, DISK, ACKNOWLEDGED],
        ),
        "socket" => (
            &[
                "address",
                "encoding.codec=text",
                "framing.method=newline_delimited",
                "mode=tcp",
            ],
            &[TLS, TLS_ENABLED, DISK, ACKNOWLEDGED],
        ),
        "console" => (&["target=stdout"], &[JSON_LINES, MEMORY, ACKNOWLEDGED]),
        "file" => (&["path"], &[JSON_LINES, MEMORY, ACKNOWLEDGED]),
        "prometheus_exporter" => (&["address"], &[]),
        other => return cloud(other),
    };
    [own, &shared.concat(), SINK].concat()
}

fn cloud(kind: &str) -> Vec<&'static str> {
    let (own, shared): (&[&str], &[&[&str]]) = match kind {
        "aws_s3" => (
            &[
                "endpoint",
                "force_path_style",
                "region",
                "retry_strategy.type=all",
            ],
            &[OBJECTS, JSON_LINES, BATCH, DISK, ACKNOWLEDGED],
        ),
        "gcp_cloud_storage" => (
            &["credentials_path"],
            &[OBJECTS, JSON_LINES, BATCH, DISK, ACKNOWLEDGED],
        ),
        "aws_cloudwatch_logs" => (
            &[
                "encoding.codec=json",
                "group_name",
                "region",
                "retention.days",
                "retention.enabled",
                "stream_name",
            ],
            &[UNCONFINED, DISK, ACKNOWLEDGED],
        ),
        "gcp_stackdriver_logs" => (
            &[
                "credentials_path",
                "encoding.except_fields",
                "log_id",
                "project_id",
                "resource.*",
                "severity_key",
            ],
            &[UNCONFINED, RETRIES, DISK, ACKNOWLEDGED],
        ),
        "gcp_pubsub" => (
            &["credentials_path", "encoding.codec=json", "project", "topic"],
            &[DISK, ACKNOWLEDGED],
        ),
        "azure_logs_ingestion" => (
            &[
                "auth.azure_client_id",
                "auth.azure_client_secret",
                "auth.azure_credential_kind=client_secret_credential",
                "auth.azure_tenant_id",
                "dcr_immutable_id",
                "endpoint",
                "stream_name",
                "timestamp_field",
            ],
            &[RETRIES, DISK, ACKNOWLEDGED],
        ),
        other => panic!("no sink {other}"),
    };
    [own, &shared.concat(), SINK].concat()
}

const HTTP: &[&str] = &[
    "auth.password",
    "auth.strategy=basic|bearer|custom",
    "auth.token",
    "auth.user",
    "auth.value",
    "compression=none|gzip|zstd",
    "method=post",
    "request.headers.*",
    "uri",
];

fn opentelemetry() -> Vec<&'static str> {
    let protocol = [
        "protocol.type=http",
        "protocol.uri",
        "protocol.acknowledgements.enabled",
        "protocol.auth.password",
        "protocol.auth.strategy=basic|bearer",
        "protocol.auth.token",
        "protocol.auth.user",
        "protocol.batch.max_bytes",
        "protocol.batch.timeout_secs",
        "protocol.compression=none|gzip|zstd",
        "protocol.encoding.codec=otlp",
        "protocol.framing.method=bytes",
        "protocol.request.headers.*",
        "protocol.retry_strategy.status_codes",
        "protocol.retry_strategy.type=custom",
        "protocol.tls.ca_file",
        "protocol.tls.crt_file",
        "protocol.tls.key_file",
        "protocol.tls.verify_certificate",
        "protocol.tls.verify_hostname",
    ];
    [&protocol, DISK, SINK].concat()
}
