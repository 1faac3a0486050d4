//! Fluentd's own check takes unknown settings and bad values. Here every setting of every golden policy must be one that its plugin
//! has, with a value of its form, and every tag and label must lead somewhere.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_config;
#[allow(dead_code, reason = "shared with other tests")]
mod golden_files;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tributary_agents::config::AgentConfig;
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicy;
use tributary_crds::engine::Engine;

use fluentd_config::{Section, read};

/// What a setting may have.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bool,
    Number,
    Size,
    Time,
    List,
    Map,
    OneOf(&'static [&'static str]),
}

use Form::{Bool, List, Map, Number, OneOf, Size, Text, Time};

/// A section's name and type, and its settings.
type Known = (&'static str, &'static str, &'static [(&'static str, Form)]);

/// Everything that is written, from the sources of Fluentd 1.19.3 and of the plugins in its images.
const KNOWN: &[Known] = &[
    (
        "system",
        "",
        &[
            ("log_level", OneOf(&["info"])),
            ("suppress_config_dump", Bool),
            ("ignore_same_log_interval", Time),
            ("strict_config_value", Bool),
            ("disable_shared_socket", Bool),
            ("config_include_dir", Text),
        ],
    ),
    (
        "source",
        "prometheus",
        &[("bind", Text), ("port", Number), ("metrics_path", Text)],
    ),
    ("source", "prometheus_output_monitor", &[]),
    ("source", "prometheus_tail_monitor", &[]),
    (
        "source",
        "tail",
        &[
            ("tag", Text),
            ("path", Text),
            ("exclude_path", List),
            ("glob_policy", OneOf(&["extended"])),
            ("path_key", Text),
            ("pos_file", Text),
            ("pos_file_compaction_interval", Time),
            ("read_from_head", Bool),
            ("follow_inodes", Bool),
            ("rotate_wait", Time),
            ("refresh_interval", Time),
            ("max_line_size", Size),
        ],
    ),
    ("parse", "none", &[]),
    (
        "source",
        "systemd",
        &[
            ("tag", Text),
            ("path", Text),
            ("matches", List),
            ("read_from_head", Bool),
        ],
    ),
    ("storage", "local", &[("persistent", Bool), ("path", Text)]),
    ("match", "tributary", &[("pipeline", Text)]),
    ("match", "null", &[]),
    ("match", "stdout", &[]),
    (
        "match",
        "file",
        &[("path", Text), ("append", Bool), ("add_path_suffix", Bool)],
    ),
    ("format", "json", &[]),
    (
        "format",
        "single_value",
        &[("message_key", Text), ("add_newline", Bool)],
    ),
    (
        "buffer",
        "file",
        &[
            ("path", Text),
            ("total_limit_size", Size),
            ("chunk_limit_size", Size),
            (
                "overflow_action",
                OneOf(&["throw_exception", "drop_oldest_chunk"]),
            ),
            ("flush_mode", OneOf(&["interval"])),
            ("flush_interval", Time),
            ("flush_thread_count", Number),
            ("flush_at_shutdown", Bool),
            ("retry_forever", Bool),
            ("retry_wait", Time),
            ("retry_max_interval", Time),
            ("disable_chunk_backup", Bool),
            ("timekey", Time),
            ("timekey_use_utc", Bool),
        ],
    ),
    (
        "match",
        "tributary_http",
        &[
            ("endpoint", Text),
            ("body", OneOf(&["lines", "array", "otlp", "bulk"])),
            ("content_type", Text),
            ("compress", OneOf(&["text", "gzip", "zstd"])),
            ("headers", Map),
            ("open_timeout", Number),
            ("read_timeout", Number),
            ("reuse_connections", Bool),
            ("retryable_response_codes", Text),
            ("error_response_as_unrecoverable", Bool),
            ("secret_file", Text),
            ("secret_header", Text),
            ("secret_scheme", Text),
            ("username", Text),
            ("tls_ca_cert_path", Text),
            ("tls_client_cert_path", Text),
            ("tls_private_key_path", Text),
            ("tls_verify_mode", OneOf(&["none", "peer"])),
            ("server_name", Text),
        ],
    ),
    (
        "match",
        "tributary_syslog",
        &[
            ("host", Text),
            ("port", Number),
            ("tls", Bool),
            ("ca_file", Text),
            ("client_certificate", Text),
            ("client_key", Text),
            ("server_name", Text),
            ("insecure", Bool),
        ],
    ),
    (
        "match",
        "tributary_bigquery",
        &[
            ("project", Text),
            ("dataset", Text),
            ("table", Text),
            ("key_file", Text),
        ],
    ),
    (
        "match",
        "forward",
        &[
            ("require_ack_response", Bool),
            ("ack_response_timeout", Time),
            ("compress", OneOf(&["text", "gzip"])),
            ("heartbeat_type", OneOf(&["none"])),
            ("ignore_network_errors_at_startup", Bool),
            ("connect_timeout", Time),
            ("transport", OneOf(&["tls"])),
            ("tls_insecure_mode", Bool),
            ("tls_ca_cert_path", List),
            ("tls_client_cert_path", Text),
            ("tls_client_private_key_path", Text),
        ],
    ),
    ("security", "", &[("self_hostname", Text), ("shared_key", Text)]),
    ("server", "", &[("host", Text), ("port", Number)]),
    (
        "match",
        "kafka2",
        &[
            ("brokers", Text),
            ("default_topic", Text),
            ("use_event_time", Bool),
            ("required_acks", OneOf(&["-1"])),
            ("compression_codec", OneOf(&["gzip", "snappy", "zstd"])),
            ("ssl_ca_cert", List),
            ("ssl_ca_certs_from_system", Bool),
            ("ssl_client_cert", Text),
            ("ssl_client_cert_key", Text),
            ("username", Text),
            ("password", Text),
            ("scram_mechanism", OneOf(&["sha256", "sha512"])),
            ("sasl_over_ssl", Bool),
        ],
    ),
    (
        "match",
        "s3",
        &[
            ("s3_bucket", Text),
            ("s3_region", Text),
            ("path", Text),
            ("s3_object_key_format", Text),
            ("hex_random_length", Number),
            ("store_as", OneOf(&["text", "gzip", "zstd"])),
            ("check_apikey_on_start", Bool),
            ("auto_create_bucket", Bool),
            ("check_bucket", Bool),
            ("check_object", Bool),
            ("s3_endpoint", Text),
            ("force_path_style", Bool),
        ],
    ),
    (
        "match",
        "gcs",
        &[
            ("bucket", Text),
            ("keyfile", Text),
            ("path", Text),
            ("object_key_format", Text),
            ("hex_random_length", Number),
            ("store_as", OneOf(&["text", "gzip"])),
            ("auto_create_bucket", Bool),
            ("blind_write", Bool),
        ],
    ),
    (
        "match",
        "cloudwatch_logs",
        &[
            ("region", Text),
            ("log_group_name", Text),
            ("log_group_name_key", Text),
            ("log_stream_name", Text),
            ("log_stream_name_key", Text),
            ("auto_create_stream", Bool),
            ("retention_in_days", Number),
            ("put_log_events_disable_retry_limit", Bool),
        ],
    ),
];

impl Form {
    fn fits(self, value: &str) -> bool {
        let number = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        let with = |units: &[char]| number(value.strip_suffix(units).unwrap_or(value));
        match self {
            Text => !value.contains(char::is_control),
            Bool => ["true", "false"].contains(&value),
            Number => number(value),
            Size => with(&['k', 'm', 'g']),
            Time => with(&['s', 'm', 'h']),
            List => serde_json::from_str::<Vec<Value>>(value).is_ok(),
            Map => serde_json::from_str::<serde_json::Map<String, Value>>(value).is_ok(),
            OneOf(values) => values.contains(&value),
        }
    }
}

/// Every golden policy and example that Fluentd can do.
fn configs() -> Vec<(String, AgentConfig)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = golden_files::cases(&directory.join("tests/golden"));
    let examples = golden_files::cases(&directory.join("../manifests/policies"));
    let files = golden.iter().map(|case| case.join("policy.yaml")).chain(examples);
    let cases = files.filter_map(|case| {
        let text = fs::read_to_string(&case).unwrap();
        let mut policy: LoggingPolicy = serde_saphyr::from_str(&text).unwrap();
        policy.spec.node_agent.get_or_insert_default().engine = Engine::Fluentd;
        let pipeline = compile("test", &policy.spec).ok()?;
        Some((case.display().to_string(), render(&pipeline).ok()?))
    });
    let configs: Vec<_> = cases.collect();
    assert!(configs.len() > 10, "golden policies are missing");
    configs
}

fn check_settings(case: &str, section: &Section) {
    let chunks = section.sections.iter().find(|inner| inner.name == "buffer");
    if let Some(chunks) = chunks {
        let expected = match section.get("@type") {
            "forward" => &["tag"][..],
            "s3" | "gcs" => &["time", "tag,time"],
            "kafka2" | "cloudwatch_logs" | "tributary_http" => &["[]", "tag"],
            _ => &["[]"],
        };
        assert!(expected.contains(&chunks.argument.as_str()), "{case}");
    }
    let kind = section.settings.get("@type").map_or("", String::as_str);
    if section.name == "label" || section.name.is_empty() {
        return;
    }
    let (_, _, known) = KNOWN
        .iter()
        .find(|(name, known, _)| *name == section.name && *known == kind)
        .unwrap_or_else(|| panic!("{case}: unknown section {} of type {kind:?}", section.name));
    for (key, value) in &section.settings {
        if key == "@type" || key == "@id" {
            continue;
        }
        let (_, form) = known
            .iter()
            .find(|(name, _)| name == key)
            .unwrap_or_else(|| panic!("{case}: {kind} has no setting {key}"));
        assert!(form.fits(value), "{case}: {kind}: {key} is {value:?}");
    }
}

#[test]
fn every_setting_is_one_that_its_plugin_has() {
    for (case, config) in configs() {
        for section in read(&config.files["fluent.conf"]).all() {
            check_settings(&case, section);
        }
    }
}

#[test]
fn every_tag_and_label_leads_somewhere() {
    for (case, config) in configs() {
        let sections = read(&config.files["fluent.conf"]);
        let data: Value = serde_json::from_str(&config.files["pipeline.json"]).unwrap();
        let outputs = data["outputs"].as_array().unwrap().iter();
        let wanted: BTreeSet<&str> = outputs.map(|output| output["label"].as_str().unwrap()).collect();
        let labels = sections.sections.iter().filter(|section| section.name == "label");
        let labels: BTreeSet<&str> = labels.map(|section| section.argument.as_str()).collect();
        let own = BTreeSet::from(["@FLUENT_LOG"]);
        assert_eq!(labels, wanted.union(&own).copied().collect(), "{case}");
        let matches: Vec<&Section> = sections
            .sections
            .iter()
            .filter(|section| section.name == "match")
            .collect();
        assert_eq!(matches.len(), 1, "{case}");
        assert_eq!(matches[0].argument, "tributary.*");
        for source in sections
            .sections
            .iter()
            .filter(|section| section.name == "source")
        {
            if let Some(tag) = source.settings.get("tag") {
                let known = ["tributary.containers", "tributary.files", "tributary.journal"];
                assert!(known.contains(&tag.as_str()), "{case}: {tag}");
            }
        }
    }
}

#[test]
fn nothing_that_is_kept_on_disk_is_kept_by_two() {
    for (case, config) in configs() {
        let sections = read(&config.files["fluent.conf"]);
        let kept: Vec<&str> = sections
            .all()
            .into_iter()
            .flat_map(|section| {
                let path = ["buffer", "storage"]
                    .contains(&section.name.as_str())
                    .then(|| section.get("path"));
                path.into_iter()
                    .chain(section.settings.get("pos_file").map(String::as_str))
            })
            .collect();
        let distinct: BTreeSet<&str> = kept.iter().copied().collect();
        assert_eq!(distinct.len(), kept.len(), "{case}: {kept:?}");
        assert!(
            kept.iter().all(|path| path.starts_with("/var/lib/tributary/")),
            "{case}: {kept:?}"
        );
    }
}

#[test]
fn no_secret_is_in_a_file_and_every_variable_is_in_the_environment() {
    for (case, config) in configs() {
        for section in read(&config.files["fluent.conf"]).all() {
            for (key, value) in &section.settings {
                let secret = ["password", "shared_key"].contains(&key.as_str());
                assert!(!secret || value.starts_with('$'), "{case}: {key}");
                if let Some(name) = value.strip_prefix('$').filter(|name| !name.starts_with('{')) {
                    let always = ["POD_IP", "K8S_NODE_NAME"].contains(&name);
                    assert!(always || config.secret_env.contains_key(name), "{case}: {name}");
                }
                let mounted = |path: &str| {
                    config
                        .secret_files
                        .iter()
                        .any(|file| path == tributary_agents::config::secret_path(file))
                };
                assert!(
                    !value.starts_with("/etc/tributary/secrets/") || mounted(value),
                    "{case}: {value}"
                );
            }
        }
    }
}

#[test]
fn a_prefix_that_fluentd_would_drop_chunks_for_is_refused() {
    for (prefix, accepted) in [
        ("a/{kubernetes.pod_name}", true),
        ("a../b", true),
        ("a../{kubernetes.pod_name}", false),
        ("a/{kubernetes.pod_name}../b", false),
    ] {
        let spec = serde_json::json!({
            "nodeAgent": {"engine": "Fluentd"},
            "outputs": [{"name": "a", "s3": {"bucket": "logs", "region": "r", "prefix": prefix}}],
        });
        let pipeline = compile("test", &serde_json::from_value(spec).unwrap()).unwrap();
        assert_eq!(render(&pipeline).is_ok(), accepted, "{prefix}");
    }
}
