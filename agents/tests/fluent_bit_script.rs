//! Runs Fluent Bit's script, as rendered, in the dialect of Lua that Fluent Bit uses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fluent_bit_lua;

use std::collections::BTreeMap;

use fluent_bit_lua::Script;
use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::config::AgentConfig;
use tributary_agents::sidecar::{SidecarFile, SidecarPod};
use tributary_agents::{compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::annotation::AbsolutePath;

const TAG: &str = "kube.var.log.pods.shop_web-1.v2_0a0b0c0d-1111-2222-3333-444455556666.app.0.log";
const TIME: (i64, i64) = (1_795_341_600, 42);
const WRITTEN_TIME: &str = "2026-11-22T10:00:00.000000042Z";

fn config(spec: &Value) -> AgentConfig {
    let spec: LoggingPolicySpec = serde_json::from_value(spec.clone()).unwrap();
    render(&compile("test", &spec).unwrap()).unwrap()
}

/// The script for a selector, processors and the conditions of an output.
fn script(selector: &Value, processors: &Value, conditions: &Value) -> Script {
    let config = config(&json!({
        "selector": selector,
        "nodeAgent": {"engine": "FluentBit"},
        "processors": processors,
        "outputs": [
            {"name": "look-here", "stdout": {}, "where": conditions},
            {"name": "collector", "otlp": {"endpoint": "http://c:4318"}},
        ],
    }));
    Script::load(&config.files)
}

fn plain() -> Script {
    script(&json!({}), &json!([]), &json!([]))
}

fn found(message: &str, labels: &BTreeMap<String, String>) -> Value {
    json!({
        "log": message,
        "stream": "stdout",
        "_p": "F",
        "kubernetes": {"labels": labels, "pod_name": "from-the-api"},
    })
}

fn web() -> BTreeMap<String, String> {
    BTreeMap::from([("app.kubernetes.io/name".to_owned(), "web".to_owned())])
}

fn standard(script: &Script, message: &str, labels: &BTreeMap<String, String>) -> Option<Value> {
    script.call("standard", TAG, TIME, &found(message, labels))
}

#[test]
fn the_record_is_the_standard_one_and_cannot_be_forged() {
    let forged = "{\"kubernetes\": {\"pod_name\": \"forged\"}}";
    let expected = json!({
        "time": WRITTEN_TIME,
        "stream": "stdout",
        "message": forged,
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "web-1.v2",
            "pod_id": "0a0b0c0d-1111-2222-3333-444455556666",
            "container_name": "app",
            "host": "node-1",
            "labels": {"app.kubernetes.io/name": "web"},
        },
    });
    assert_eq!(standard(&plain(), forged, &web()), Some(expected));
}

#[test]
fn the_script_is_the_same_for_every_policy() {
    let one =
        config(&json!({"nodeAgent": {"engine": "FluentBit"}, "outputs": [{"name": "a", "stdout": {}}]}));
    let other = config(&json!({
        "nodeAgent": {"engine": "FluentBit"},
        "processors": [{"redact": {"pattern": "x"}}],
        "outputs": [{"name": "b", "stdout": {}, "where": [{"field": "message", "matches": "y"}]}],
    }));
    assert_eq!(one.files["tributary.lua"], other.files["tributary.lua"]);
    assert_ne!(one.files["pipeline.tsv"], other.files["pipeline.tsv"]);
}

#[test]
fn outputs_get_the_shape_that_they_ask_for() {
    let script = plain();
    let mut record = standard(&script, "hello", &web()).unwrap();
    record["level"] = json!("warn");
    record["data"] = json!({"a": {"b.c": 1, "list": [1, null]}, "ok": true});
    let (metadata, otlp) = script.call_with_metadata("otlp", &record);
    assert_eq!(
        otlp,
        json!({
            "message": "hello",
            "log.iostream": "stdout",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": "web-1.v2",
            "k8s.pod.uid": "0a0b0c0d-1111-2222-3333-444455556666",
            "k8s.container.name": "app",
            "k8s.node.name": "node-1",
            "k8s.pod.label.app.kubernetes.io/name": "web",
            "data.a.b.c": 1,
            "data.a.list": [1, null],
            "data.ok": true,
        })
    );
    assert_eq!(
        metadata,
        json!({"otlp": {"severity_text": "warn", "severity_number": 13}})
    );
    let syslog = script.call("syslog", TAG, TIME, &record).unwrap();
    assert_eq!(syslog["hostname"], "node-1");
    assert_eq!(syslog["appname"], "app");
    let line: Value = serde_json::from_str(syslog["message"].as_str().unwrap()).unwrap();
    assert_eq!(line, record);
    let loki = script.call("loki", TAG, TIME, &record).unwrap();
    assert_eq!(
        loki,
        json!({
            "message": "hello",
            "k8s_namespace_name": "shop",
            "k8s_pod_name": "web-1.v2",
            "k8s_container_name": "app",
            "metadata": {
                "log_iostream": "stdout",
                "k8s_pod_uid": "0a0b0c0d-1111-2222-3333-444455556666",
                "k8s_node_name": "node-1",
                "k8s_pod_label_app_kubernetes_io_name": "web",
                "severity_text": "warn",
                "severity_number": "13",
                "data_a_b_c": "1",
                "data_a_list_0": "1",
                "data_ok": "true",
            },
        })
    );
}

#[test]
fn loki_gets_a_long_line_in_pieces_that_it_takes() {
    let script = plain();
    let message = format!("{}é{}", "x".repeat(256 * 1024 - 1), "y".repeat(10));
    let record = standard(&script, &message, &web()).unwrap();
    let loki = script.call("loki", TAG, TIME, &record).unwrap();
    let lines: Vec<&str> = loki
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["message"].as_str().unwrap())
        .collect();
    assert_eq!(lines.concat(), message);
    assert_eq!(
        lines.iter().map(|line| line.len()).collect::<Vec<_>>(),
        [256 * 1024 - 1, 12]
    );
    assert_eq!(loki[0]["metadata"], loki[1]["metadata"]);
}

#[test]
fn the_runtimes_time_is_exact() {
    let mut raw = found("hello", &web());
    raw["time"] = json!("2026-11-22T11:00:00.000000043+01:00");
    let record = plain().call("standard", TAG, TIME, &raw).unwrap();
    assert_eq!(record["time"], "2026-11-22T10:00:00.000000043Z");
}

#[test]
fn labels_are_remembered_while_the_api_server_is_away() {
    let script = script(
        &json!({"podSelector": {"matchLabels": {"tier": "web"}}}),
        &json!([]),
        &json!([]),
    );
    let labels = BTreeMap::from([("tier".to_owned(), "web".to_owned())]);
    let mut unknown = found("second", &labels);
    unknown.as_object_mut().unwrap().remove("kubernetes");
    let asked = |raw: &Value| script.call("standard", TAG, TIME, raw);
    assert_eq!(asked(&unknown), None);
    assert!(asked(&found("first", &labels)).is_some());
    assert_eq!(asked(&unknown).unwrap()["kubernetes"]["labels"], json!(labels));
    let other = TAG.replace("0a0b0c0d", "1a1b1c1d");
    assert_eq!(script.call("standard", &other, TIME, &unknown), None);
}

/// What is no UTF-8, byte by byte: beginnings and ends alone, longer than needed, halves of UTF-16, beyond the last character.
#[test]
fn bytes_that_are_no_text_are_replaced() {
    let script = plain();
    for (bytes, expected) in [
        (r"a\255b", "a\u{fffd}b"),
        (r"a\195", "a\u{fffd}"),
        (r"\128", "\u{fffd}"),
        (r"\192\175", "\u{fffd}\u{fffd}"),
        (r"\224\128\175", "\u{fffd}\u{fffd}\u{fffd}"),
        (r"\237\160\128", "\u{fffd}\u{fffd}\u{fffd}"),
        (r"\244\144\128\128", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
        (r"\230\188x", "\u{fffd}\u{fffd}x"),
    ] {
        script.exec(&format!(
            "local _, _, made = standard('{TAG}', {{sec = 0, nsec = 0}}, {{log = '{bytes}', stream = 'stdout'}}) \
             assert(made.message == '{expected}', made.message)"
        ));
    }
}

proptest! {
    #[test]
    fn text_stays_as_it_is(text in any::<String>()) {
        let record = standard(&plain(), &text, &web()).unwrap();
        prop_assert_eq!(record["message"].as_str().unwrap(), text.strip_suffix('\n').unwrap_or(&text));
    }
}

#[test]
fn a_static_pod_has_the_uid_of_its_mirror() {
    let mut raw = found("hello", &BTreeMap::new());
    raw["kubernetes"]["pod_id"] = json!("0a0b0c0d-9999");
    let tag = "kube.var.log.pods.kube-system_etcd-node-1_0123456789abcdef0123456789abcdef.etcd.0.log";
    let record = plain().call("standard", tag, TIME, &raw).unwrap();
    assert_eq!(record["kubernetes"]["pod_id"], "0a0b0c0d-9999");
}

#[test]
fn a_line_that_is_not_the_runtimes_is_kept() {
    let record = plain()
        .call("standard", TAG, TIME, &json!({"log": "garbage"}))
        .unwrap();
    assert_eq!(record["message"], "garbage");
}

#[test]
fn namespaces_are_selected_by_their_labels_which_the_record_does_not_carry() {
    let selector = json!({"namespaceSelector": {"matchLabels": {"team": "core"}}});
    let script = script(&selector, &json!([]), &json!([]));
    for (team, selected) in [("core", true), ("other", false)] {
        let mut raw = found("hello", &BTreeMap::new());
        raw["kubernetes_namespace"] = json!({"labels": {"team": team}});
        let record = script.call("standard", TAG, TIME, &raw);
        assert_eq!(record.is_some(), selected, "{team}");
        assert!(record.is_none_or(|record| record.get("namespace_labels").is_none()));
    }
}

#[test]
fn records_of_the_node_say_where_they_come_from_and_pass_every_selector() {
    let config = config(&json!({
        "selector": {"podSelector": {"matchLabels": {"app": "web"}}},
        "nodeAgent": {
            "engine": "FluentBit",
            "sources": {"journald": {"units": ["kubelet.service"]}, "files": [{"path": "/var/log/syslog"}]},
        },
        "processors": [{"redact": {"pattern": "secret"}}],
        "outputs": [{"name": "a", "stdout": {}}],
    }));
    let script = Script::load(&config.files);
    let file = json!({"log": "a secret", "file": "/var/log/syslog", "kubernetes": "forged"});
    assert_eq!(
        script.call("standard", "files", TIME, &file),
        Some(
            json!({"time": WRITTEN_TIME, "file": "/var/log/syslog", "message": "a ***", "kubernetes": {"host": "node-1"}})
        )
    );
    for (priority, level) in [
        (json!("3"), json!("error")),
        (json!(["7", "1"]), json!("debug")),
        (json!("9"), Value::Null),
    ] {
        let entry = json!({
            "MESSAGE": "hello", "PRIORITY": priority, "_SYSTEMD_UNIT": "kubelet.service", "_PID": "1",
        });
        let record = script.call("standard", "journal", TIME, &entry).unwrap();
        let mut expected = json!({
            "time": WRITTEN_TIME,
            "message": "hello",
            "systemd": {"unit": "kubelet.service"},
            "kubernetes": {"host": "node-1"},
        });
        if !level.is_null() {
            expected["level"] = level;
        }
        assert_eq!(record, expected);
        let (_, flat) = script.call_with_metadata("otlp", &record);
        assert_eq!(flat["systemd.unit"], "kubelet.service");
    }
}

#[test]
fn a_record_that_a_step_fails_at_goes_on_without_what_the_step_was_to_take_away() {
    let script = script(
        &json!({}),
        &json!([{"redact": {"pattern": "secret"}}]),
        &json!([]),
    );
    script.exec("table.concat = function() error('out of memory') end; print = function() end");
    let record = standard(&script, "a secret", &web()).unwrap();
    let text = record.to_string();
    assert!(
        !text.contains("secret") && text.contains("could not be processed"),
        "{text}"
    );
}

#[test]
fn a_throttle_measures_each_combination_and_each_second() {
    let processors = json!([{"throttle": {"recordsPerSecond": 2, "per": ["message", "stream"]}}]);
    let script = script(&json!({}), &processors, &json!([]));
    script.exec("now = 1; os.time = function() return now end");
    let kept = |messages: &[&str]| {
        let record = |message: &&str| standard(&script, message, &web());
        messages
            .iter()
            .filter(|message| record(message).is_some())
            .count()
    };
    assert_eq!(kept(&["a", "a", "a", "b", "a", "b", "b"]), 4);
    assert_eq!(kept(&["a"]), 0);
    script.exec("now = 2");
    assert_eq!(kept(&["a", "a", "a"]), 2);
}

#[test]
fn a_sample_keeps_its_part() {
    let script = script(&json!({}), &json!([{"sample": {"percent": 10}}]), &json!([]));
    let kept = (0..4000)
        .filter(|_| standard(&script, "a", &web()).is_some())
        .count();
    assert!((300..500).contains(&kept), "{kept} of 4000");
}

/// The script of a sidecar that ships a file and a pattern, runs steps and tests a label.
fn sidecar(labels: &BTreeMap<String, String>) -> Script {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "agentSidecar": {"engine": "FluentBit"},
        "processors": [{"redact": {"pattern": "secret"}}],
        "outputs": [{"name": "look", "stdout": {}, "where": [{"field": "kubernetes.labels.tier", "in": ["prod"]}]}],
    }))
    .unwrap();
    let file = |container: &str, path: &str, shown: &str| SidecarFile {
        container: container.to_owned(),
        path: AbsolutePath::parse(path).unwrap(),
        shown_path: AbsolutePath::parse(shown).unwrap(),
        from_end: false,
    };
    let pod = SidecarPod {
        files: vec![
            file("app", "/var/log/tributary/0/a%09 b.log", "/log/a%09 b.log"),
            file("worker", "/var/log/tributary/1/*.log", "/data/*.log"),
        ],
        labels: labels.clone(),
        memory_limit: None,
    };
    let config = compile_sidecar("test", &spec).unwrap().render(&pod).unwrap();
    let documents = config.documents.into_iter();
    Script::load(
        &documents
            .map(|document| (document.file_name.to_owned(), document.text))
            .collect(),
    )
}

#[test]
fn a_sidecar_says_which_container_wrote_what_where_and_cannot_be_forged() {
    let labels = BTreeMap::from([
        ("tier".to_owned(), "prod".to_owned()),
        ("a/b".to_owned(), String::new()),
    ]);
    let script = sidecar(&labels);
    for (tag, found, container, shown) in [
        ("pod.file.0", "/var/log/tributary/0/a", "app", "/log/a%09 b.log"),
        (
            "pod.file.1",
            "/var/log/tributary/1/x.log",
            "worker",
            "/data/x.log",
        ),
    ] {
        let raw = json!({"log": "a secret", "file": found, "kubernetes": "forged"});
        let record = script.call("standard", tag, TIME, &raw).unwrap();
        let expected = json!({
            "time": WRITTEN_TIME,
            "file": shown,
            "message": "a ***",
            "kubernetes": {
                "namespace_name": "shop",
                "pod_name": "web-1",
                "pod_id": "0a0b0c0d-1111",
                "container_name": container,
                "host": "node-1",
                "labels": {"a/b": "", "tier": "prod"},
            },
        });
        assert_eq!(record, expected);
        assert!(script.call("keep_look", tag, TIME, &record).is_some());
        assert_eq!(
            script.call_with_metadata("otlp", &record).1["log.file.path"],
            shown
        );
    }
    let script = sidecar(&BTreeMap::new());
    let raw = json!({"log": "hello", "file": "/a"});
    let record = script.call("standard", "pod.file.0", TIME, &raw).unwrap();
    assert_eq!(
        script.call("keep_look", "pod.file.0", TIME, &record),
        None,
        "without the label"
    );
}

/// Whether Kubernetes would say that a requirement is met.
fn is_met(operator: &str, values: &[String], label: Option<&String>) -> bool {
    match operator {
        "In" => label.is_some_and(|label| values.contains(label)),
        "NotIn" => label.is_none_or(|label| !values.contains(label)),
        "Exists" => label.is_some(),
        _ => label.is_none(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_record_is_one_line_of_json_for_syslog(message in any::<String>(), label in "[a-z]{1,9}", value in any::<String>()) {
        prop_assume!(!message.ends_with('\n'));
        let script = plain();
        let record = standard(&script, &message, &BTreeMap::from([(label, value)])).unwrap();
        let syslog = script.call("syslog", TAG, TIME, &record).unwrap();
        let line = syslog["message"].as_str().unwrap();
        prop_assert!(line.starts_with('{') && !line.contains(|c: char| c.is_ascii_control()), "{}", line);
        prop_assert_eq!(serde_json::from_str::<Value>(line).unwrap(), record);
    }

    #[test]
    fn selectors_mean_what_kubernetes_means(
        requirements in prop::collection::vec(
            (
                "[ab]|x[.]y/[cd]",
                prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist"]),
                prop::collection::vec("[pq]?", 1..3),
            ),
            0..4,
        ),
        labels in prop::collection::btree_map("[ab]|x[.]y/[cd]", "[pq]?", 0..4),
    ) {
        let expressions: Vec<_> = requirements
            .iter()
            .map(|(key, operator, values)| {
                let values = if operator.ends_with("In") { values.clone() } else { vec![] };
                json!({"key": key, "operator": operator, "values": values})
            })
            .collect();
        let script = script(&json!({"podSelector": {"matchExpressions": expressions}}), &json!([]), &json!([]));
        let record = standard(&script, "hello", &labels);
        let selected = requirements.iter().all(|(key, operator, values)| is_met(operator, values, labels.get(key)));
        prop_assert_eq!(record.is_some(), selected);
    }

    /// No text of a policy is anything but data to the script.
    #[test]
    fn texts_reach_the_script_intact(value in any::<String>(), other in any::<String>(), key in "[A-Za-z0-9_@./ -]{1,9}") {
        prop_assume!(value != other && !value.ends_with('\n') && !other.ends_with('\n'));
        let field = format!("data['{key}']");
        let processors = json!([
            {"redact": {"pattern": "§", "replacement": value.clone()}},
            {"set": {"field": field, "value": value.clone()}},
            {"rename": {"from": field, "to": "data.moved"}},
            {"keep": {}, "where": [{"field": "data.moved", "in": [value.clone()]}]},
        ]);
        let conditions = json!([{"field": "message", "in": [value.clone()]}]);
        let script = script(&json!({}), &processors, &conditions);
        for (message, kept) in [(value.as_str(), true), ("§", true), (other.as_str(), false)] {
            prop_assume!(message == "§" || !message.contains('§'));
            let record = standard(&script, message, &BTreeMap::new()).unwrap();
            prop_assert_eq!(&record["data"], &json!({"moved": value}));
            prop_assert_eq!(script.call("keep_look-here", TAG, TIME, &record).is_some(), kept);
        }
    }
}
