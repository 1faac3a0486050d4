//! The least that each row of the support table needs to be asked for.

use serde_json::{Value, json};
use tributary_crds::support::AuthMethod;

/// The least that a destination of each kind needs.
pub fn destination(field: &str) -> Value {
    match field {
        "elasticsearch" | "openSearch" | "loki" => json!({"url": "https://host.example"}),
        "otlp" => json!({"endpoint": "https://host.example"}),
        "kafka" => json!({"brokers": ["host.example:9092"], "topic": "logs"}),
        "splunk" => json!({"url": "https://host.example:8088", "tokenSecretRef": {"name": "s", "key": "k"}}),
        "datadog" => json!({"apiKeySecretRef": {"name": "s", "key": "k"}}),
        "s3" => json!({"bucket": "logs", "region": "eu-central-1"}),
        "cloudWatch" => json!({"region": "eu-central-1", "logGroup": "logs"}),
        "googleCloudLogging" => {
            json!({"projectId": "my-project", "clusterName": "prod", "location": "europe-west1"})
        }
        "bigQuery" => json!({"projectId": "my-project", "dataset": "logs", "table": "records"}),
        "gcs" => json!({"bucket": "logs"}),
        "pubSub" => json!({"projectId": "my-project", "topic": "logs"}),
        "azureMonitor" => json!({
            "endpoint": "https://host.example", "ruleId": "dcr-0", "table": "Logs_CL", "tenantId": "t", "clientId": "c",
            "clientSecretRef": {"name": "s", "key": "k"},
        }),
        "syslog" | "papertrail" | "forward" => json!({"address": "host.example:6514"}),
        "http" => json!({"url": "https://host.example/logs"}),
        "stdout" => json!({}),
        "file" => json!({"path": "/var/log/tributary/a"}),
        field => panic!("write here the least that {field} needs"),
    }
}

/// A value with a placeholder for one of the support table's templates.
pub fn template(name: &str) -> &'static str {
    match name {
        "elasticsearch.index" | "openSearch.index" | "splunk.index" | "kafka.topic" => {
            "logs-{kubernetes.container_name}"
        }
        "s3.prefix" | "gcs.prefix" => "logs/{kubernetes.namespace_name}",
        "cloudWatch.logGroup" | "cloudWatch.logStream" => "/logs/{kubernetes.labels.app}",
        name => panic!("write here a name for {name}"),
    }
}

/// A credential by each method.
pub fn auth(method: AuthMethod) -> Value {
    let secret = json!({"name": "s", "key": "k"});
    match method {
        AuthMethod::Basic => json!({"basic": {"username": "u", "passwordSecretRef": secret}}),
        AuthMethod::Bearer => json!({"bearer": {"tokenSecretRef": secret}}),
        AuthMethod::ApiKey => json!({"apiKey": {"keySecretRef": secret}}),
    }
}

/// The least that a source of each kind needs.
pub fn source(name: &str) -> Value {
    match name {
        "containers" => json!({}),
        "journald" => json!({"units": ["kubelet.service"]}),
        "files" => json!([{"path": "/var/log/syslog"}]),
        name => panic!("write here the least that {name} needs"),
    }
}

/// The least that a processor of each kind needs, besides `where`.
pub fn processor(name: &str) -> Value {
    match name {
        "parse" => json!({"format": "Json"}),
        "multiline" => json!({"preset": "Java"}),
        "keep" | "drop" => json!({}),
        "redact" => json!({"presets": ["Email"]}),
        "set" => json!({"field": "level", "value": "info"}),
        "rename" => json!({"from": "data.a", "to": "message"}),
        "remove" => json!({"fields": ["data.a"]}),
        "sample" => json!({"percent": 10}),
        "throttle" => json!({"recordsPerSecond": 10}),
        name => panic!("write here the least that {name} needs"),
    }
}
