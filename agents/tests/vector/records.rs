//! What Vector's programs make of records: they are compiled and run by the language's own crate.

use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

use crate::record_cases;
use crate::topology::{self, Vector};

fn vector(spec: &Value) -> Vector {
    let spec: LoggingPolicySpec = serde_json::from_value(spec.clone()).unwrap();
    Vector::new(&render(&compile("test", &spec).unwrap()).unwrap().files)
}

fn node(selector: &Value, processors: &Value, output: &Value) -> Vector {
    let sources = json!({"containers": {}, "files": [{"path": "/var/log/syslog"}], "journald": {"units": ["kubelet.service"]}});
    vector(&json!({
        "selector": selector,
        "nodeAgent": {"engine": "Vector", "sources": sources},
        "processors": processors,
        "outputs": [output],
    }))
}

#[test]
fn processors_mean_what_they_mean_everywhere() {
    let cases = record_cases::cases();
    assert!(cases.len() >= 30);
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| !case.is_refused(Engine::Vector)) {
        let spec = case.spec(Engine::Vector);
        let vector = Vector::new(&render(&compile("test", &spec).unwrap()).unwrap().files);
        for example in &case.examples {
            let before = std::slice::from_ref(&example.before);
            let after = vector.run("container-records", before, "to-out").pop();
            if after != example.after {
                wrong.push(format!(
                    "{}: {after:#?} instead of {:#?}",
                    case.name, example.after
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// An event of `kubernetes_logs`.
fn line(message: &str, stream: &str, partial: bool) -> Value {
    let mut event = json!({
        "file": "/var/log/pods/shop_cart-7d9f_0a1b2c3d-0000-4000-8000-000000000001/app/0.log",
        "message": message,
        "stream": stream,
        "source_type": "kubernetes_logs",
        "timestamp": "2026-01-02T03:04:05.678901234Z",
        "kubernetes": {
            "container_name": "app",
            "namespace_labels": {"team": "core"},
            "pod_labels": {"app.kubernetes.io/name": "cart", "tier": "prod"},
            "pod_name": "cart-7d9f",
            "pod_namespace": "shop",
            "pod_uid": "ffffffff-0000-4000-8000-000000000002",
        },
    });
    if partial {
        event["_partial"] = json!(true);
    }
    event
}

fn messages(records: &[Value]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record["message"].as_str().unwrap())
        .collect()
}

const STDOUT: &str = r#"{"name": "out", "stdout": {}}"#;

fn stdout() -> Value {
    serde_json::from_str(STDOUT).unwrap()
}

#[test]
fn a_line_of_a_container_becomes_a_record() {
    let vector = node(&json!({}), &json!([]), &stdout());
    let mut records = vector.run("containers", &[line("hello", "stderr", false)], "to-out");
    let mut record = records.pop().unwrap();
    // When the event is converted to JSON, its time is a text, which no program takes for a time.
    assert!(record["time"].take().as_str().unwrap().ends_with('Z'));
    let expected = json!({
        "time": null,
        "stream": "stderr",
        "message": "hello",
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "cart-7d9f",
            // A pod that has the name of an earlier one is not that one.
            "pod_id": "0a1b2c3d-0000-4000-8000-000000000001",
            "container_name": "app",
            "host": "",
            "labels": {"app.kubernetes.io/name": "cart", "tier": "prod"},
        },
    });
    assert_eq!(record, expected);
}

#[test]
fn time_and_node_are_what_the_runtime_and_kubernetes_say() {
    let spec = json!({"nodeAgent": {"engine": "Vector"}, "outputs": [stdout()]});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let files = render(&compile("test", &spec).unwrap()).unwrap().files;
    // The event's time is no text, and of the variables that a test has, this one stands for the node's name.
    let source = [
        "if true { .timestamp = parse_timestamp(.timestamp, \"%+\") ?? null }\n",
        &files["container-records.vrl"].replace("K8S_NODE_NAME", "CARGO_PKG_NAME"),
    ]
    .concat();
    let program = topology::program(&source, &vrl::stdlib::all());
    let record = topology::run(&program, line("hello", "stdout", false)).unwrap();
    assert_eq!(record["time"], "2026-01-02T03:04:05.678901234Z");
    assert_eq!(record["kubernetes"]["host"], env!("CARGO_PKG_NAME"));
    let mut whole_second = line("hello", "stdout", false);
    whole_second["timestamp"] = json!("2026-01-02T05:04:05+02:00");
    let record = topology::run(&program, whole_second).unwrap();
    assert_eq!(record["time"], "2026-01-02T03:04:05.000000000Z");
}

#[test]
fn a_static_pod_has_the_uid_of_its_mirror() {
    let vector = node(&json!({}), &json!([]), &stdout());
    let mut event = line("hello", "stdout", false);
    event["file"] =
        json!("/var/log/pods/kube-system_etcd-node-1_5f3c9d2b7a6e4f1d8c0b9a8e7d6c5b4a/etcd/3.log");
    let record = vector.run("containers", &[event], "to-out").pop().unwrap();
    assert_eq!(
        record["kubernetes"]["pod_id"],
        "ffffffff-0000-4000-8000-000000000002"
    );
    assert_eq!(record["kubernetes"]["container_name"], "etcd");
}

#[test]
fn pieces_are_joined_by_stream_and_cut_at_a_length() {
    let vector = node(&json!({}), &json!([]), &stdout());
    let lines = [
        line("out 1", "stdout", true),
        line("err 1", "stderr", true),
        line(", out 2", "stdout", false),
        line(", err 2", "stderr", false),
    ];
    let records = vector.run("containers", &lines, "to-out");
    assert_eq!(messages(&records), ["out 1, out 2", "err 1, err 2"]);

    let endless: Vec<Value> = (0..20).map(|_| line("x", "stdout", true)).collect();
    let records = vector.run("containers", &endless, "to-out");
    assert_eq!(messages(&records), ["x".repeat(16), "x".repeat(4)]);
}

#[test]
fn containers_are_selected_by_labels_of_pods_and_namespaces() {
    let kept = |selector: Value| {
        let vector = node(&selector, &json!([]), &stdout());
        vector
            .run("containers", &[line("hello", "stdout", false)], "to-out")
            .len()
    };
    let by_namespace = |labels: Value| kept(json!({"namespaceSelector": {"matchLabels": labels}}));
    assert_eq!(by_namespace(json!({"team": "core"})), 1);
    assert_eq!(by_namespace(json!({"team": "other"})), 0);
    assert_eq!(by_namespace(json!({"kubernetes.io/metadata.name": "shop"})), 1);
    assert_eq!(by_namespace(json!({"kubernetes.io/metadata.name": "bank"})), 0);
    let by_pod = |operator: &str, values: Value| {
        let expression = json!({"key": "tier", "operator": operator, "values": values});
        kept(json!({"podSelector": {"matchExpressions": [expression]}}))
    };
    assert_eq!(by_pod("In", json!(["prod", "test"])), 1);
    assert_eq!(by_pod("NotIn", json!(["prod"])), 0);
    assert_eq!(by_pod("Exists", json!(null)), 1);
    assert_eq!(by_pod("DoesNotExist", json!(null)), 0);
}

#[test]
fn lines_of_a_trace_are_joined() {
    let vector = node(
        &json!({}),
        &json!([{"multiline": {"preset": "Java"}}, {"parse": {"format": "Json"}}]),
        &stdout(),
    );
    let lines = [
        line("Exception in thread main", "stdout", false),
        line("a line of stderr", "stderr", false),
        line("\tat a.b.C.d(C.java:1)", "stdout", false),
        line("Caused by: x", "stdout", false),
        line("{\"a\":1}", "stdout", false),
    ];
    let records = vector.run("containers", &lines, "to-out");
    let expected = [
        "Exception in thread main\n\tat a.b.C.d(C.java:1)\nCaused by: x",
        "a line of stderr",
        "{\"a\":1}",
    ];
    assert_eq!(messages(&records), expected);
    assert!(records.iter().all(|record| record.get("begins").is_none()));
    assert_eq!(records[0]["kubernetes"]["labels"]["tier"], "prod");
    assert_eq!(records[2]["data"], json!({"a": 1}));
}

#[test]
fn lines_of_files_and_the_journal_become_records() {
    let vector = node(
        &json!({}),
        &json!([{"multiline": {"start": "^[a-z]"}}]),
        &stdout(),
    );
    let line = |message: &str| json!({"file": "/var/log/syslog", "host": "agent-x", "message": message, "source_type": "file"});
    let mut records = vector.run("files", &[line("one"), line(" two"), line("three")], "to-out");
    for record in &mut records {
        record["time"].take();
    }
    let record = |message: &str| json!({"time": null, "file": "/var/log/syslog", "message": message, "kubernetes": {"host": ""}});
    assert_eq!(records, [record("one\n two"), record("three")]);

    let entry = json!({"message": "up", "PRIORITY": "4", "_SYSTEMD_UNIT": "kubelet.service", "host": "x"});
    let odd = json!({"PRIORITY": "x", "_SYSTEMD_UNIT": "kubelet.service"});
    let mut records = vector.run("journal", &[entry, odd], "to-out");
    for record in &mut records {
        record["time"].take();
    }
    let record = json!({"time": null, "systemd": {"unit": "kubelet.service"}, "message": "up", "level": "warn", "kubernetes": {"host": ""}});
    assert_eq!(records[0], record);
    assert_eq!(records[1]["message"], "");
    assert_eq!(records[1].get("level"), None);
}

#[test]
fn more_records_than_the_measure_are_dropped() {
    let throttle = json!([
        {"throttle": {"recordsPerSecond": 1, "per": ["data.user", "stream"]}, "where": [{"field": "message", "matches": "user"}]},
        {"set": {"field": "level", "value": "info"}},
    ]);
    let processors = json!([{"parse": {"format": "Json"}}, throttle[0], throttle[1]]);
    let vector = node(&json!({}), &processors, &stdout());
    let ann = || line(r#"{"user":"ann"}"#, "stdout", false);
    let lines = [
        ann(),
        ann(),
        line(r#"{"user":"bob"}"#, "stdout", false),
        line(r#"{"user":"ann"}"#, "stderr", false),
        line("other", "stdout", false),
        line("other", "stdout", false),
    ];
    let records = vector.run("containers", &lines, "to-out");
    assert_eq!(records.len(), 5);
    let clean = |record: &Value| record.get("measure").is_none() && record["level"] == "info";
    assert!(records.iter().all(clean), "{records:#?}");
}

#[test]
fn about_as_many_are_sampled_as_are_asked_for() {
    let vector = node(&json!({}), &json!([{"sample": {"percent": 20}}]), &stdout());
    let lines: Vec<Value> = (0..2000).map(|_| line("x", "stdout", false)).collect();
    let kept = vector.run("containers", &lines, "to-out").len();
    assert!((250..550).contains(&kept), "{kept} of 2000");
}
