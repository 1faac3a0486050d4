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
