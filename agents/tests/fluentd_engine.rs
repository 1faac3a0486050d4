//! Runs the scripts that are Fluentd's plugins on batches of events, with as much of Fluentd as they touch.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_scripts;

use serde_json::{Value, json};
use tributary_agents::config::AgentConfig;

use fluentd_scripts::{has_ruby, rendered, run};

fn config(outputs: &Value) -> AgentConfig {
    let spec = json!({
        "nodeAgent": {
            "engine": "Fluentd",
            "sources": {"containers": {}, "journald": {"units": ["kubelet.service"]}, "files": [{"path": "/var/log/syslog"}]},
        },
        "outputs": outputs,
    });
    rendered(&serde_json::from_value(spec).unwrap())
}

/// What the scripts make of batches; `full` says how often an output has no room at first.
fn batches(outputs: &Value, batches: &Value, full: &Value) -> Value {
    let input = json!({"batches": batches, "full": full, "bodies": [], "answers": []});
    run("engine.rb", &config(outputs), &input)["outputs"].clone()
}

fn line(text: &str) -> Value {
    json!({
        "path": "/var/log/pods/shop_cart-0_0a1b/app/0.log",
        "message": format!("2026-01-02T03:04:05.5Z stdout F {text}"),
    })
}

fn messages(output: &Value) -> Vec<&str> {
    let got = output["got"].as_array().unwrap().iter();
    got.map(|event| event[1]["message"].as_str().unwrap()).collect()
}

#[test]
fn every_source_makes_its_records() {
    if !has_ruby() {
        return;
    }
    let given = json!([
        ["tributary.containers", [line("hello")]],
        ["tributary.files", [{"path": "/var/log/syslog", "message": "of a file"}]],
        ["tributary.journal", [{"_SYSTEMD_UNIT": "kubelet.service", "MESSAGE": "of the journal", "PRIORITY": "3"}]],
    ]);
    let outputs = batches(&json!([{"name": "out", "stdout": {}}]), &given, &json!({}));
    let got = outputs["@out"]["got"].as_array().unwrap();
    assert_eq!(
        got[0],
        json!([[1_767_323_045, 500_000_000], {
            "time": "2026-01-02T03:04:05.500000000Z",
            "stream": "stdout",
            "message": "hello",
            "kubernetes": {
                "namespace_name": "shop",
                "pod_name": "cart-0",
                "pod_id": "0a1b",
                "container_name": "app",
                "host": null,
                "labels": {},
            },
        }])
    );
    assert_eq!(
        (&got[1][1]["file"], &got[1][1]["message"]),
        (&json!("/var/log/syslog"), &json!("of a file"))
    );
    assert_eq!(
        got[2][1],
        json!({
            "time": "2026-01-02T03:04:05.000000005Z",
            "systemd": {"unit": "kubelet.service"},
            "message": "of the journal",
            "level": "error",
            "kubernetes": {"host": null},
        })
    );
}

#[test]
fn a_full_output_is_waited_for_or_drops_what_is_new() {
    if !has_ruby() {
        return;
    }
    let outputs = json!([
        {"name": "waits", "http": {"url": "http://a/b"}},
        {"name": "drops", "http": {"url": "http://a/b"}, "buffer": {"whenFull": "DropNewest"}},
        {"name": "errors", "http": {"url": "http://a/b"}, "where": [{"field": "message", "matches": "error"}]},
    ]);
    let given = json!([
        ["tributary.containers", [line("one"), line("an error")]],
        ["tributary.containers", [line("two")]],
    ]);
    let found = batches(&outputs, &given, &json!({"@waits": 3, "@drops": 1}));
    assert_eq!(messages(&found["@waits"]), ["one", "an error", "two"]);
    assert_eq!(found["@waits"]["refused"], 3);
    assert_eq!(messages(&found["@drops"]), ["two"]);
    assert_eq!(messages(&found["@errors"]), ["an error"]);
}

#[test]
fn what_waits_is_sent_when_the_agent_ends_and_rotation_ends_no_line() {
    if !has_ruby() {
        return;
    }
    let piece = |path: &str, tag: &str, text: &str| {
        json!({
            "path": format!("/var/log/pods/shop_cart-0_0a1b/app/{path}"),
            "message": format!("2026-01-02T03:04:05Z stdout {tag} {text}"),
        })
    };
    let given = json!([
        [
            "tributary.containers",
            [piece("0.log.20260102-030405", "P", "over a ")]
        ],
        [
            "tributary.containers",
            [piece("0.log", "F", "rotation"), piece("0.log", "P", "at the end")]
        ],
    ]);
    let found = batches(&json!([{"name": "out", "stdout": {}}]), &given, &json!({}));
    assert_eq!(messages(&found["@out"]), ["over a rotation", "at the end"]);
}

#[test]
fn records_of_different_names_are_kept_apart_in_the_buffer() {
    if !has_ruby() {
        return;
    }
    let outputs = json!([
        {"name": "topic", "kafka": {"brokers": ["kafka:9092"], "topic": "logs.{kubernetes.namespace_name}-{date}"}},
        {
            "name": "bank-only",
            "kafka": {"brokers": ["kafka:9092"], "topic": "logs"},
            "where": [{"field": "kubernetes.namespace_name", "in": ["bank"]}],
        },
    ]);
    let of_bank = json!({
        "path": "/var/log/pods/bank_cart-0_0a1b/app/0.log",
        "message": "2026-01-03T00:00:00Z stdout F of bank",
    });
    let given = json!([["tributary.containers", [line("one"), of_bank, line("two")]]]);
    let found = batches(&outputs, &given, &json!({"@topic": 1}));
    assert_eq!(messages(&found["@topic"]), ["one", "two", "of bank"]);
    let (shop, bank) = ("logs.shop-2026.01.02", "logs.bank-2026.01.03");
    assert_eq!(found["@topic"]["tags"], json!([shop, shop, bank]));
    assert_eq!(found["@topic"]["refused"], 1);
    assert_eq!(found["@bank-only"]["tags"], json!(["tributary"]));
}

#[test]
fn bodies_are_what_servers_take() {
    if !has_ruby() {
        return;
    }
    let event = json!({"id": "7", "document": {"a": 1}});
    let of_index = json!({"index": "b", "id": "8", "document": {}});
    let input = json!({
        "batches": [],
        "full": {},
        "bodies": [["lines", [{"a": 1}, {"b": 2}]], ["array", [{"a": 1}, {"b": 2}]], ["otlp", [{"a": 1}, {"b": 2}]], ["bulk", [event, of_index]]],
        "answers": [],
    });
    let found = run(
        "engine.rb",
        &config(&json!([{"name": "out", "stdout": {}}])),
        &input,
    );
    assert_eq!(
        found["bodies"],
        json!([
            "{\"a\":1}\n{\"b\":2}\n",
            "[{\"a\":1},{\"b\":2}]",
            "{\"resourceLogs\":[{\"a\":1},{\"b\":2}]}",
            "{\"create\":{\"_id\":\"7\"}}\n{\"a\":1}\n{\"create\":{\"_index\":\"b\",\"_id\":\"8\"}}\n{}\n",
        ])
    );
}

#[test]
fn a_bulk_request_is_sent_again_only_for_what_may_be_taken_later() {
    if !has_ruby() {
        return;
    }
    let answer = |statuses: &[u16]| {
        let items = statuses
            .iter()
            .map(|status| json!({"create": {"status": status}}));
        json!({"errors": true, "items": items.collect::<Vec<_>>()})
    };
    let input = json!({
        "batches": [],
        "full": {},
        "bodies": [],
        "answers": [{"errors": false}, answer(&[201, 409]), answer(&[201, 400]), answer(&[201, 429]), answer(&[400, 503]), answer(&[201, 403]), answer(&[404])],
    });
    let found = run(
        "engine.rb",
        &config(&json!([{"name": "out", "stdout": {}}])),
        &input,
    );
    assert_eq!(
        found["answers"],
        json!(["taken", "taken", "taken", "again", "again", "again", "again"])
    );
}
