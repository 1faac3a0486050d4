//! One output: where it goes, and what belongs to it.

use std::collections::BTreeMap;

use tributary_crds::output;
use tributary_crds::policy::Engine;
use tributary_crds::quantity::ExactQuantity;

use super::check_name;
use super::condition::compile_condition;
use super::credentials::{compile_auth, compile_tls};
use crate::CompileError;
use crate::pipeline::{Buffer, Destination, Output};
use crate::support;
use crate::url::Url;

/// The smallest buffer that holds a batch of the longest lines.
const LEAST_BUFFER: u64 = 16 << 20;
/// Beyond it, sizes do not fit the engines' signed numbers.
const LARGEST_BUFFER: u64 = 1 << 60;
const FILE_DIRECTORY: &str = "/var/log/tributary/";

/// Checks one output for an engine. `place` is its path, for messages.
pub fn compile(place: &str, output: &output::Output, engine: Engine) -> Result<Output, CompileError> {
    check_name(&format!("{place}.name"), &output.name)?;
    let destination = destination(place, output)?;
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
    let conditions = output
        .conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| compile_condition(&format!("{place}.where[{index}]"), condition))
        .collect::<Result<_, _>>()?;
    let buffer = compile_buffer(&format!("{place}.buffer"), &output.buffer)?;
    let compiled = Output {
        name: output.name.clone(),
        destination,
        conditions,
        auth,
        tls,
        buffer,
    };
    support::check(place, &compiled, engine)?;
    Ok(compiled)
}

fn destination(place: &str, output: &output::Output) -> Result<Destination, CompileError> {
    let Some(destination) = output.destination() else {
        let remedy = "write exactly one of elasticsearch, loki, otlp, http, stdout and file";
        return Err(CompileError::field(
            place,
            "does not have exactly one destination",
            remedy,
        ));
    };
    Ok(match destination {
        output::Destination::Elasticsearch(to) => Destination::Elasticsearch {
            url: url(&format!("{place}.elasticsearch.url"), &to.url, 9200)?,
            index: check_index(&format!("{place}.elasticsearch.index"), &to.index)?,
        },
        output::Destination::Loki(to) => Destination::Loki {
            url: loki_url(&format!("{place}.loki.url"), &to.url)?,
            tenant_id: match &to.tenant_id {
                Some(tenant) => Some(check_header_value(&format!("{place}.loki.tenantId"), tenant)?),
                None => None,
            },
        },
        output::Destination::Otlp(to) => Destination::Otlp {
            endpoint: otlp_url(&format!("{place}.otlp.endpoint"), to)?,
            protocol: to.protocol,
        },
        output::Destination::Http(to) => {
            let mut headers = BTreeMap::new();
            for (name, value) in &to.headers {
                let field = format!("{place}.http.headers");
                check_header_name(&field, name)?;
                headers.insert(name.clone(), check_header_value(&field, value)?);
            }
            Destination::Http {
                url: http_url(&format!("{place}.http.url"), &to.url)?,
                headers,
            }
        }
        output::Destination::Stdout => Destination::Stdout,
        output::Destination::File(to) => Destination::File {
            name: file_name(&format!("{place}.file.path"), &to.path)?,
        },
    })
}

fn url(field: &str, text: &str, default_port: u16) -> Result<Url, CompileError> {
    Url::parse(text, default_port).map_err(|problem| {
        CompileError::field(
            field,
            problem,
            "write an absolute URL without credentials, such as https://host.namespace:8443/path",
        )
    })
}

fn http_url(field: &str, text: &str) -> Result<Url, CompileError> {
    let url = url(field, text, 80)?;
    if !url.path.is_empty() && !url.path.starts_with("/?") {
        return Ok(url);
    }
    Err(CompileError::field(
        field,
        "has no path",
        "write where to POST, such as https://collector.logging/logs",
    ))
}

fn loki_url(field: &str, text: &str) -> Result<Url, CompileError> {
    let url = url(field, text, 3100)?;
    if url.path.is_empty() {
        return Ok(url);
    }
    Err(CompileError::field(
        field,
        format!("has the path {:?}", url.path),
        "write the server's base URL, such as http://loki.logging:3100",
    ))
}

fn otlp_url(field: &str, otlp: &output::Otlp) -> Result<Url, CompileError> {
    let (default_port, grpc) = match otlp.protocol {
        output::OtlpProtocol::Http => (4318, false),
        output::OtlpProtocol::Grpc => (4317, true),
    };
    let url = url(field, &otlp.endpoint, default_port)?;
    if grpc && !url.path.is_empty() {
        return Err(CompileError::field(
            field,
            "has a path, which gRPC does not use",
            "remove the path, or write protocol: Http",
        ));
    }
    Ok(url)
}

fn file_name(field: &str, path: &str) -> Result<String, CompileError> {
    let name = path.strip_prefix(FILE_DIRECTORY).filter(|name| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        !name.is_empty() && name.len() <= 200 && name.chars().all(plain) && !name.chars().all(|c| c == '.')
    });
    name.map(str::to_owned).ok_or_else(|| {
        CompileError::field(
            field,
            format!("is {path:?}"),
            "write a file directly in /var/log/tributary/, such as /var/log/tributary/all.jsonl",
        )
    })
}

/// A destination that uses no network takes neither auth nor tls; one that starts with `http:` takes no tls.
fn check_transport(
    place: &str,
    destination: &Destination,
    auth: bool,
    tls: bool,
) -> Result<(), CompileError> {
    let https = match destination {
        Destination::Elasticsearch { url, .. }
        | Destination::Loki { url, .. }
        | Destination::Http { url, .. } => url.https,
        Destination::Otlp { endpoint, .. } => endpoint.https,
        Destination::Stdout | Destination::File { .. } if auth || tls => {
            return Err(CompileError::field(
                place,
                "uses no network",
                "remove auth and tls",
            ));
        }
        Destination::Stdout | Destination::File { .. } => return Ok(()),
    };
    if tls && !https {
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

fn check_index(field: &str, index: &str) -> Result<String, CompileError> {
    let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if index.len() <= 255 && index.starts_with(first) && index.chars().all(|c| first(c) || "._-".contains(c))
    {
        return Ok(index.to_owned());
    }
    let remedy = "write at most 255 lower-case letters, digits, dots, underscores and dashes, starting with a letter or digit";
    Err(CompileError::field(field, format!("is {index:?}"), remedy))
}

fn check_header_name(field: &str, name: &str) -> Result<(), CompileError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#%&*+-.^_`|~".contains(c);
    let fail = |problem: String, remedy: &str| Err(CompileError::field(field, problem, remedy));
    if name.is_empty() || !name.chars().all(token) {
        return fail(
            format!("has {name:?}, which is no header's name"),
            "write letters, digits and dashes",
        );
    }
    match name.to_ascii_lowercase().as_str() {
        "authorization" => fail(
            format!("has {name:?}"),
            "a policy is no place for a secret: write auth.basic or auth.bearer",
        ),
        "host" | "content-length" | "transfer-encoding" | "connection" | "content-encoding" => {
            fail(format!("has {name:?}"), "remove it: the agent sets it")
        }
        _ => Ok(()),
    }
}

fn check_header_value(field: &str, value: &str) -> Result<String, CompileError> {
    if !value.is_empty() && value.chars().all(|c| (' '..='~').contains(&c)) && value.trim() == value {
        return Ok(value.to_owned());
    }
    let remedy = "write printable ASCII characters without spaces at the ends";
    Err(CompileError::field(
        field,
        format!("has the value {value:?}"),
        remedy,
    ))
}
