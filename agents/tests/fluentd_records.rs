//! Runs Fluentd's scripts on every case of `records/processors.yaml`, and on what they make for outputs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fluentd_scripts;
#[allow(dead_code, reason = "shared with the tests of other engines")]
mod record_cases;

use serde_json::{Value, json};
use tributary_agents::compile;
use tributary_agents::config::AgentConfig;
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

use fluentd_scripts::{data, has_ruby, rendered, run};

fn spec(value: &Value) -> LoggingPolicySpec {
    serde_json::from_value(value.clone()).unwrap()
}

/// What becomes of records at each output.
fn apply(config: &AgentConfig, records: &Value) -> Vec<Value> {
    let results = run(
        "apply.rb",
        config,
        &json!([{"pipeline": data(config), "records": records}]),
    );
    results[0].as_array().unwrap().clone()
}

#[test]
fn records_become_what_every_engine_makes_of_them() {
    if !has_ruby() {
        return;
    }
    let (refused, cases): (Vec<_>, Vec<_>) = record_cases::cases()
        .into_iter()
        .partition(|case| case.is_refused(Engine::Fluentd));
    for case in refused {
        assert!(
            compile("test", &case.spec(Engine::Fluentd)).is_err(),
            "{}",
            case.name
        );
    }
    let configs: Vec<AgentConfig> = cases
        .iter()
        .map(|case| rendered(&case.spec(Engine::Fluentd)))
        .collect();
    let inputs: Vec<Value> = cases
        .iter()
        .zip(&configs)
        .map(|(case, config)| {
            let records: Vec<&Value> = case.examples.iter().map(|example| &example.before).collect();
            json!({"pipeline": data(config), "records": records})
        })
        .collect();
    let results = run("apply.rb", &configs[0], &json!(inputs));
    let mut wrong = Vec::new();
    for (case, results) in cases.iter().zip(results.as_array().unwrap()) {
        for (example, result) in case.examples.iter().zip(results.as_array().unwrap()) {
            let after = result.get(0).cloned();
            if after != example.after {
                wrong.push(format!("{}: {}: {after:?}", case.name, example.before["message"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn record(message: &str) -> Value {
    json!({
        "time": "2026-01-02T03:04:05.678901234Z",
        "stream": "stdout",
        "message": message,
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "cart-0",
            "pod_id": "0a1b",
            "container_name": "app",
            "host": "node-1",
            "labels": {"app.kubernetes.io/name": "cart"},
        },
    })
}

/// A policy that parses JSON, with one destination.
fn sends_to(destination: &Value) -> AgentConfig {
    let mut output = json!({"name": "out"});
    output
        .as_object_mut()
        .unwrap()
        .extend(destination.as_object().unwrap().clone());
    rendered(&spec(&json!({
        "nodeAgent": {"engine": "Fluentd"},
        "processors": [{"parse": {"format": "Json"}}],
        "outputs": [output],
    })))
}

const PARSED: &str = r#"{"level":"warning","a.b":{"c.d":1,"e":[{"f.g":true}]}}"#;

#[test]
fn search_engines_get_keys_without_dots_and_an_id_that_stays() {
    if !has_ruby() {
        return;
    }
    let config = sends_to(&json!({"elasticsearch": {"url": "http://es:9200"}}));
    let results = apply(&config, &json!([record(PARSED), record(PARSED), record("other")]));
    let document = &results[0][0]["document"];
    assert_eq!(document["@timestamp"], "2026-01-02T03:04:05.678901234Z");
    assert_eq!(document["time"], document["@timestamp"]);
    assert_eq!(document["level"], "warn");
    assert_eq!(
        document["data"],
        json!({"level": "warning", "a_b": {"c_d": 1, "e": [{"f_g": true}]}})
    );
    assert_eq!(
        document["kubernetes"]["labels"],
        json!({"app_kubernetes_io/name": "cart"})
    );
    assert_eq!(results[0][0]["id"], results[1][0]["id"]);
    assert_ne!(results[0][0]["id"], results[2][0]["id"]);
}

#[test]
fn otlp_has_severity_and_flat_attributes() {
    if !has_ruby() {
        return;
    }
    let config = sends_to(&json!({"otlp": {"endpoint": "http://collector:4318"}}));
    let results = apply(&config, &json!([record(PARSED)]));
    let logs = &results[0][0];
    let entry = &logs["scopeLogs"][0]["logRecords"][0];
    assert_eq!(entry["timeUnixNano"], "1767323045678901234");
    assert_eq!(entry["body"], json!({"stringValue": PARSED}));
    assert_eq!(
        (&entry["severityText"], &entry["severityNumber"]),
        (&json!("warn"), &json!(13))
    );
    assert_eq!(
        entry["attributes"],
        json!([
            {"key": "log.iostream", "value": {"stringValue": "stdout"}},
            {"key": "data.level", "value": {"stringValue": "warning"}},
            {"key": "data.a.b.c.d", "value": {"intValue": "1"}},
            {"key": "data.a.b.e.0.f.g", "value": {"boolValue": true}},
        ])
    );
    let names: Vec<&str> = logs["resource"]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attribute| attribute["key"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        [
            "k8s.namespace.name",
            "k8s.pod.name",
            "k8s.pod.uid",
            "k8s.container.name",
            "k8s.node.name",
            "k8s.pod.label.app.kubernetes.io/name",
        ]
    );
}

#[test]
fn syslog_gets_one_line_whatever_the_message_is() {
    if !has_ruby() {
        return;
    }
    let config = sends_to(&json!({"syslog": {"address": "syslog:514"}}));
    let results = apply(&config, &json!([record("a\nb\r\n\u{0}<14>1 - \u{85}\u{2028}")]));
    let line = results[0][0]["line"].as_str().unwrap();
    let json = line
        .strip_prefix("<14>1 2026-01-02T03:04:05.678901Z node-1 app - - - ")
        .unwrap();
    assert!(!line.contains(|c: char| c.is_ascii_control()), "{line}");
    let read: Value = serde_json::from_str(json).unwrap();
    assert_eq!(read["message"], "a\nb\r\n\u{0}<14>1 - \u{85}\u{2028}");
}

#[test]
fn a_line_for_cloudwatch_is_never_too_long() {
    if !has_ruby() {
        return;
    }
    let config = sends_to(&json!({"cloudWatch": {"region": "eu-west-1", "logGroup": "logs"}}));
    let results = apply(
        &config,
        &json!([record("short"), record(&"\u{1}".repeat(256 << 10))]),
    );
    for (result, end) in [(&results[0], "short"), (&results[1], "\u{1}[cut]")] {
        let line = result[0]["line"].as_str().unwrap();
        assert!(line.len() <= (1 << 20) - 26);
        let read: Value = serde_json::from_str(line).unwrap();
        assert!(read["message"].as_str().unwrap().ends_with(end));
    }
}

#[test]
fn names_hold_values_of_the_record() {
    if !has_ruby() {
        return;
    }
    let labels = json!({"app.kubernetes.io/name": "My.App", "empty": ""});
    let mut of_pod = record("a");
    of_pod["kubernetes"]["labels"] = labels;
    let of_node =
        json!({"time": "2026-01-02T03:04:05Z", "message": "b", "kubernetes": {"host": "node-1.example"}});
    let index = "logs-{kubernetes.labels.app.kubernetes.io/name}.{kubernetes.labels.empty}-{date}";
    let group = "/Logs-{kubernetes.labels.app.kubernetes.io/name}.{kubernetes.host}-{date}";
    let secret = json!({"name": "a", "key": "b"});
    for (destination, place, expected) in [
        (
            json!({"elasticsearch": {"url": "http://es:9200", "index": index}}),
            "index",
            ["logs-my.app._-2026.01.02", "logs-_._-2026.01.02"],
        ),
        (
            json!({"splunk": {"url": "http://s", "tokenSecretRef": secret, "index": "a_{kubernetes.labels.app.kubernetes.io/name}"}}),
            "index",
            ["a_my_app", "a__"],
        ),
        (
            json!({"splunk": {"url": "http://s", "tokenSecretRef": secret, "index": "main_{date}"}}),
            "index",
            ["main_2026_01_02", "main_2026_01_02"],
        ),
        (
            json!({"cloudWatch": {"region": "r", "logGroup": group, "logStream": "all"}}),
            "group",
            [
                "/Logs-My.App.node-1-2026.01.02",
                "/Logs-_.node-1.example-2026.01.02",
            ],
        ),
    ] {
        let results = apply(&sends_to(&destination), &json!([of_pod, of_node]));
        for (result, expected) in results.iter().zip(expected) {
            assert_eq!(result[0][place], expected, "{destination}");
        }
    }
}

#[test]
fn a_row_has_fixed_columns_and_json_for_the_rest() {
    if !has_ruby() {
        return;
    }
    let config =
        sends_to(&json!({"bigQuery": {"projectId": "my-project", "dataset": "logs", "table": "apps"}}));
    let given = "{\"a\":\"\\u0000\\\"\",\"n\":9007199254740993,\"big\":123456789012345678901}";
    let results = apply(&config, &json!([record(given), record("plain")]));
    let row = &results[0][0];
    assert_eq!(row["time"], "2026-01-02T03:04:05.678901Z");
    assert_eq!(row["message"], given);
    let data: Value = serde_json::from_str(row["data"].as_str().unwrap()).unwrap();
    assert_eq!(
        data,
        json!({"a": "\u{0}\"", "n": 9_007_199_254_740_993_u64, "big": 123_456_789_012_345_680_000.0})
    );
    assert_eq!(row["kubernetes"]["namespace_name"], "shop");
    assert_eq!(
        row["kubernetes"]["labels"],
        r#"{"app.kubernetes.io/name":"cart"}"#
    );
    assert_eq!(results[1][0].get("data"), None);
}

#[test]
fn json_that_others_do_not_read_is_no_json() {
    if !has_ruby() {
        return;
    }
    let config = sends_to(&json!({"http": {"url": "http://a/b"}}));
    let no_json = [
        r#"{"a":1} // comment"#,
        r#"{"a":/* comment */1}"#,
        r#"{"a":"\q"}"#,
        "{\"a\":\"b\nc\"}",
        r#"{"a":NaN}"#,
        r#"{"a":-Infinity}"#,
        r#"{"a":1e400}"#,
        r#"{"a":01}"#,
        r#"{"a":1,}"#,
        r"{'a':1}",
    ];
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let records: Vec<Value> = no_json.into_iter().chain([deep.as_str()]).map(record).collect();
    for (result, before) in apply(&config, &json!(records)).iter().zip(&records) {
        assert_eq!(&result[0], before);
    }
    let json = [
        (
            r#"{"url":"http://a/*b*/","n":12345678901234567890123}"#,
            json!({"url": "http://a/*b*/", "n": 1.234_567_890_123_456_8e22}),
        ),
        ("{\t\"a\"\r\n:\n2 }", json!({"a": 2})),
        (r#"{"":null}"#, json!({"": null})),
        (
            r#"{"\ud800":"\uDC00 \ude00\ud83d \ud83d\uDE00 \\ud800 \\\ud800"}"#,
            json!({"\u{fffd}": "\u{fffd} \u{fffd}\u{fffd} \u{1f600} \\ud800 \\\u{fffd}"}),
        ),
    ];
    let records: Vec<Value> = json.iter().map(|(text, _)| record(text)).collect();
    for (result, (text, data)) in apply(&config, &json!(records)).iter().zip(&json) {
        assert_eq!(&result[0]["data"], data, "{text}");
    }
}

#[test]
fn some_records_are_sampled_and_no_more_pass_than_may() {
    if !has_ruby() {
        return;
    }
    let config = rendered(&spec(&json!({
        "nodeAgent": {"engine": "Fluentd"},
        "processors": [
            {"sample": {"percent": 50.0}, "where": [{"field": "message", "in": ["sampled"]}]},
            {"throttle": {"recordsPerSecond": 10, "per": ["kubernetes.pod_name"]}, "where": [{"field": "message", "in": ["throttled"]}]},
        ],
        "outputs": [{"name": "out", "stdout": {}}],
    })));
    let records = |message: &str| vec![record(message); 1000];
    let kept = |records: Vec<Value>| {
        apply(&config, &json!(records))
            .iter()
            .filter(|result| !result.is_null())
            .count()
    };
    let sampled = kept(records("sampled"));
    assert!((350..650).contains(&sampled), "{sampled}");
    assert_eq!(kept(records("others")), 1000);
    // The records may come in two seconds.
    let throttled = kept(records("throttled"));
    assert!(throttled == 10 || throttled == 20, "{throttled}");
}
