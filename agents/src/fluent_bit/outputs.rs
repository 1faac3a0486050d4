//! Where records go.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::output::{OtlpProtocol, WhenFull};

use super::{predicates, record};
use crate::config::{FILES_DIRECTORY, secret_path};
use crate::pipeline::{Auth, Destination, Output, Tls};
use crate::url::Url;

/// One output, and the variables of the environment that it names.
pub struct Rendered {
    /// The entry of `pipeline.outputs`.
    pub section: Value,
    /// Variable to key of a Secret; the program cannot read credentials from files.
    pub secret_env: BTreeMap<String, SecretKeyRef>,
}

/// Renders the output at a position of the policy's list.
pub fn render(position: usize, output: &Output) -> Rendered {
    let mut section = destination(&output.destination);
    let mut set = |key: &str, value: Value| section.insert(key.to_owned(), value);
    set("match", json!("kube.*"));
    set("alias", json!(output.name));
    set("retry_limit", json!("no_limits"));
    // The script's state is for one thread.
    set("workers", json!("1"));
    if output.buffer.when_full == WhenFull::DropOldest {
        set(
            "storage.total_limit_size",
            json!(output.buffer.max_size.to_string()),
        );
    }
    let processors = processors(output);
    if !processors.is_empty() {
        set("processors", json!({"logs": processors}));
    }
    let mut secret_env = BTreeMap::new();
    if let Some(auth) = &output.auth {
        let variable = format!("TRIBUTARY_SECRET_{position}");
        let secret = authenticate(&mut section, &output.destination, auth, &variable);
        secret_env.insert(variable, secret);
    }
    if let Some(url) = url(&output.destination).filter(|url| url.https) {
        section.extend(transport_security(url, output.tls.as_ref()));
    }
    Rendered {
        section: Value::Object(section),
        secret_env,
    }
}

fn processors(output: &Output) -> Vec<Value> {
    let mut processors = predicates::filters(&output.name, &output.conditions);
    match &output.destination {
        Destination::Loki { .. } => processors.push(record::lua("loki")),
        Destination::Otlp { .. } => processors.push(record::lua("otlp")),
        Destination::Elasticsearch { .. }
        | Destination::Http { .. }
        | Destination::Stdout
        | Destination::File { .. } => {}
    }
    processors
}

fn url(destination: &Destination) -> Option<&Url> {
    match destination {
        Destination::Elasticsearch { url, .. }
        | Destination::Loki { url, .. }
        | Destination::Http { url, .. } => Some(url),
        Destination::Otlp { endpoint, .. } => Some(endpoint),
        Destination::Stdout | Destination::File { .. } => None,
    }
}

/// The settings of the plugin.
fn destination(destination: &Destination) -> Map<String, Value> {
    let settings = match destination {
        Destination::Elasticsearch { index, .. } => json!({
            "name": "es",
            "index": index,
            "suppress_type_name": "on",
            "replace_dots": "on",
            "time_key": "@timestamp",
            "time_key_nanos": "on",
            // A batch that is sent again makes no second documents.
            "generate_id": "on",
            "compress": "gzip",
            "trace_error": "on",
        }),
        Destination::Loki { tenant_id, .. } => loki(tenant_id.as_deref()),
        Destination::Otlp { endpoint, protocol } => otlp(endpoint, *protocol),
        Destination::Http { url, headers } => http(url, headers),
        Destination::Stdout => json!({"name": "stdout", "format": "json_lines", "json_date_key": "false"}),
        Destination::File { name } => json!({
            "name": "file",
            "path": FILES_DIRECTORY,
            "file": name,
            "format": "plain",
            "rotate": "on",
            "rotate_max_size": "100M",
            "rotate_max_files": "3",
            "rotate_gzip": "off",
        }),
    };
    let mut settings = match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    if let Some(url) = url(destination) {
        settings.insert("host".to_owned(), json!(url.host));
        settings.insert("port".to_owned(), json!(url.port));
    }
    if let Destination::Elasticsearch { url, .. } = destination
        && !url.path.is_empty()
    {
        settings.insert("path".to_owned(), json!(url.path));
    }
    settings
}

/// The script has put into the record what the labels name, and the rest into `metadata`.
fn loki(tenant_id: Option<&str>) -> Value {
    const LABELS: [&str; 3] = ["k8s_namespace_name", "k8s_pod_name", "k8s_container_name"];
    let mut settings = json!({
        "name": "loki",
        "labels": LABELS.map(|label| format!("{label}=${label}")).join(","),
        "structured_metadata_map_keys": "$metadata",
        "remove_keys": format!("{},metadata", LABELS.join(",")),
        "line_format": "json",
        "drop_single_key": "raw",
        "compress": "gzip",
    });
    if let Some(tenant) = tenant_id {
        settings["tenant_id"] = json!(tenant);
    }
    settings
}

fn otlp(endpoint: &Url, protocol: OtlpProtocol) -> Value {
    let mut settings = json!({
        "name": "opentelemetry",
        "logs_body_key": "$message",
        "logs_body_key_attributes": "on",
        "compress": "gzip",
    });
    match protocol {
        OtlpProtocol::Http => settings["logs_uri"] = json!(format!("{}/v1/logs", endpoint.path)),
        OtlpProtocol::Grpc => {
            settings["grpc"] = json!("on");
            settings["http2"] = json!("on");
        }
    }
    settings
}

fn http(url: &Url, headers: &BTreeMap<String, String>) -> Value {
    let mut settings =
        json!({"name": "http", "uri": url.path, "format": "json_lines", "json_date_key": "false"});
    if !headers.is_empty() {
        settings["header"] = headers
            .iter()
            .map(|(name, value)| format!("{name} {value}"))
            .collect();
    }
    settings
}

/// Adds the credential, which the environment holds, and returns where it comes from.
fn authenticate(
    section: &mut Map<String, Value>,
    destination: &Destination,
    auth: &Auth,
    variable: &str,
) -> SecretKeyRef {
    let reference = format!("${{{variable}}}");
    match auth {
        Auth::Basic { username, password } => {
            section.insert("http_user".to_owned(), json!(username));
            section.insert("http_passwd".to_owned(), json!(reference));
            password.clone()
        }
        Auth::Bearer { token } => {
            if matches!(destination, Destination::Loki { .. }) {
                section.insert("bearer_token".to_owned(), json!(reference));
            } else {
                let header = json!(format!("Authorization Bearer {reference}"));
                match section.get_mut("header") {
                    Some(Value::Array(headers)) => headers.push(header),
                    _ => {
                        section.insert("header".to_owned(), json!([header]));
                    }
                }
            }
            token.clone()
        }
    }
}

fn transport_security(url: &Url, tls: Option<&Tls>) -> Map<String, Value> {
    let verify = if tls.is_some_and(|tls| tls.insecure_skip_verify) {
        "off"
    } else {
        "on"
    };
    let server_name = tls
        .and_then(|tls| tls.server_name.as_deref())
        .unwrap_or(&url.host);
    let mut settings = Map::from_iter([
        ("tls".to_owned(), json!("on")),
        ("tls.verify".to_owned(), json!(verify)),
        // Off by default, which would accept any name that a known authority has signed.
        ("tls.verify_hostname".to_owned(), json!(verify)),
        ("tls.vhost".to_owned(), json!(server_name)),
    ]);
    if let Some(ca) = tls.and_then(|tls| tls.ca.as_ref()) {
        settings.insert("tls.ca_file".to_owned(), json!(secret_path(ca)));
    }
    settings
}
