//! Pods at the edge of what the API server takes: with us they are still within it.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_crds::Reason;

use crate::api_server::thousandths;
use crate::support::{decide, patched, policies};

/// What all annotations of an object may hold together, in bytes (the API server's limit).
const MAX_ANNOTATIONS: usize = 256 * 1024;

fn pod(annotations: &Value, container: &Value) -> Value {
    let mut app =
        json!({"name": "app", "image": "i", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]});
    app.as_object_mut()
        .unwrap()
        .extend(container.as_object().unwrap().clone());
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations},
        "spec": {
            "securityContext": {"runAsUser": 1000}, "containers": [app], "volumes": [{"name": "logs", "emptyDir": {}}]
        }
    })
}

fn annotation_bytes(pod: &Value) -> usize {
    let annotations = pod["metadata"]["annotations"].as_object().unwrap();
    let lengths = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().unwrap().len());
    lengths.sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn annotations_stay_within_their_limit(
        left in 0..20_000_usize, stream in any::<bool>(), ship in any::<bool>(), stale in any::<bool>()
    ) {
        let mut pod = pod(&json!({"note": ""}), &json!({}));
        let annotations = &mut pod["metadata"]["annotations"];
        for (key, asked) in [("stream", stream), ("ship", ship)] {
            if asked {
                annotations[format!("tributary.dev/{key}")] = "/logs/a.log".into();
            }
        }
        if stale {
            annotations["tributary.dev/result"] = "x".repeat(left / 2).into();
        }
        let room = MAX_ANNOTATIONS.saturating_sub(annotation_bytes(&pod) + left);
        pod["metadata"]["annotations"]["note"] = "n".repeat(room).into();
        prop_assert!(annotation_bytes(&pod) <= MAX_ANNOTATIONS);
        let once = patched(&pod, &decide(&pod, policies()));
        let bytes = annotation_bytes(&once);
        prop_assert!(bytes <= MAX_ANNOTATIONS, "{left} were left, and {} are too many", bytes - MAX_ANNOTATIONS);
        prop_assert!(decide(&once, policies()).patch.is_empty());
    }
}

/// How long a decision may take, also on a machine that is busy with other things: the API server waits for three seconds.
const SOON: Duration = Duration::from_millis(500);

#[test]
fn no_annotation_takes_long_to_refuse() {
    let names = |separator: &str, count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
        names.join(separator)
    };
    let mounts: Vec<Value> = (0..5000)
        .map(|at| json!({"name": "logs", "mountPath": format!("/logs/{at}")}))
        .collect();
    for (key, value) in [
        ("tributary.dev/policy", "p".repeat(250_000)),
        ("tributary.dev/direct", names(",", 35_000)),
        ("tributary.dev/stream", names(",/", 35_000)),
        ("tailing-sidecar", names(";logs:/x", 20_000)),
        ("tributary.dev/multiline", format!("^{}", "\\pL".repeat(80_000))),
        (
            "tributary.dev/multiline",
            format!("^{}", "[a-z]{60}".repeat(25_000)),
        ),
        ("tributary.dev/image", "a/".repeat(100_000)),
        (
            "tributary.dev/resources",
            format!(r#"{{"limits":{{"cpu":"{}"}}}}"#, "9".repeat(250_000)),
        ),
    ] {
        let mut annotations = json!({key: value});
        if !["tributary.dev/direct", "tributary.dev/stream", "tailing-sidecar"].contains(&key) {
            annotations["tributary.dev/stream"] = "/logs/a.log".into();
        }
        let pod = pod(&annotations, &json!({"volumeMounts": mounts}));
        let started = Instant::now();
        let decision = decide(&pod, policies());
        let took = started.elapsed();
        assert!(took < SOON, "{key}: {took:?}");
        let said: usize = decision.warnings.iter().map(String::len).sum();
        assert!(
            !decision.warnings.is_empty() && said < 64 * 1024,
            "{key}: {said} bytes of warnings"
        );
    }
}

/// The paths at which a container has something.
fn paths(container: &Value) -> Vec<&str> {
    let of = |list: &str, path: &str| -> Vec<&str> {
        let items = container[list].as_array().into_iter().flatten();
        items.map(|item| item[path].as_str().unwrap()).collect()
    };
    [of("volumeMounts", "mountPath"), of("volumeDevices", "devicePath")].concat()
}

#[test]
fn nothing_is_mounted_where_a_container_has_a_device_or_a_mount_by_another_name() {
    for (container, file, reason) in [
        (
            json!({"volumeMounts": null, "volumeDevices": [{"name": "block", "devicePath": "/data/block"}]}),
            "/data/block/a.log",
            "UnsupportedMount",
        ),
        (
            json!({"volumeMounts": [{"name": "logs", "mountPath": "/var/../srv/./logs/"}]}),
            "/srv/logs/a.log",
            "Injected",
        ),
        (
            json!({"volumeMounts": [{"name": "logs", "mountPath": "/../../srv"}]}),
            "/srv/a.log",
            "Injected",
        ),
    ] {
        let annotations = json!({"tributary.dev/stream": file, "tributary.dev/missing-volume": "create"});
        let pod = pod(&annotations, &container);
        let decision = decide(&pod, policies());
        let reasons: Vec<&str> = decision.reasons.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(reasons, [reason], "{file}");
        let once = patched(&pod, &decision);
        assert_eq!(paths(&once["spec"]["containers"][0]).len(), 1, "{file}");
    }
}

#[test]
fn an_application_that_knows_where_to_push_keeps_its_protocol() {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    for (own, protocol) in [
        (vec![], Some("grpc")),
        (vec![variable("OTEL_SERVICE_NAME", "web")], Some("grpc")),
        (
            vec![variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://own:4318")],
            None,
        ),
        (
            vec![variable(
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
                "http://own:4318/v1/traces",
            )],
            None,
        ),
        (
            vec![
                variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://own:4318/v1/traces"),
                variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ],
            Some("grpc"),
        ),
        (
            vec![
                variable("OTEL_EXPORTER_OTLP_ENDPOINT", "http://own:4318"),
                variable("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ],
            Some("http/json"),
        ),
    ] {
        let pod = pod(&json!({"tributary.dev/direct": "true"}), &json!({"env": own}));
        let decision = decide(&pod, policies());
        let once = patched(&pod, &decision);
        let env = once["spec"]["containers"][0]["env"].as_array().unwrap();
        let found: Vec<&str> = env
            .iter()
            .filter(|variable| variable["name"] == "OTEL_EXPORTER_OTLP_PROTOCOL")
            .map(|variable| variable["value"].as_str().unwrap())
            .collect();
        assert_eq!(found, Vec::from_iter(protocol), "{own:?}");
        assert_eq!(
            protocol == Some("grpc"),
            !decision.reasons.contains(&Reason::VariableKept),
            "{own:?}"
        );
        assert!(decide(&once, policies()).patch.is_empty(), "{own:?}");
    }
}

/// What the kubelet compares a pod's use of disk with: the sum of the limits that there are; `None` when there are none.
fn disk_limit(pod: &Value) -> Option<i128> {
    let containers = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten());
    let limits = containers.filter_map(|container| container["resources"]["limits"].get("ephemeral-storage"));
    limits.map(thousandths).reduce(|sum, limit| sum + limit)
}

#[test]
fn a_sidecars_own_logs_take_no_disk_from_a_pod_that_limits_some() {
    // Five files of 10 MiB, and one that is being compressed.
    let logs = thousandths(&json!("60Mi"));
    let limited = json!({"limits": {"ephemeral-storage": "100Mi"}});
    for (app, other, init) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
        (false, false, true),
        (false, false, false),
    ] {
        let of = |is_limited: bool| if is_limited { limited.clone() } else { json!({}) };
        let mut pod = pod(
            &json!({"tributary.dev/stream": "/logs/a.log"}),
            &json!({"resources": of(app)}),
        );
        let others = pod["spec"]["containers"].as_array_mut().unwrap();
        others.push(json!({"name": "other", "image": "i", "resources": of(other)}));
        pod["spec"]["initContainers"] = json!([{"name": "init", "image": "i", "resources": of(init)}]);
        let once = patched(&pod, &decide(&pod, policies()));
        assert_eq!(once["spec"]["initContainers"].as_array().unwrap().len(), 2);
        let (before, after) = (disk_limit(&pod), disk_limit(&once));
        assert_eq!(before.is_some(), after.is_some(), "{app} {other} {init}");
        let more = after.unwrap_or_default() - before.unwrap_or_default();
        assert!(before.is_none() || more >= logs, "{app} {other} {init}: {more}");
    }
}
