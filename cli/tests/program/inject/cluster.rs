//! What the files say of the cluster.

use serde_json::{Value, json};

use crate::desk::{DONE, Desk, NOT_GIVEN, POD, POLICY};

#[test]
fn namespaces_select_policies() {
    let policy = POLICY.replace(
        "spec: {",
        "spec: {selector: {namespaceSelector: {matchLabels: {team: shop}}}, ",
    );
    let namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: here, labels: {team: shop}}\n";
    let desk = Desk::new(&[
        ("policy.yaml", &policy),
        ("namespace.yaml", namespace),
        ("pod.yaml", POD),
    ]);
    for (arguments, status) in [
        ("", NOT_GIVEN),
        ("-n here", NOT_GIVEN),
        ("-f namespace.yaml", NOT_GIVEN),
        ("-f namespace.yaml -n here", DONE),
        ("--policies namespace.yaml --namespace here", DONE),
        ("--namespace-labels tier=a,team=shop", DONE),
        ("--namespace-labels team=other", NOT_GIVEN),
    ] {
        let ended = desk.run(&format!("inject -f pod.yaml -f policy.yaml {arguments}"), "");
        assert_eq!(ended.status, status, "{arguments}: {}", ended.stderr);
    }
}

#[test]
fn a_policy_that_cannot_be_used_is_told_of_even_where_another_one_serves() {
    let broken = "apiVersion: tributary.dev/v1alpha1\nkind: LoggingPolicy\nmetadata: {name: broken}\n\
        spec: {streamingSidecar: {image: my image}}\n";
    let desk = Desk::new(&[
        ("policy.yaml", POLICY),
        ("broken.yaml", broken),
        ("pod.yaml", POD),
    ]);
    let ended = desk.run("inject -f pod.yaml -f policy.yaml -f broken.yaml", "");
    assert_eq!(ended.status, DONE, "{}", ended.stderr);
    assert_eq!(
        ended.stderr,
        "note: LoggingPolicy broken cannot be used as it stands: streamingSidecar.image: \"my image\" is no image; \
         write REGISTRY/NAME:TAG; correct the policy\n"
    );
}

#[test]
fn limits_of_the_namespace_are_met() {
    let range = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: small, namespace: here}\n\
        spec: {limits: [{type: Container, max: {memory: 24Mi, cpu: 1}}]}\n";
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: tight}\nspec: {hard: {limits.memory: 100Mi}}\n";
    let pod = POD.replace(
        "    image: app\n",
        "    image: app\n    resources: {limits: {memory: 90Mi, cpu: 1}}\n",
    );
    let desk = Desk::new(&[
        ("policy.yaml", POLICY),
        ("range.yaml", range),
        ("quota.yaml", quota),
        ("pod.yaml", &pod),
    ]);
    let memory = |arguments: &str| {
        let ended = desk.run(
            &format!("inject -f pod.yaml -f policy.yaml -o json {arguments}"),
            "",
        );
        let pod: Value = serde_json::from_str(&ended.stdout).unwrap();
        let memory = pod
            .pointer("/spec/initContainers/0/resources/limits/memory")
            .cloned();
        (ended.status, memory, ended.stderr)
    };
    assert_eq!(memory(""), (DONE, Some(json!("32Mi")), String::new()));
    assert_eq!(
        memory("-f range.yaml"),
        (DONE, Some(json!("32Mi")), String::new())
    );
    assert_eq!(memory("-f range.yaml -n here").1, Some(json!("24Mi")));
    let (status, sidecar, stderr) = memory("-f quota.yaml");
    assert_eq!((status, sidecar), (NOT_GIVEN, None));
    assert!(stderr.starts_with("Warning: tributary: QuotaTight: "), "{stderr}");
    assert_eq!(memory("-f quota.yaml -n here -f range.yaml").0, NOT_GIVEN);
}

#[test]
fn what_a_whole_pod_requests_is_written_so_that_sidecars_do_not_count_twice() {
    // What people write, and what the API server reserves for the pod when it reads that without sidecars.
    for (whole, container, requests) in [
        (
            json!({"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "100M"}}),
            json!({}),
            json!({"cpu": "100m", "memory": "100M"}),
        ),
        (
            json!({"limits": {"cpu": 1, "memory": "256Mi"}}),
            json!({"requests": {"memory": "192Mi"}}),
            json!({"cpu": 1, "memory": "192Mi"}),
        ),
        (
            json!({"limits": {"memory": "256Mi"}}),
            json!({"limits": {"cpu": "500m"}}),
            json!({"cpu": "500m", "memory": "256Mi"}),
        ),
        (
            json!({"requests": {"memory": "256Mi"}}),
            json!({}),
            json!({"memory": "256Mi"}),
        ),
    ] {
        let range = json!({
            "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
            "spec": {"limits": [{"type": "Container", "default": {"memory": "20Mi", "cpu": "50m"}}]}
        });
        let mut pod: Value = serde_saphyr::from_str(POD).unwrap();
        pod["spec"]["resources"] = whole.clone();
        pod["spec"]["containers"][0]["resources"] = container;
        let desk = Desk::new(&[
            ("policy.yaml", POLICY),
            ("range.yaml", &range.to_string()),
            ("pod.yaml", &pod.to_string()),
        ]);
        let ended = desk.run("inject -f pod.yaml -f policy.yaml -f range.yaml -o json", "");
        assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""), "{whole}");
        let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(printed["spec"]["resources"]["requests"], requests, "{whole}");
        assert_eq!(
            printed["spec"]["resources"]["limits"],
            whole.get("limits").cloned().unwrap_or_default()
        );
        let again = desk.run("inject -f - -f policy.yaml -f range.yaml -o json", &ended.stdout);
        assert_eq!(again.stdout, ended.stdout, "{whole}");
    }
}
