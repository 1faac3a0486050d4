//! What outputs get, where their side demands something else than the standard record.

use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;

use crate::topology::Vector;

/// What the sink of an output gets of a record.
fn shaped(output: &Value, record: &Value) -> Value {
    let mut output = output.clone();
    output["name"] = json!("out");
    let sources = json!({"containers": {}, "journald": {"units": ["kubelet.service"]}});
    let spec = json!({"nodeAgent": {"engine": "Vector", "sources": sources}, "outputs": [output]});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let config = render(&compile("test", &spec).unwrap()).unwrap();
    let records = Vector::new(&config.files).run("container-records", std::slice::from_ref(record), "to-out");
    assert_eq!(records.len(), 1);
    records[0].clone()
}

fn record() -> Value {
    json!({
        "time": "2026-01-02T03:04:05.678901234Z",
        "stream": "stdout",
        "message": "hello\nworld",
        "level": "warn",
        "data": {"a.b": {"c.d": [{"e.f": 1}]}, "l": ["a", 1, true], "n": 17, "ok": true, "r": 0.5, "none": null, "empty": {}},
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "cart-7d9f",
            "pod_id": "0a1b",
            "container_name": "app",
            "host": "node-1",
            "labels": {"app.kubernetes.io/name": "cart"},
        },
    })
}

/// A record of the node's journal.
fn journal() -> Value {
    json!({
        "time": "2026-01-02T03:04:05.000000000Z",
        "systemd": {"unit": "kubelet.service"},
        "message": "up",
        "kubernetes": {"host": "node-1"},
    })
}

#[test]
fn elasticsearch_gets_no_dots_in_keys() {
    let output = json!({"elasticsearch": {"url": "http://es.logging:9200"}});
    let mut expected = record();
    expected["@timestamp"] = expected["time"].clone();
    expected["kubernetes"]["labels"] = json!({"app_kubernetes_io/name": "cart"});
    expected["data"] = json!({"a_b": {"c_d": [{"e_f": 1}]}, "l": ["a", 1, true], "n": 17, "ok": true, "r": 0.5, "none": null, "empty": {}});
    assert_eq!(shaped(&output, &record()), expected);
    let mut expected = journal();
    expected["@timestamp"] = expected["time"].clone();
    assert_eq!(shaped(&output, &journal()), expected);
}

/// A list of attributes of OTLP as a map.
fn attributes(list: &Value) -> Value {
    let attributes = list.as_array().unwrap().iter();
    attributes
        .map(|attribute| {
            (
                attribute["key"].as_str().unwrap().to_owned(),
                attribute["value"].clone(),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn receivers_of_otlp_get_semantic_conventions() {
    let output = json!({"otlp": {"endpoint": "http://collector.logging:4318", "protocol": "Http"}});
    let text = |text: &str| json!({"stringValue": text});
    let request = shaped(&output, &record());
    let logs = &request["resourceLogs"][0];
    let resource = json!({
        "k8s.namespace.name": text("shop"),
        "k8s.pod.name": text("cart-7d9f"),
        "k8s.pod.uid": text("0a1b"),
        "k8s.container.name": text("app"),
        "k8s.node.name": text("node-1"),
        "k8s.pod.label.app.kubernetes.io/name": text("cart"),
    });
    assert_eq!(attributes(&logs["resource"]["attributes"]), resource);
    let log = &logs["scopeLogs"][0]["logRecords"][0];
    let details = json!({
        "log.iostream": text("stdout"),
        "data.a.b.c.d.0.e.f": {"intValue": 1},
        "data.l.0": text("a"),
        "data.l.1": {"intValue": 1},
        "data.l.2": {"boolValue": true},
        "data.n": {"intValue": 17},
        "data.ok": {"boolValue": true},
        "data.r": {"doubleValue": 0.5},
    });
    assert_eq!(attributes(&log["attributes"]), details);
    assert_eq!(log["body"], text("hello\nworld"));
    assert_eq!(log["severityText"], "warn");
    assert_eq!(log["severityNumber"], 13);
    assert_eq!(log["timeUnixNano"], 1_767_323_045_678_901_234_u64);

    let request = shaped(&json!({"loki": {"url": "http://loki.logging:3100"}}), &journal());
    let logs = &request["resourceLogs"][0];
    let node = json!({"k8s.node.name": text("node-1")});
    assert_eq!(attributes(&logs["resource"]["attributes"]), node);
    let log = &logs["scopeLogs"][0]["logRecords"][0];
    let unit = json!({"systemd.unit": text("kubelet.service")});
    assert_eq!(attributes(&log["attributes"]), unit);
    assert_eq!(log.get("severityNumber"), None);
}

#[test]
fn syslog_gets_a_header_and_one_line() {
    let output = json!({"syslog": {"address": "syslog.logging:514"}});
    let event = shaped(&output, &record());
    let (header, body) = event["message"].as_str().unwrap().split_once(" - - - ").unwrap();
    assert_eq!(header, "<14>1 2026-01-02T03:04:05.678901Z node-1 app");
    assert_eq!(serde_json::from_str::<Value>(body).unwrap(), record());
    assert!(!body.contains('\n'));
    let event = shaped(&output, &journal());
    let header = "<14>1 2026-01-02T03:04:05.000000Z node-1 kubelet.service - - - {";
    assert!(event["message"].as_str().unwrap().starts_with(header), "{event}");
}

#[test]
fn splunk_gets_an_event_with_the_record_in_it() {
    let token = json!({"name": "splunk", "key": "token"});
    let named = json!({"splunk": {
        "url": "https://splunk.logging", "tokenSecretRef": token, "index": "main", "sourceType": "kube:app",
    }});
    let expected = json!({
        "time": 1_767_323_045.678, "host": "node-1", "index": "main", "sourcetype": "kube:app", "event": record(),
    });
    assert_eq!(shaped(&named, &record()), expected);

    let plain = json!({"splunk": {"url": "https://splunk.logging", "tokenSecretRef": token}});
    let mut nowhere = journal();
    nowhere["kubernetes"] = json!({});
    let expected = json!({"time": 1_767_323_045.0, "event": nowhere});
    assert_eq!(shaped(&plain, &nowhere), expected);
}

#[test]
fn clouds_get_the_names_that_they_know() {
    let key = json!({"name": "datadog", "key": "api-key"});
    let datadog = json!({"datadog": {"apiKeySecretRef": key, "service": "shop", "source": "nginx"}});
    let event = shaped(&datadog, &record());
    let reserved = ["hostname", "status", "service", "ddsource", "message"].map(|field| event[field].clone());
    assert_eq!(reserved, ["node-1", "warn", "shop", "nginx", "hello\nworld"]);

    let google = json!({"googleCloudLogging": {
        "projectId": "project-1", "logName": "app", "clusterName": "prod", "location": "europe-west1",
    }});
    let event = shaped(&google, &journal());
    let resource = json!({"namespace_name": "", "pod_name": "", "container_name": ""});
    assert_eq!(event["resource"], resource);
    assert_eq!(event["severity"], "default");
}
