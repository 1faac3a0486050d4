//! What people read when a file is wrong.

use crate::desk::{Desk, POD, UNUSABLE};

#[test]
fn errors_name_the_file_and_line_and_say_what_to_write() {
    let begin = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\n";
    let policy = "apiVersion: tributary.dev/v1alpha1\nkind: LoggingPolicy\nmetadata:\n  name: a\nspec:\n";
    for (text, message) in [
        (
            format!("{begin}  annotations:\n    tributary.dev/inject: false\n"),
            "x.yaml:6: Pod web: metadata.annotations[\"tributary.dev/inject\"]: false is not text; write it in quotes",
        ),
        (
            format!("{begin}spec:\n  containers:\n  - name: app\n    volumeMounts: logs\n"),
            "x.yaml:8: Pod web: spec.containers[0].volumeMounts: invalid type: string \"logs\", expected a sequence",
        ),
        (begin.to_owned(), "x.yaml:1: Pod web: missing field `spec`"),
        (
            begin.replace("  name", "\tname"),
            "x.yaml:4: this is not YAML: ",
        ),
        (
            format!("{begin}kind: Pod\n"),
            "x.yaml:5: this is not YAML: the key kind is there twice; remove one",
        ),
        (
            format!("{begin}spec: {{}}\n---\nmetadata: {{}}\n"),
            "x.yaml:7: this object has no apiVersion; begin a pod with apiVersion: v1 and kind: Pod",
        ),
        (
            "- a\n- b\n".to_owned(),
            "x.yaml:1: this is no Kubernetes object; begin one with apiVersion, kind and metadata",
        ),
        (
            "{\"apiVersion\": \"v1\",\n \"kind\": \"Pod\"\n \"metadata\": {}}".to_owned(),
            "x.yaml:3: this is not JSON: expected `,` or `}`",
        ),
        (
            format!("{policy}  streamingSidecars: {{}}\n"),
            "x.yaml:6: LoggingPolicy a: spec.streamingSidecars: there is no such field; did you mean streamingSidecar?",
        ),
        (
            format!("{policy}  streamingSidecar:\n    layout: Perfile\n"),
            "x.yaml:7: LoggingPolicy a: spec.streamingSidecar.layout: unknown variant `Perfile`, expected ",
        ),
        (
            policy.replace("v1alpha1", "v2"),
            "x.yaml:1: LoggingPolicy a: apiVersion: this version of Tributary reads tributary.dev/v1alpha1",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n".to_owned(),
            "x.yaml:5: Deployment web: spec.template: there is no pod template; write one",
        ),
        (
            "apiVersion: batch/v1\nkind: Job\nmetadata: {name: web}\nspec:\n  template:\n    metadata:\n      labels:\n        a: 1\n"
                .to_owned(),
            "x.yaml:8: Job web: spec.template.metadata.labels.a: 1 is not text; write it in quotes",
        ),
        (
            format!("{begin}  namespace: shop\nspec: {{}}\n"),
            "x.yaml:5: Pod web is in namespace shop, and --namespace says other; leave one of them out",
        ),
    ] {
        let desk = Desk::new(&[("x.yaml", &text), ("pod.yaml", POD)]);
        let ended = desk.run("inject -f pod.yaml -f x.yaml --namespace other", "");
        assert_eq!(ended.status, UNUSABLE, "{text}");
        assert!(
            ended.stderr.starts_with(&format!("error: {message}")) && ended.stderr.lines().count() == 1,
            "{}, expected {message}",
            ended.stderr
        );
    }
}
