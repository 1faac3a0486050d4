//! The pods that workloads make.

use serde_json::{Value, json};

use crate::desk::{DONE, Desk, POD, POLICY, pods, sidecars};

/// A template of pods that log to the volume `logs`, which they may have from elsewhere.
fn template(volumes: &Value) -> Value {
    let mounts = json!([{"name": "logs", "mountPath": "/logs"}]);
    let container = json!({"name": "app", "securityContext": {"runAsUser": 1000}, "volumeMounts": mounts});
    json!({
        "metadata": {"name": "ignored", "labels": {"app": "web"}, "annotations": {"tributary.dev/stream": "/logs/a.log"}},
        "spec": {"containers": [container], "volumes": volumes}
    })
}

#[test]
fn a_workload_prints_the_pod_that_it_makes() {
    let own = template(&json!([{"name": "logs", "emptyDir": {}}]));
    let claimed = template(&Value::Null);
    let claims = json!([{"metadata": {"name": "logs"}}]);
    let desk = Desk::new(&[("policy.yaml", POLICY)]);
    for (api, kind, spec, metadata) in [
        (
            "apps/v1",
            "Deployment",
            json!({"template": own}),
            json!({"generateName": "web-"}),
        ),
        (
            "apps/v1",
            "DaemonSet",
            json!({"template": own}),
            json!({"generateName": "web-"}),
        ),
        (
            "batch/v1",
            "Job",
            json!({"template": own}),
            json!({"generateName": "web-"}),
        ),
        (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": {"template": own}}}),
            json!({"generateName": "web-"}),
        ),
        (
            "apps/v1",
            "StatefulSet",
            json!({"template": claimed, "volumeClaimTemplates": claims, "ordinals": {"start": 3}}),
            json!({"name": "web-3"}),
        ),
    ] {
        let metadata_given = json!({"name": "web", "namespace": "shop", "labels": {"of": "workload"}});
        let workload = json!({"apiVersion": api, "kind": kind, "metadata": metadata_given, "spec": spec});
        let ended = desk.run("inject -f - -f policy.yaml", &workload.to_string());
        assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""), "{workload}");
        let pod = &pods(&ended.stdout)[0];
        assert_eq!((&pod["apiVersion"], &pod["kind"]), (&json!("v1"), &json!("Pod")));
        assert_eq!(sidecars(pod), ["stream-a-log"], "{kind}");
        assert_eq!(pod["spec"]["volumes"][0]["name"], "logs", "{kind}");
        let found = &pod["metadata"];
        assert_eq!(found["namespace"], "shop");
        assert_eq!(
            found["labels"],
            json!({"app": "web", "tributary.dev/streaming": "default"})
        );
        for field in ["name", "generateName"] {
            assert_eq!(found.get(field), metadata.get(field), "{kind}");
        }
    }
}

#[test]
fn other_workloads_are_passed_over_aloud() {
    let rollout = json!({
        "apiVersion": "example.com/v1", "kind": "Rollout", "metadata": {"name": "web"},
        "spec": {"template": {"spec": {"containers": []}}}
    });
    let ended = Desk::new(&[]).run("inject -f -", &format!("{rollout}\n---\n{POD}"));
    let note = "note: stdin:1: Rollout web is passed over: ";
    assert!(ended.stderr.starts_with(note), "{}", ended.stderr);
    assert_eq!(pods(&ended.stdout).len(), 1);
}
