//! Destinations that are reached by HTTP: `out_tributary_http.rb` sends to each of them what it takes.

use std::collections::BTreeMap;

use tributary_crds::auth::SecretKeyRef;

use super::config::Section;
use super::settings::{authority, compression, map, matching};
use crate::config::secret_path;
use crate::pipeline::{Auth, Destination, Output};

/// What a server may take later: it is busy, on its way up, or its settings are being put right. What it answers otherwise, it would
/// answer again.
const RETRIED: &str = "401,403,404,408,425,429,500,502,503,504,507,520,521,522,523,524,529";

/// What is sent, and where to.
struct Request {
    endpoint: String,
    body: &'static str,
    content_type: &'static str,
    headers: BTreeMap<String, String>,
}

/// The section of an output.
pub fn section(output: &Output) -> Section {
    let request = request(&output.destination);
    let mut section = matching("tributary_http")
        .set("endpoint", request.endpoint)
        .set("body", request.body)
        .set("content_type", request.content_type)
        .set("compress", compression(output.compression))
        .set("open_timeout", "10")
        .set("read_timeout", "60")
        .set("reuse_connections", "true")
        .set("retryable_response_codes", RETRIED)
        .set("error_response_as_unrecoverable", "true");
    if !request.headers.is_empty() {
        section = section.set("headers", map(&request.headers));
    }
    section = credential(section, output);
    let Some(tls) = &output.tls else {
        return section;
    };
    section = section.set_some("tls_ca_cert_path", authority(Some(tls))).set(
        "tls_verify_mode",
        if tls.insecure_skip_verify { "none" } else { "peer" },
    );
    if let Some(client) = &tls.client {
        section = section
            .set("tls_client_cert_path", secret_path(&client.certificate))
            .set("tls_private_key_path", secret_path(&client.key));
    }
    section
}

/// The keys of Secrets that are read from files.
pub fn secret(output: &Output) -> Option<&SecretKeyRef> {
    match (&output.destination, &output.auth) {
        (Destination::Splunk { token, .. }, _) => Some(token),
        (Destination::Datadog { api_key, .. }, _) => Some(api_key),
        (_, Some(Auth::Basic { password, .. })) => Some(password),
        (_, Some(Auth::Bearer { token })) => Some(token),
        (_, Some(Auth::ApiKey { key, .. })) => Some(key),
        (_, None) => None,
    }
}

fn credential(section: Section, output: &Output) -> Section {
    let Some(secret) = secret(output) else {
        return section;
    };
    let section = section.set("secret_file", secret_path(secret));
    match (&output.destination, &output.auth) {
        (Destination::Splunk { .. }, _) => section.set("secret_scheme", "Splunk"),
        (Destination::Datadog { .. }, _) => section.set("secret_header", "DD-API-KEY"),
        (_, Some(Auth::Basic { username, .. })) => section.set("username", username.as_str()),
        (
            _,
            Some(Auth::ApiKey {
                header: Some(header), ..
            }),
        ) => section.set("secret_header", header.as_str()),
        (_, Some(Auth::ApiKey { header: None, .. })) => section.set("secret_scheme", "ApiKey"),
        (_, Some(Auth::Bearer { .. }) | None) => section.set("secret_scheme", "Bearer"),
    }
}

fn request(destination: &Destination) -> Request {
    let json = |endpoint: String, body: &'static str| Request {
        endpoint,
        body,
        content_type: "application/json",
        headers: BTreeMap::new(),
    };
    match destination {
        Destination::Elasticsearch { url, index } | Destination::OpenSearch { url, index } => Request {
            content_type: "application/x-ndjson",
            ..json(
                match index.fixed() {
                    Some(index) => format!("{url}/{index}/_bulk"),
                    // Each operation names its own.
                    None => format!("{url}/_bulk"),
                },
                "bulk",
            )
        },
        Destination::Loki { url, tenant_id } => Request {
            headers: tenant_id
                .iter()
                .map(|tenant| ("X-Scope-OrgID".to_owned(), tenant.clone()))
                .collect(),
            ..json(format!("{url}/otlp/v1/logs"), "otlp")
        },
        Destination::Otlp { endpoint, .. } => json(format!("{endpoint}/v1/logs"), "otlp"),
        Destination::Splunk { url, .. } => json(format!("{url}/services/collector/event"), "lines"),
        Destination::Datadog { host, .. } => json(format!("https://{host}/api/v2/logs"), "array"),
        Destination::Http { url, headers } => Request {
            content_type: "application/x-ndjson",
            headers: headers.clone(),
            ..json(url.to_string(), "lines")
        },
        Destination::Kafka { .. }
        | Destination::S3(_)
        | Destination::CloudWatch(_)
        | Destination::GoogleCloudLogging(_)
        | Destination::BigQuery(_)
        | Destination::Gcs(_)
        | Destination::PubSub(_)
        | Destination::AzureMonitor(_)
        | Destination::Syslog { .. }
        | Destination::Forward { .. }
        | Destination::Stdout
        | Destination::File { .. } => json(String::new(), "lines"),
    }
}
