//! Runs Fluent Bit's script, as rendered, in the dialect of Lua that Fluent Bit uses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use mlua::{Lua, Table, Value};
use proptest::prelude::*;
use serde_json::json;
use tributary_agents::config::AgentConfig;
use tributary_agents::sidecar::{SidecarFile, SidecarPod};
use tributary_agents::{compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::annotation::AbsolutePath;

const TAG: &str = "kube.var.log.pods.shop_web-1.v2_0a0b0c0d-1111-2222-3333-444455556666.app.0.log";

/// What the script sees of its pod.
const WORLD: &str = r#"
    local lines = io.lines
    io.lines = function(path) return lines((path:gsub("^/etc/tributary/config", directory))) end
    local environment = {K8S_NODE_NAME = "node-1", POD_NAMESPACE = "shop", POD_NAME = "web-1", POD_UID = "0a0b0c0d-1111"}
    os.getenv = function(name) return environment[name] end
"#;

fn spec(selector: &serde_json::Value, conditions: &serde_json::Value) -> LoggingPolicySpec {
    serde_json::from_value(json!({
        "selector": selector,
        "nodeAgent": {"engine": "FluentBit"},
        "outputs": [{"name": "look-here", "stdout": {}, "where": conditions}],
    }))
    .unwrap()
}

fn rendered(selector: &serde_json::Value, conditions: &serde_json::Value) -> AgentConfig {
    render(&compile("test", &spec(selector, conditions)).unwrap()).unwrap()
}

/// The script, loaded from files as Fluent Bit does.
fn load(config: &AgentConfig) -> Lua {
    load_files(&config.files)
}

fn load_files(files: &BTreeMap<String, String>) -> Lua {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in files {
        std::fs::write(directory.path().join(file), text).unwrap();
    }
    let lua = Lua::new();
    lua.globals().set("directory", directory.path()).unwrap();
    lua.load(WORLD).exec().unwrap();
    lua.load(directory.path().join("tributary.lua")).exec().unwrap();
    lua
}

fn time(lua: &Lua) -> Table {
    lua.create_table_from([("sec", 1_795_341_600), ("nsec", 42)])
        .unwrap()
}

fn record(lua: &Lua, message: &str, labels: &BTreeMap<String, String>) -> Table {
    let kubernetes = lua.create_table().unwrap();
    kubernetes.set("labels", labels.clone()).unwrap();
    kubernetes.set("pod_name", "from-the-api").unwrap();
    let record = lua
        .create_table_from([("log", message), ("stream", "stdout"), ("_p", "F")])
        .unwrap();
    record.set("kubernetes", kubernetes).unwrap();
    record
}

/// Calls one of the script's filters: what it says to do, and the record.
fn call(lua: &Lua, function: &str, record: Table) -> (i64, Table) {
    let function: mlua::Function = lua.globals().get(function).unwrap();
    let (code, _, record): (i64, Value, Table) = function.call((TAG, time(lua), record)).unwrap();
    (code, record)
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Table(table) => table
            .pairs::<String, Value>()
            .map(|pair| pair.map(|(key, value)| (key, to_json(&value))).unwrap())
            .collect(),
        Value::String(text) => text.to_string_lossy().into(),
        other => panic!("unexpected {other:?}"),
    }
}

#[test]
fn the_record_is_the_standard_one_and_cannot_be_forged() {
    let lua = load(&rendered(&json!({}), &json!([])));
    let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "web".to_owned())]);
    let raw = record(&lua, "{\"kubernetes\": {\"pod_name\": \"forged\"}}", &labels);
    let (code, record) = call(&lua, "standard", raw);
    assert_eq!(code, 2);
    let expected = json!({
        "time": "2026-11-22T10:00:00.000000042Z",
        "stream": "stdout",
        "message": "{\"kubernetes\": {\"pod_name\": \"forged\"}}",
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "web-1.v2",
            "pod_id": "0a0b0c0d-1111-2222-3333-444455556666",
            "container_name": "app",
            "host": "node-1",
            "labels": {"app.kubernetes.io/name": "web"},
        },
    });
    assert_eq!(to_json(&Value::Table(record)), expected);
}

#[test]
fn outputs_get_the_shape_that_they_ask_for() {
    let lua = load(&rendered(&json!({}), &json!([])));
    let labels = BTreeMap::from([("app.kubernetes.io/name".to_owned(), "web".to_owned())]);
    let (_, standard) = call(&lua, "standard", record(&lua, "hello", &labels));
    let (_, otlp) = call(&lua, "otlp", standard.clone());
    assert_eq!(
        to_json(&Value::Table(otlp)),
        json!({
            "message": "hello",
            "log.iostream": "stdout",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": "web-1.v2",
            "k8s.pod.uid": "0a0b0c0d-1111-2222-3333-444455556666",
            "k8s.container.name": "app",
            "k8s.node.name": "node-1",
            "k8s.pod.label.app.kubernetes.io/name": "web",
        })
    );
    let (_, syslog) = call(&lua, "syslog", standard.clone());
    assert_eq!(
        to_json(&Value::Table(syslog)),
        json!({
            "message": "{\"kubernetes\":{\"container_name\":\"app\",\"host\":\"node-1\",\
                        \"labels\":{\"app.kubernetes.io/name\":\"web\"},\"namespace_name\":\"shop\",\
                        \"pod_id\":\"0a0b0c0d-1111-2222-3333-444455556666\",\"pod_name\":\"web-1.v2\"},\
                        \"message\":\"hello\",\"stream\":\"stdout\",\"time\":\"2026-11-22T10:00:00.000000042Z\"}",
            "hostname": "node-1",
            "appname": "app",
        })
    );
    let (_, loki) = call(&lua, "loki", standard);
    assert_eq!(
        to_json(&Value::Table(loki)),
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
            },
        })
    );
}

#[test]
fn a_static_pod_has_the_uid_of_its_mirror() {
    let lua = load(&rendered(&json!({}), &json!([])));
    let raw = record(&lua, "hello", &BTreeMap::new());
    raw.get::<Table>("kubernetes")
        .unwrap()
        .set("pod_id", "0a0b0c0d-9999")
        .unwrap();
    let standard: mlua::Function = lua.globals().get("standard").unwrap();
    let tag = "kube.var.log.pods.kube-system_etcd-node-1_0123456789abcdef0123456789abcdef.etcd.0.log";
    let (_, _, record): (i64, Value, Table) = standard.call((tag, time(&lua), raw)).unwrap();
    assert_eq!(
        to_json(&Value::Table(record))["kubernetes"]["pod_id"],
        "0a0b0c0d-9999"
    );
}

#[test]
fn a_line_that_is_not_the_runtimes_is_kept() {
    let lua = load(&rendered(&json!({}), &json!([])));
    let raw = lua.create_table_from([("log", "garbage")]).unwrap();
    let (code, record) = call(&lua, "standard", raw);
    assert_eq!(
        (code, record.get::<String>("message").unwrap()),
        (2, "garbage".to_owned())
    );
}

#[test]
fn namespaces_are_selected_by_their_labels_which_the_record_does_not_carry() {
    let selector = json!({"namespaceSelector": {"matchLabels": {"team": "core"}}});
    let lua = load(&rendered(&selector, &json!([])));
    for (team, expected) in [("core", 2), ("other", -1)] {
        let raw = record(&lua, "hello", &BTreeMap::new());
        let labels = lua.create_table_from([("team", team)]).unwrap();
        raw.set(
            "kubernetes_namespace",
            lua.create_table_from([("labels", labels)]).unwrap(),
        )
        .unwrap();
        let (code, record) = call(&lua, "standard", raw);
        assert_eq!(code, expected, "{team}");
        assert!(code == -1 || !record.contains_key("namespace_labels").unwrap());
    }
}

/// The script of a sidecar that ships a file and a pattern, and tests a label.
fn load_sidecar(labels: &BTreeMap<String, String>) -> Lua {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "agentSidecar": {"engine": "FluentBit"},
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
    let files = config
        .documents
        .into_iter()
        .map(|document| (document.file_name.to_owned(), document.text))
        .collect();
    load_files(&files)
}

#[test]
fn a_sidecar_says_which_container_wrote_what_where_and_cannot_be_forged() {
    let labels = BTreeMap::from([
        ("tier".to_owned(), "prod".to_owned()),
        ("a/b".to_owned(), String::new()),
    ]);
    let lua = load_sidecar(&labels);
    let shipped: mlua::Function = lua.globals().get("shipped").unwrap();
    for (tag, found, container, shown) in [
        ("kube.file.0", "/var/log/tributary/0/a", "app", "/log/a%09 b.log"),
        (
            "kube.file.1",
            "/var/log/tributary/1/x.log",
            "worker",
            "/data/x.log",
        ),
    ] {
        let raw = lua
            .create_table_from([("log", "hello"), ("file", found), ("kubernetes", "forged")])
            .unwrap();
        let (code, _, record): (i64, Value, Table) = shipped.call((tag, time(&lua), raw)).unwrap();
        assert_eq!(code, 2);
        let expected = json!({
            "time": "2026-11-22T10:00:00.000000042Z",
            "file": shown,
            "message": "hello",
            "kubernetes": {
                "namespace_name": "shop",
                "pod_name": "web-1",
                "pod_id": "0a0b0c0d-1111",
                "container_name": container,
                "host": "node-1",
                "labels": {"a/b": "", "tier": "prod"},
            },
        });
        assert_eq!(to_json(&Value::Table(record.clone())), expected);
        assert_eq!(call(&lua, "keep_look", record.clone()).0, 0);
        let (_, flat) = call(&lua, "otlp", record);
        assert_eq!(flat.get::<String>("log.file.path").unwrap(), shown);
    }
    let lua = load_sidecar(&BTreeMap::new());
    let shipped: mlua::Function = lua.globals().get("shipped").unwrap();
    let raw = lua.create_table_from([("log", "hello"), ("file", "/a")]).unwrap();
    let (_, _, record): (i64, Value, Table) = shipped.call(("kube.file.0", time(&lua), raw)).unwrap();
    assert_eq!(call(&lua, "keep_look", record).0, -1, "without the label");
}

proptest! {
    #[test]
    fn any_record_is_one_line_of_json_for_syslog(message in any::<String>(), label in "[a-z]{1,9}", value in any::<String>()) {
        let lua = load(&rendered(&json!({}), &json!([])));
        let labels = BTreeMap::from([(label, value)]);
        let (_, standard) = call(&lua, "standard", record(&lua, &message, &labels));
        let expected = to_json(&Value::Table(standard.clone()));
        let (_, syslog) = call(&lua, "syslog", standard);
        let line = syslog.get::<String>("message").unwrap();
        prop_assert!(line.starts_with('{') && !line.contains(char::is_control), "{}", line);
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), expected);
    }
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
        let lua = load(&rendered(&json!({"podSelector": {"matchExpressions": expressions}}), &json!([])));
        let (code, _) = call(&lua, "standard", record(&lua, "hello", &labels));
        let selected = requirements.iter().all(|(key, operator, values)| is_met(operator, values, labels.get(key)));
        prop_assert_eq!(code == 2, selected);
    }

    /// No text of a policy is anything but data to the script.
    #[test]
    fn values_reach_the_script_intact(value in any::<String>(), other in any::<String>()) {
        prop_assume!(value != other && !value.ends_with('\n') && !other.ends_with('\n'));
        let conditions = json!([{"field": "message", "in": [value.clone()]}]);
        let lua = load(&rendered(&json!({}), &conditions));
        for (message, expected) in [(&value, 0), (&other, -1)] {
            let (_, standard) = call(&lua, "standard", record(&lua, message, &BTreeMap::new()));
            prop_assert_eq!(call(&lua, "keep_look-here", standard).0, expected);
        }
    }
}
