//! Where one output goes.

use std::collections::BTreeMap;

use tributary_crds::destination::{Datadog, Forward, Kafka, Splunk};
use tributary_crds::output;

use super::cloud;
use super::credentials::check_secret;
use super::template;
use super::text::{address, base_url, is_header_of_agent, name, url};
use crate::CompileError;
use crate::pipeline::Destination;
use crate::url::Url;

const FILE_DIRECTORY: &str = "/var/log/tributary/";

/// Checks where an output goes. `place` is the output's path, for messages; `tls` is whether it has settings for TLS.
pub fn compile(
    place: &str,
    wanted: &output::Destination<'_>,
    tls: bool,
) -> Result<Destination, CompileError> {
    Ok(match wanted {
        output::Destination::Elasticsearch(to) => Destination::Elasticsearch {
            url: url(&format!("{place}.elasticsearch.url"), &to.url, 9200)?,
            index: template::compile(
                &format!("{place}.elasticsearch.index"),
                &to.index,
                &template::INDICES,
            )?,
        },
        output::Destination::OpenSearch(to) => Destination::OpenSearch {
            url: url(&format!("{place}.openSearch.url"), &to.url, 9200)?,
            index: template::compile(
                &format!("{place}.openSearch.index"),
                &to.index,
                &template::INDICES,
            )?,
        },
        output::Destination::Loki(to) => Destination::Loki {
            url: base_url(
                &format!("{place}.loki.url"),
                &to.url,
                3100,
                "http://loki.logging:3100",
            )?,
            tenant_id: match &to.tenant_id {
                Some(tenant) => Some(check_header_value(&format!("{place}.loki.tenantId"), tenant)?),
                None => None,
            },
        },
        output::Destination::Otlp(to) => Destination::Otlp {
            endpoint: otlp_url(&format!("{place}.otlp.endpoint"), to)?,
            protocol: to.protocol,
        },
        output::Destination::Kafka(to) => kafka(&format!("{place}.kafka"), to)?,
        output::Destination::Splunk(to) => splunk(&format!("{place}.splunk"), to)?,
        output::Destination::Datadog(to) => datadog(&format!("{place}.datadog"), to)?,
        output::Destination::S3(to) => Destination::S3(cloud::s3(&format!("{place}.s3"), to)?),
        output::Destination::CloudWatch(to) => {
            Destination::CloudWatch(cloud::log_group(&format!("{place}.cloudWatch"), to)?)
        }
        output::Destination::GoogleCloudLogging(to) => {
            Destination::GoogleCloudLogging(cloud::google_log(&format!("{place}.googleCloudLogging"), to)?)
        }
        output::Destination::BigQuery(to) => {
            Destination::BigQuery(cloud::google_table(&format!("{place}.bigQuery"), to)?)
        }
        output::Destination::Gcs(to) => Destination::Gcs(cloud::google_bucket(&format!("{place}.gcs"), to)?),
        output::Destination::PubSub(to) => {
            Destination::PubSub(cloud::google_topic(&format!("{place}.pubSub"), to)?)
        }
        output::Destination::AzureMonitor(to) => {
            Destination::AzureMonitor(cloud::azure_table(&format!("{place}.azureMonitor"), to)?)
        }
        output::Destination::Syslog(to) => {
            let field = format!("{place}.syslog.address");
            syslog(address(&field, &to.address, "syslog.example:6514")?, tls)
        }
        output::Destination::Papertrail(to) => {
            let field = format!("{place}.papertrail.address");
            syslog(
                address(&field, &to.address, "logs2.papertrailapp.com:12345")?,
                true,
            )
        }
        output::Destination::Forward(to) => forward(&format!("{place}.forward"), to)?,
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

fn kafka(place: &str, kafka: &Kafka) -> Result<Destination, CompileError> {
    let field = format!("{place}.brokers");
    let broker = |text: &String| Ok(address(&field, text, "kafka-0.kafka:9092")?.authority());
    let brokers: Vec<String> = kafka.brokers.iter().map(broker).collect::<Result<_, _>>()?;
    if brokers.is_empty() {
        let remedy = "write at least one broker, such as kafka-0.kafka:9092";
        return Err(CompileError::field(field, "is empty", remedy));
    }
    let topic = template::compile(&format!("{place}.topic"), &kafka.topic, &template::TOPICS)?;
    Ok(Destination::Kafka {
        brokers,
        topic,
        sasl_mechanism: kafka.sasl_mechanism,
    })
}

fn splunk(place: &str, splunk: &Splunk) -> Result<Destination, CompileError> {
    let index = splunk
        .index
        .as_deref()
        .map(|index| template::compile(&format!("{place}.index"), index, &template::SPLUNK_INDICES));
    let source_type = splunk.source_type.as_deref().map(|source_type| {
        let characters = "letters, digits, colons, dots, underscores and dashes";
        name(
            &format!("{place}.sourceType"),
            source_type,
            255,
            ":._-",
            characters,
        )
    });
    Ok(Destination::Splunk {
        url: base_url(
            &format!("{place}.url"),
            &splunk.url,
            8088,
            "https://splunk.example:8088",
        )?,
        token: check_secret(&format!("{place}.tokenSecretRef"), &splunk.token_secret_ref)?,
        index: index.transpose()?,
        source_type: source_type.transpose()?,
    })
}

fn datadog(place: &str, datadog: &Datadog) -> Result<Destination, CompileError> {
    let field = format!("{place}.site");
    let end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let site = &datadog.site;
    let valid = site.len() <= 200 && site.starts_with(end) && site.ends_with(end);
    if !valid || site.starts_with("http-intake.") || !site.chars().all(|c| end(c) || ".-".contains(c)) {
        let remedy = "write the site alone, such as datadoghq.eu or us5.datadoghq.com";
        return Err(CompileError::field(field, format!("is {site:?}"), remedy));
    }
    let value = |field: &str, text: &Option<String>| {
        let characters = "letters, digits, colons, dots, slashes, underscores and dashes";
        text.as_deref()
            .map(|text| name(&format!("{place}.{field}"), text, 100, ":._/-", characters))
            .transpose()
    };
    Ok(Destination::Datadog {
        host: format!("http-intake.logs.{site}"),
        api_key: check_secret(&format!("{place}.apiKeySecretRef"), &datadog.api_key_secret_ref)?,
        service: value("service", &datadog.service)?,
        source: value("source", &datadog.source)?,
    })
}

fn syslog(address: Url, encrypted: bool) -> Destination {
    Destination::Syslog {
        host: address.host,
        port: address.port,
        encrypted,
    }
}

fn forward(place: &str, forward: &Forward) -> Result<Destination, CompileError> {
    let field = format!("{place}.address");
    let address = address(&field, &forward.address, "fluentd.logging:24224")?;
    let shared_key = match &forward.shared_key_secret_ref {
        Some(key) => Some(check_secret(&format!("{place}.sharedKeySecretRef"), key)?),
        None => None,
    };
    Ok(Destination::Forward {
        host: address.host,
        port: address.port,
        shared_key,
    })
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

fn check_header_name(field: &str, name: &str) -> Result<(), CompileError> {
    let token = |c: char| c.is_ascii_alphanumeric() || "!#%&*+-.^_`|~".contains(c);
    let fail = |problem: String, remedy: &str| Err(CompileError::field(field, problem, remedy));
    if name.is_empty() || !name.chars().all(token) {
        return fail(
            format!("has {name:?}, which is no header's name"),
            "write letters, digits and dashes",
        );
    }
    if name.eq_ignore_ascii_case("authorization") {
        return fail(
            format!("has {name:?}"),
            "a policy is no place for a secret: write auth.basic, auth.bearer or auth.apiKey",
        );
    }
    if is_header_of_agent(name) {
        return fail(format!("has {name:?}"), "remove it: the agent sets it");
    }
    Ok(())
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
