//! What `fluent-bit --dry-run` accepts and the program then stumbles over: options that no plugin has, values that it takes for something
//! else, parsers that nobody defines, and records or outputs that no tag joins.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// Options of plugins with what they hold, from the tables in the sources of Fluent Bit 5.1: a letter for a boolean, a number, a size,
/// a time, or any text.
const PLUGINS: [(&str, &str); 19] = [
    (
        "tail",
        "path:x exclude_path:x path_key:x db:x db.sync:x db.locking:b db.compare_filename:b refresh_interval:n rotate_wait:t \
         truncate_long_lines:b skip_long_lines:b buffer_chunk_size:s buffer_max_size:s read_from_head:b multiline.parser:x",
    ),
    (
        "systemd",
        "db:x db.sync:x lowercase:b read_from_tail:b strip_underscores:b systemd_filter:x systemd_filter_type:x",
    ),
    (
        "kubernetes",
        "kube_tag_prefix:x regex_parser:x labels:b annotations:b namespace_labels:b merge_log:b k8s-logging.parser:b \
         k8s-logging.exclude:b use_kubelet:b buffer_size:s kube_meta_cache_ttl:t kube_url:x tls.verify_hostname:b dns_wait_time:t \
         dns_retries:n",
    ),
    ("lua", "script:x code:x call:x time_as_table:b enable_flb_null:b"),
    ("record_modifier", "remove_key:x"),
    ("es", SEARCH),
    ("es", "http_api_key:x"),
    ("opensearch", SEARCH),
    (
        "loki",
        "labels:x structured_metadata_map_keys:x remove_keys:x line_format:x drop_single_key:x compress:x tenant_id:x \
         bearer_token:x http_user:x http_passwd:x",
    ),
    (
        "opentelemetry",
        "logs_uri:x logs_body_key:x logs_body_key_attributes:b grpc:b http2:x compress:x header:x http_user:x http_passwd:x",
    ),
    (
        "kafka",
        "brokers:x topics:x format:x timestamp_key:x timestamp_format:x queue_full_retries:n",
    ),
    (
        "splunk",
        "splunk_token:x event_host:x event_index:x event_sourcetype:x compress:x",
    ),
    (
        "datadog",
        "apikey:x dd_message_key:x dd_hostname:x dd_service:x dd_source:x compress:x",
    ),
    (
        "syslog",
        "mode:x syslog_format:x syslog_maxsize:s syslog_message_key:x syslog_hostname_key:x syslog_appname_key:x \
         syslog_facility_preset:n syslog_severity_preset:n",
    ),
    (
        "forward",
        "require_ack_response:b retain_metadata_in_forward_mode:b compress:x shared_key:x",
    ),
    (
        "http",
        "uri:x format:x json_date_key:x header:x http_user:x http_passwd:x compress:x",
    ),
    ("stdout", "format:x json_date_key:x"),
    (
        "file",
        "path:x file:x format:x rotate:b rotate_max_size:s rotate_max_files:n rotate_gzip:b",
    ),
    (
        "cloudwatch_logs",
        "region:x log_group_name:x log_stream_name:x auto_create_group:b log_retention_days:n endpoint:x log_key:x",
    ),
];
const SEARCH: &str = "index:x path:x suppress_type_name:b replace_dots:b time_key:x time_key_nanos:b generate_id:b compress:x trace_error:b \
                      http_user:x http_passwd:x";
/// Of every plugin.
const COMMON: &str = "name:x alias:x match:x tag:x retry_limit:x workers:n host:x port:n processors:x storage.type:x \
                      storage.pause_on_chunks_overlimit:b storage.total_limit_size:s tls:b tls.verify:b tls.verify_hostname:b \
                      tls.vhost:x tls.ca_file:x tls.crt_file:x tls.key_file:x";
/// Those that the program defines, of the ones that are used.
const MULTILINE_PARSERS: [&str; 1] = ["docker"];

fn documents() -> Vec<(PathBuf, Value)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut documents = Vec::new();
    for golden in ["golden", "golden_policies", "golden_sidecar"] {
        for case in fs::read_dir(tests.join(golden)).unwrap() {
            let file = case.unwrap().path().join("FluentBit/fluent-bit.yaml");
            if let Ok(text) = fs::read_to_string(&file) {
                documents.push((file, serde_saphyr::from_str(&text).unwrap()));
            }
        }
    }
    assert!(documents.len() >= 20, "golden files are missing");
    documents
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// Every section of a plugin, those within outputs too.
fn sections(document: &Value) -> Vec<&Value> {
    let mut sections = Vec::new();
    for kind in ["inputs", "filters", "outputs"] {
        for section in list(&document["pipeline"], kind) {
            sections.push(section);
            sections.extend(list(&section["processors"], "logs"));
        }
    }
    sections
}

fn kind_of<'a>(options: &'a str, key: &str) -> Option<&'a str> {
    options
        .split_whitespace()
        .find_map(|option| option.rsplit_once(':').filter(|(name, _)| *name == key))
        .map(|(_, kind)| kind)
}

fn is_read(kind: &str, value: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let number = |suffixes: &[char]| {
        let digits = text.strip_suffix(suffixes).unwrap_or(&text);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match kind {
        "b" => ["on", "off"].contains(&text.as_str()),
        "n" => number(&[]),
        "s" => number(&['k', 'K', 'M', 'G']),
        "t" => number(&['s', 'm', 'h']),
        _ => !text.is_empty(),
    }
}

#[test]
fn every_option_exists_and_holds_what_its_plugin_reads() {
    for (file, document) in documents() {
        for section in sections(&document) {
            let name = section["name"].as_str().unwrap();
            let rows = PLUGINS.iter().filter(|(plugin, _)| *plugin == name);
            let options: Vec<&str> = rows.map(|(_, options)| *options).chain([COMMON]).collect();
            for (key, value) in section.as_object().unwrap() {
                if name == "kafka" && key.starts_with("rdkafka.") {
                    continue;
                }
                let kind = options.iter().find_map(|options| kind_of(options, key));
                let read = kind.is_some_and(|kind| is_read(kind, value));
                assert!(read, "{}: {name} has {key}: {value}", file.display());
            }
        }
    }
}

#[test]
fn every_parser_is_defined() {
    for (file, document) in documents() {
        let names = |key: &str| -> Vec<&str> {
            let parsers = list(&document, key).iter();
            parsers.filter_map(|parser| parser["name"].as_str()).collect()
        };
        let (parsers, joining) = (names("parsers"), names("multiline_parsers"));
        for parser in list(&document, "multiline_parsers") {
            let of_lines = parser["parser"].as_str().unwrap();
            assert!(parsers.contains(&of_lines), "{}: {of_lines}", file.display());
        }
        for section in sections(&document) {
            if let Some(parser) = section["regex_parser"].as_str() {
                assert!(parsers.contains(&parser), "{}: {parser}", file.display());
            }
            for parser in section["multiline.parser"]
                .as_str()
                .into_iter()
                .flat_map(|all| all.split(", "))
            {
                assert!(
                    MULTILINE_PARSERS.contains(&parser) || joining.contains(&parser),
                    "{}: {parser}",
                    file.display()
                );
            }
        }
    }
}

/// Whether a tag, or all that an input may give, is matched: a star only ever ends a pattern.
fn meets(pattern: &str, tag: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => tag.starts_with(start),
        None => tag == pattern,
    }
}

#[test]
fn every_record_becomes_a_standard_one_and_reaches_every_output() {
    for (file, document) in documents() {
        let tags: Vec<&str> = list(&document["pipeline"], "inputs")
            .iter()
            .map(|input| input["tag"].as_str().unwrap())
            .collect();
        let all = |section: &Value| {
            tags.iter()
                .all(|tag| meets(section["match"].as_str().unwrap(), tag))
        };
        let filters = list(&document["pipeline"], "filters");
        assert!(
            filters
                .iter()
                .any(|filter| filter["call"] == "standard" && all(filter)),
            "{}",
            file.display()
        );
        for filter in filters {
            let any = tags
                .iter()
                .any(|tag| meets(filter["match"].as_str().unwrap(), tag));
            assert!(any, "{}: {filter} is never reached", file.display());
        }
        let outputs = list(&document["pipeline"], "outputs");
        assert!(
            !outputs.is_empty() && outputs.iter().all(all),
            "{}",
            file.display()
        );
    }
}
