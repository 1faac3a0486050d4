//! One output: where it goes, and what belongs to it.

use tributary_crds::compression::Compression;
use tributary_crds::output;
use tributary_crds::policy::Engine;
use tributary_crds::quantity::ExactQuantity;
use tributary_crds::support::destinations;

use super::check_name;
use super::condition::compile_conditions;
use super::credentials::{compile_auth, compile_tls};
use super::destination;
use crate::CompileError;
use crate::pipeline::{Buffer, Destination, Output};
use crate::support;

/// The smallest buffer that holds a batch of the longest lines.
const LEAST_BUFFER: u64 = 16 << 20;
/// Beyond it, sizes do not fit the engines' signed numbers.
const LARGEST_BUFFER: u64 = 1 << 60;

/// Checks one output for an engine. `place` is its path, for messages.
pub fn compile(place: &str, output: &output::Output, engine: Engine) -> Result<Output, CompileError> {
    check_name(&format!("{place}.name"), &output.name)?;
    let Some(wanted) = output.destination() else {
        return Err(CompileError::field(
            place,
            "does not have exactly one destination",
            format!("write exactly one of {}", destinations()),
        ));
    };
    let destination = destination::compile(place, &wanted, output.tls.is_some())?;
    let auth = output
        .auth
        .as_ref()
        .map(|auth| compile_auth(&format!("{place}.auth"), auth))
        .transpose()?;
    let tls = output
        .tls
        .as_ref()
        .map(|tls| compile_tls(&format!("{place}.tls"), tls))
        .transpose()?;
    check_transport(place, &destination, auth.is_some(), tls.is_some())?;
    let conditions = compile_conditions(&format!("{place}.where"), &output.conditions)?;
    let buffer = compile_buffer(&format!("{place}.buffer"), &output.buffer)?;
    let compiled = Output {
        name: output.name.clone(),
        compression: output.compression.unwrap_or(default_compression(&destination)),
        destination,
        conditions,
        auth,
        tls,
        buffer,
    };
    support::check(place, wanted.support(), &compiled, engine)?;
    if let Some(way) = output.compression {
        support::check_compression(place, wanted.support(), way, engine)?;
    }
    Ok(compiled)
}

/// What nobody chose: what every server of the kind takes. A web server or a syslog server need not take anything compressed.
fn default_compression(destination: &Destination) -> Compression {
    match destination {
        Destination::Http { .. }
        | Destination::Syslog { .. }
        | Destination::Stdout
        | Destination::File { .. } => Compression::None,
        Destination::Elasticsearch { .. }
        | Destination::OpenSearch { .. }
        | Destination::Loki { .. }
        | Destination::Otlp { .. }
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
        | Destination::Forward { .. } => Compression::Gzip,
    }
}

/// A destination that uses no network takes neither auth nor tls; one that starts with `http:` takes no tls.
fn check_transport(
    place: &str,
    destination: &Destination,
    auth: bool,
    tls: bool,
) -> Result<(), CompileError> {
    if matches!(destination, Destination::Stdout | Destination::File { .. }) && (auth || tls) {
        return Err(CompileError::field(
            place,
            "uses no network",
            "remove auth and tls",
        ));
    }
    // Those without a URL have TLS where `tls` is, or always.
    if tls && destination.url().is_some_and(|url| !url.https) {
        let remedy = "write https:// in the address, or remove tls";
        return Err(CompileError::field(
            format!("{place}.tls"),
            "is set, but the address starts with http://",
            remedy,
        ));
    }
    Ok(())
}

fn compile_buffer(place: &str, buffer: &output::Buffer) -> Result<Buffer, CompileError> {
    Ok(Buffer {
        max_size: parse_buffer_size(&format!("{place}.maxSize"), &buffer.max_size)?,
        when_full: buffer.when_full,
    })
}

/// Reads the size of a buffer, in bytes. `field` is its path, for messages.
pub fn parse_buffer_size(field: &str, size: &str) -> Result<u64, CompileError> {
    size.parse()
        .ok()
        .and_then(ExactQuantity::in_units)
        .filter(|size| (LEAST_BUFFER..=LARGEST_BUFFER).contains(size))
        .ok_or_else(|| {
            CompileError::field(
                field,
                format!("is {size:?}"),
                "write a size of at least 16Mi, such as 512Mi or 2Gi",
            )
        })
}
