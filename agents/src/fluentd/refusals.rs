//! What Fluentd cannot do with an output that it can send to.

use tributary_crds::output::OtlpProtocol;

use crate::CompileError;
use crate::pipeline::{Destination, Output};

/// Refuses it. `place` is the output's path, for messages.
pub fn check(place: &str, output: &Output) -> Result<(), CompileError> {
    if let Destination::Otlp {
        protocol: OtlpProtocol::Grpc,
        ..
    } = output.destination
    {
        return Err(CompileError::field(
            format!("{place}.otlp.protocol"),
            "is Grpc, which engine Fluentd does not speak",
            "write protocol: Http, or engine: OpenTelemetryCollector",
        ));
    }
    check_prefix(place, &output.destination)?;
    let Some(tls) = &output.tls else {
        return Ok(());
    };
    let by_plugin = matches!(
        output.destination,
        Destination::Kafka { .. } | Destination::Forward { .. }
    );
    if tls.server_name.is_some() && by_plugin {
        return Err(CompileError::field(
            format!("{place}.tls.serverName"),
            "is set, but engine Fluentd only knows the name in the address here",
            "write the certificate's name in the address, or engine: OpenTelemetryCollector",
        ));
    }
    if tls.insecure_skip_verify && matches!(output.destination, Destination::Kafka { .. }) {
        return Err(CompileError::field(
            format!("{place}.tls.insecureSkipVerify"),
            "is set, but engine Fluentd always checks the certificates of brokers",
            "write caSecretRef, or engine: OpenTelemetryCollector",
        ));
    }
    Ok(())
}

/// Fluentd takes no tag for a path that may lead out of a directory, and drops what has it.
fn check_prefix(place: &str, destination: &Destination) -> Result<(), CompileError> {
    let (field, prefix) = match destination {
        Destination::S3(bucket) => ("s3.prefix", &bucket.prefix),
        Destination::Gcs(bucket) => ("gcs.prefix", &bucket.prefix),
        _ => return Ok(()),
    };
    match prefix {
        Some(prefix) if prefix.fixed().is_none() && prefix.filled("x").contains("../") => {
            Err(CompileError::field(
                format!("{place}.{field}"),
                "has ../ and a placeholder, which engine Fluentd does not take together",
                "write a name that does not end in two dots",
            ))
        }
        Some(_) | None => Ok(()),
    }
}
