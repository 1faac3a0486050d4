//! What Vector cannot do with an output, although another engine can.

use tributary_crds::output::OtlpProtocol;

use super::credentials::PLACE;
use crate::CompileError;
use crate::pipeline::{Auth, Destination, Output};

const ANOTHER: &str = "engine: OpenTelemetryCollector";

/// Refuses what Vector cannot do. `place` is the output's path, for messages.
pub fn check(place: &str, output: &Output) -> Result<(), CompileError> {
    check_server_name(place, output)?;
    if let Some(Auth::Basic { username, .. }) = &output.auth {
        check_secrets(&format!("{place}.auth.basic.username"), username)?;
    }
    match &output.destination {
        Destination::Otlp {
            protocol: OtlpProtocol::Grpc,
            ..
        } => Err(CompileError::field(
            format!("{place}.otlp.protocol"),
            "is Grpc, but engine Vector sends OTLP over HTTP only",
            format!("write protocol: Http, or {ANOTHER}"),
        )),
        Destination::Otlp { endpoint, .. } => {
            check_template(&format!("{place}.otlp.endpoint"), &endpoint.path)
        }
        Destination::Loki {
            tenant_id: Some(tenant),
            ..
        } => {
            let field = format!("{place}.loki.tenantId");
            check_secrets(&field, tenant)?;
            check_template(&field, tenant)
        }
        Destination::Http { url, headers } => {
            check_template(&format!("{place}.http.url"), &url.path)?;
            for value in headers.values() {
                let field = format!("{place}.http.headers");
                check_secrets(&field, value)?;
                check_template(&field, value)?;
            }
            Ok(())
        }
        Destination::Elasticsearch { url, .. } => {
            check_query(&format!("{place}.elasticsearch.url"), &url.path)
        }
        Destination::OpenSearch { url, .. } => check_query(&format!("{place}.openSearch.url"), &url.path),
        // Their names hold nothing that Vector would take for something else.
        Destination::Loki { tenant_id: None, .. }
        | Destination::Kafka { .. }
        | Destination::Splunk { .. }
        | Destination::Datadog { .. }
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
        | Destination::File { .. } => Ok(()),
    }
}

/// Vector's setting of that name only changes what it asks for, not what it checks.
fn check_server_name(place: &str, output: &Output) -> Result<(), CompileError> {
    if output.tls.as_ref().is_none_or(|tls| tls.server_name.is_none()) {
        return Ok(());
    }
    Err(CompileError::field(
        format!("{place}.tls.serverName"),
        "is set, but engine Vector only accepts the name in the address",
        format!("remove it and write that name in the address, or {ANOTHER}"),
    ))
}

/// Vector appends `/_bulk` to the address.
fn check_query(field: &str, path: &str) -> Result<(), CompileError> {
    if !path.contains('?') {
        return Ok(());
    }
    Err(CompileError::field(
        field,
        "has a query, which engine Vector cannot send",
        format!("remove it, or write {ANOTHER}"),
    ))
}

/// Vector puts secrets where a text says so.
fn check_secrets(field: &str, text: &str) -> Result<(), CompileError> {
    if !text.contains(PLACE) {
        return Ok(());
    }
    Err(CompileError::field(
        field,
        "contains SECRET[, which engine Vector would replace by a secret",
        format!("write it differently, or {ANOTHER}"),
    ))
}

/// Vector puts fields of records and parts of the time where a text says so, and has no way to write such a text.
fn check_template(field: &str, text: &str) -> Result<(), CompileError> {
    if !text.contains('%') && !text.contains("{{") {
        return Ok(());
    }
    Err(CompileError::field(
        field,
        "contains % or {{, which engine Vector would replace by parts of the record",
        format!("write it differently, or {ANOTHER}"),
    ))
}
