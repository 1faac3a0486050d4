//! `tributary render`.

use serde_json::Value;

use crate::desk::{DONE, Desk, NOT_GIVEN, POLICY, UNUSABLE, pods};

const AGENTS: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: default}
spec:
  nodeAgent:
    engine: FluentBit
    pod: {image: registry.example/fluent-bit:1}
  streamingSidecar: {}
  outputs:
  - name: search
    elasticsearch: {url: https://search.logging:9200}
    auth:
      basic: {username: tributary, passwordSecretRef: {name: search, key: password}}
    tls: {caSecretRef: {name: search, key: ca.crt}}
---
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: second}
spec:
  nodeAgent: {}
  outputs: [{name: console, stdout: {}}]
";

/// What is wrong with two outputs.
const WRONG: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: wrong}
spec:
  nodeAgent: {}
  outputs:
  - {name: a, loki: {url: loki}}
  - {name: b}
";

#[test]
fn people_see_files_and_where_everything_comes_from() {
    let ended = Desk::new(&[("p.yaml", AGENTS)]).run("render -f p.yaml", "");
    assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""));
    for line in [
        "# p.yaml:1: LoggingPolicy default: nodeAgent with engine FluentBit",
        "# DaemonSet: default-node-agent",
        "# image: registry.example/fluent-bit:1",
        "# argument: --config=/etc/tributary/config/fluent-bit.yaml",
        "# variable: TRIBUTARY_SECRET_0 is key password of Secret search",
        "# file: /etc/tributary/secrets/search/ca.crt is key ca.crt of Secret search",
        "# directory: /var/log/pods is the node's /var/log/pods, read only",
        "# /etc/tributary/config/fluent-bit.yaml:",
        "# /etc/tributary/config/tributary.lua:",
        "# p.yaml:16: LoggingPolicy second: nodeAgent with engine OpenTelemetryCollector",
        "# /etc/tributary/config/otelcol.yaml:",
    ] {
        assert!(
            ended.stdout.lines().any(|known| known == line),
            "{line}\n{}",
            ended.stdout
        );
    }
}

/// The objects of both formats, and that they are the same.
fn objects(desk: &Desk) -> Vec<Value> {
    let yaml = pods(&desk.run("render -f p.yaml -o yaml", "").stdout);
    let json: Value = serde_json::from_str(&desk.run("render -f p.yaml -o json", "").stdout).unwrap();
    assert_eq!(json["kind"], "List");
    assert_eq!(json["items"].as_array().unwrap(), &yaml);
    yaml
}

#[test]
fn objects_are_those_that_the_operator_applies() {
    let objects = objects(&Desk::new(&[("p.yaml", AGENTS)]));
    let kinds: Vec<&str> = objects
        .iter()
        .map(|object| object["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["ConfigMap", "DaemonSet", "ConfigMap", "DaemonSet"]);
    let pod = &objects[1]["spec"]["template"]["spec"];
    let config_volume = &pod["volumes"][0]["configMap"]["name"];
    assert_eq!(*config_volume, objects[0]["metadata"]["name"]);
    assert_eq!(
        pod["initContainers"][0]["image"],
        concat!("ghcr.io/tributary-dev/tributary:", env!("CARGO_PKG_VERSION"))
    );
    for object in &objects {
        assert_eq!(object["metadata"]["namespace"], "tributary-agents");
        assert_eq!(
            object["metadata"].get("ownerReferences"),
            None,
            "nobody knows the owner's uid"
        );
    }
}

#[test]
fn files_are_written_for_each_policy() {
    let desk = Desk::new(&[("p.yaml", AGENTS)]);
    let ended = desk.run("render -f p.yaml --directory out", "");
    assert_eq!(ended.status, DONE, "{}", ended.stderr);
    let written: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(written.last(), Some(&"out/second/objects.yaml"));
    let text = std::fs::read_to_string(desk.path("out/default/fluent-bit.yaml")).unwrap();
    let shown = objects(&desk)[0]["data"]["fluent-bit.yaml"].clone();
    assert_eq!(shown, text);
    let beside = std::fs::read_to_string(desk.path("out/default/objects.yaml")).unwrap();
    assert_eq!(pods(&beside).as_slice(), &objects(&desk)[..2]);
    let again = desk.run("render -f p.yaml --directory p.yaml", "");
    assert_eq!(again.status, UNUSABLE);
    assert!(
        again.stderr.starts_with("error: cannot write p.yaml/default: "),
        "{}",
        again.stderr
    );
}

#[test]
fn exit_statuses() {
    let desk = Desk::new(&[
        ("agents.yaml", AGENTS),
        ("wrong.yaml", WRONG),
        ("sidecars.yaml", POLICY),
        ("typo.yaml", &AGENTS.replace("engine:", "engin:")),
    ]);
    for (arguments, status, stderr) in [
        ("-f agents.yaml", DONE, ""),
        (
            "-f sidecars.yaml",
            DONE,
            "note: LoggingPolicy default has no nodeAgent, so that there is nothing of it to render; what pods get by it: tributary inject -f POD --policies sidecars.yaml\n",
        ),
        (
            "-f agents.yaml -f wrong.yaml",
            NOT_GIVEN,
            "error: wrong.yaml:7: LoggingPolicy wrong: spec.outputs[0].loki.url does not start with http:// or https://",
        ),
        (
            "-f wrong.yaml",
            NOT_GIVEN,
            "error: wrong.yaml:8: LoggingPolicy wrong: spec.outputs[1] ",
        ),
        ("-f typo.yaml", UNUSABLE, "did you mean engine?"),
        (
            "-f agents.yaml -f sidecars.yaml",
            UNUSABLE,
            "was given at agents.yaml:1 already",
        ),
        (
            "-f agents.yaml --streamer-image a!",
            UNUSABLE,
            "write REGISTRY/NAME:TAG",
        ),
        (
            "-f agents.yaml --directory a -o yaml",
            UNUSABLE,
            "cannot be used with",
        ),
    ] {
        let ended = desk.run(&format!("render {arguments}"), "");
        assert_eq!(ended.status, status, "{arguments}: {}", ended.stderr);
        assert!(ended.stderr.contains(stderr), "{arguments}: {}", ended.stderr);
        assert_eq!(
            ended.stdout.is_empty(),
            status == UNUSABLE || !arguments.contains("agents"),
            "{arguments}"
        );
    }
}
