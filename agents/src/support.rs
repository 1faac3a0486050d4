//! What an engine cannot do, although another can.

use tributary_crds::compression::Compression;
use tributary_crds::output::OtlpProtocol;
use tributary_crds::policy::Engine;
use tributary_crds::support::{self, AuthMethod, OutputSupport, Refusal};

use crate::CompileError;
use crate::pipeline::{Auth, Destination, Output};

/// Refuses a way to compress that a policy chose, when the engine does not know it. `place` is the output's path, for messages.
pub fn check_compression(
    place: &str,
    support: &OutputSupport,
    way: Compression,
    engine: Engine,
) -> Result<(), CompileError> {
    let deed = support::compression_deed(way, support.field, support.compressing(way));
    match support.compression_misfit(way).or_else(|| deed.refusal(engine)) {
        Some(refusal) => Err(CompileError::Refused {
            field: format!("{place}.compression"),
            refusal,
        }),
        None => Ok(()),
    }
}

/// Refuses what the engine cannot do with an output. `place` is the output's path, for messages.
pub fn check(
    place: &str,
    support: &OutputSupport,
    output: &Output,
    engine: Engine,
) -> Result<(), CompileError> {
    let refuse = |field: String, refusal: Option<Refusal>| match refusal {
        Some(refusal) => Err(CompileError::Refused { field, refusal }),
        None => Ok(()),
    };
    refuse(
        format!("{place}.{}", support.field),
        support.deed().refusal(engine),
    )?;
    let when_full = support::when_full_deed(output.buffer.when_full).refusal(engine);
    refuse(format!("{place}.buffer.whenFull"), when_full)?;
    if output.tls.is_some() {
        refuse(format!("{place}.tls"), support.tls_misfit())?;
    }
    if let Some(auth) = &output.auth {
        let method = match auth {
            Auth::Basic { .. } => AuthMethod::Basic,
            Auth::Bearer { .. } => AuthMethod::Bearer,
            Auth::ApiKey { .. } => AuthMethod::ApiKey,
        };
        let field = format!("{place}.auth.{}", method.field());
        refuse(field.clone(), support.auth_misfit(method))?;
        let refusal = support.auth_deed(method).and_then(|deed| deed.refusal(engine));
        refuse(field, refusal)?;
    }
    check_placeholders(place, support, output, engine)?;
    check_plain_grpc(place, output)?;
    match engine {
        Engine::OpenTelemetryCollector => check_collector(place, support, output),
        Engine::FluentBit => check_fluent_bit(place, output),
        Engine::Fluentd => Ok(()),
        Engine::Vector => crate::vector::check(place, output),
    }
}

fn check_placeholders(
    place: &str,
    support: &OutputSupport,
    output: &Output,
    engine: Engine,
) -> Result<(), CompileError> {
    let templates = output.destination.templates().into_iter();
    for (field, _) in templates.filter(|(_, template)| template.fixed().is_none()) {
        let name = format!("{}.{field}", support.field);
        if let Some(refusal) = support::placeholder_deed(&name, support::filling(&name)).refusal(engine) {
            return Err(CompileError::Refused {
                field: format!("{place}.{name}"),
                refusal,
            });
        }
    }
    Ok(())
}

fn check_plain_grpc(place: &str, output: &Output) -> Result<(), CompileError> {
    match &output.destination {
        Destination::Otlp {
            endpoint,
            protocol: OtlpProtocol::Grpc,
        } if !endpoint.https && output.auth.is_some() => Err(CompileError::field(
            format!("{place}.auth"),
            "is set, but gRPC sends no credentials without TLS",
            "write https:// in otlp.endpoint, or protocol: Http",
        )),
        _ => Ok(()),
    }
}

fn check_collector(place: &str, support: &OutputSupport, output: &Output) -> Result<(), CompileError> {
    match &output.destination {
        // Some releases of its exporter put host and port together without the brackets.
        Destination::Syslog { host, .. } if host.contains(':') => Err(CompileError::field(
            format!("{place}.{}.address", support.field),
            "is an IPv6 address, which engine OpenTelemetryCollector may not reach",
            "write a DNS name, or engine: FluentBit",
        )),
        _ => Ok(()),
    }
}

fn check_fluent_bit(place: &str, output: &Output) -> Result<(), CompileError> {
    if let Some(Auth::Basic { username, .. }) = &output.auth {
        check_expansion(&format!("{place}.auth.basic.username"), username)?;
    }
    match &output.destination {
        Destination::Elasticsearch { url, .. } => {
            check_api_key_header(place, output)?;
            check_expansion(&format!("{place}.elasticsearch.url"), &url.path)?;
        }
        Destination::OpenSearch { url, .. } => {
            check_expansion(&format!("{place}.openSearch.url"), &url.path)?;
        }
        Destination::Kafka { .. } => check_kafka_name(place, output)?,
        Destination::Loki { tenant_id, .. } => {
            check_expansion(
                &format!("{place}.loki.tenantId"),
                tenant_id.as_deref().unwrap_or_default(),
            )?;
        }
        Destination::Otlp { endpoint, protocol } => {
            check_grpc_compression(place, *protocol, output.compression)?;
            check_expansion(&format!("{place}.otlp.endpoint"), &endpoint.path)?;
        }
        Destination::Http { url, headers } => {
            check_expansion(&format!("{place}.http.url"), &url.path)?;
            for value in headers.values() {
                check_expansion(&format!("{place}.http.headers"), value)?;
            }
        }
        // Their names hold no dollars.
        Destination::Splunk { .. }
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
        | Destination::File { .. } => {}
    }
    Ok(())
}

/// Its plugin sends gRPC as it is. That nobody chose a way does not matter.
fn check_grpc_compression(
    place: &str,
    protocol: OtlpProtocol,
    compression: Compression,
) -> Result<(), CompileError> {
    if protocol == OtlpProtocol::Grpc && compression == Compression::Zstd {
        return Err(CompileError::field(
            format!("{place}.compression"),
            "is Zstd, but engine FluentBit compresses nothing that it sends by gRPC",
            "write protocol: Http in otlp",
        ));
    }
    Ok(())
}

fn check_kafka_name(place: &str, output: &Output) -> Result<(), CompileError> {
    if output.tls.as_ref().is_none_or(|tls| tls.server_name.is_none()) {
        return Ok(());
    }
    Err(CompileError::field(
        format!("{place}.tls.serverName"),
        "is set, but engine FluentBit only knows the names in kafka.brokers",
        "remove it, or write engine: OpenTelemetryCollector",
    ))
}

/// Its plugin for Elasticsearch adds no headers.
fn check_api_key_header(place: &str, output: &Output) -> Result<(), CompileError> {
    match &output.auth {
        Some(Auth::ApiKey { header: Some(_), .. }) => Err(CompileError::field(
            format!("{place}.auth.apiKey.header"),
            "is set, but engine FluentBit only sends Authorization: ApiKey to elasticsearch",
            "remove it, or write engine: OpenTelemetryCollector",
        )),
        Some(Auth::ApiKey { header: None, .. } | Auth::Basic { .. } | Auth::Bearer { .. }) | None => Ok(()),
    }
}

/// Fluent Bit replaces `${NAME}` everywhere, and has no way to write it.
pub fn check_expansion(field: &str, text: &str) -> Result<(), CompileError> {
    if !text.contains("${") {
        return Ok(());
    }
    let remedy = "write it differently, or engine: OpenTelemetryCollector";
    Err(CompileError::field(
        field,
        "contains ${, which engine FluentBit would replace by a variable",
        remedy,
    ))
}
