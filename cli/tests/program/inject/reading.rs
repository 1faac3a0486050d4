//! What is read: standard input, documents, lists, YAML and JSON; and that all of it comes out again.

use std::process::Command;

use serde_json::{Value, json};

use crate::desk::{DONE, Desk, NOT_GIVEN, POD, POLICY, pods, sidecars};

#[test]
fn standard_input_takes_pods_or_policies() {
    let desk = Desk::new(&[("pod.yaml", POD), ("policy.yaml", POLICY)]);
    let files = desk.run("inject -f pod.yaml -f policy.yaml", "");
    assert_eq!(sidecars(&pods(&files.stdout)[0]), ["stream-a-log"]);
    for (arguments, stdin) in [
        ("inject -f - --policies policy.yaml", POD.to_owned()),
        ("inject --filename=pod.yaml --policies=-", POLICY.to_owned()),
        ("inject -f -", format!("{POLICY}---\n{POD}")),
        (
            "inject -f -",
            format!("---\n# first\n---\n{POD}\n--- # second\n{POLICY}---\n"),
        ),
    ] {
        let ended = desk.run(arguments, &stdin);
        assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""), "{arguments}");
        assert_eq!(ended.stdout, files.stdout, "{arguments}");
    }
    let ended = desk.run("inject -f -", "kind: x\n");
    assert!(ended.stderr.starts_with("error: stdin:1: "), "{}", ended.stderr);
}

#[test]
fn lists_and_json_are_read_as_documents_are() {
    let pod: Value = serde_saphyr::from_str(POD).unwrap();
    let policy: Value = serde_saphyr::from_str(POLICY).unwrap();
    let mut bare = pod.clone();
    bare.as_object_mut()
        .unwrap()
        .retain(|field, _| field != "kind" && field != "apiVersion");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [policy, pod]});
    let pod_list = json!({"apiVersion": "v1", "kind": "PodList", "items": [bare]});
    let texts = [
        format!("{policy}\n{pod}"),
        serde_json::to_string_pretty(&list).unwrap(),
        serde_saphyr::to_string(&list).unwrap(),
        format!("{policy}{pod_list}"),
    ];
    let desk = Desk::new(&[]);
    for text in texts {
        let ended = desk.run("inject -f - -o json", &text);
        assert_eq!(ended.status, DONE, "{text}: {}", ended.stderr);
        let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(sidecars(&printed), ["stream-a-log"], "{text}");
    }
}

#[test]
fn several_pods_are_told_apart() {
    let wrong = POD
        .replace("name: web", "name: wrong")
        .replace("/logs/a.log", "/b/a.log");
    let desk = Desk::new(&[("app.yaml", &format!("{POLICY}---\n{POD}---\n{wrong}"))]);
    let ended = desk.run("inject -f app.yaml", "");
    assert_eq!(ended.status, NOT_GIVEN);
    let pods = pods(&ended.stdout);
    assert_eq!(
        (sidecars(&pods[0]), sidecars(&pods[1])),
        (vec!["stream-a-log"], vec![])
    );
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines[0], "app.yaml:21: Pod wrong:");
    assert!(
        lines.len() == 2 && lines[1].starts_with("Warning: tributary: NoVolume: "),
        "{lines:?}"
    );

    let patches = desk.run("inject -f app.yaml -o patch", "").stdout;
    let patches: Vec<Vec<Value>> = patches
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        patches.len() == 2 && patches[0].len() > patches[1].len(),
        "{patches:?}"
    );
    let list: Value = serde_json::from_str(&desk.run("inject -f app.yaml -o json", "").stdout).unwrap();
    assert_eq!(list["items"], json!(pods));
}

#[test]
fn what_is_not_known_is_kept() {
    let strange = POD.replace(
        "spec:\n",
        "  futureMetadata: {a: [1, 2.5, null], b: \"yes\"}\nspec:\n  futureField: {nested: {deep: true}}\n",
    );
    let desk = Desk::new(&[("pod.yaml", &strange), ("policy.yaml", POLICY)]);
    let ended = desk.run("inject -f pod.yaml -f policy.yaml -o patch", "");
    let patch: json_patch::Patch = serde_json::from_str(&ended.stdout).unwrap();
    let mut expected: Value = serde_saphyr::from_str(&strange).unwrap();
    json_patch::patch(&mut expected, &patch).unwrap();
    let printed = desk.run("inject -f pod.yaml -f policy.yaml", "").stdout;
    assert_eq!(pods(&printed), [expected.clone()]);
    assert_eq!(
        expected["metadata"]["futureMetadata"],
        json!({"a": [1, 2.5, null], "b": "yes"})
    );

    let again = desk.run("inject -f - -f policy.yaml", &printed);
    assert_eq!(again.stdout, printed, "what has come out does not change");
}

#[test]
fn yaml_means_what_kubectl_takes_it_for() {
    let pod = POD.replace(
        "emptyDir: {}",
        "secret: {secretName: x, defaultMode: 0400, optional: yes}",
    );
    let desk = Desk::new(&[("policy.yaml", POLICY)]);
    let ended = desk.run("inject -f - -f policy.yaml -o json", &pod);
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    let secret = &printed["spec"]["volumes"][0]["secret"];
    assert_eq!(
        (&secret["defaultMode"], &secret["optional"]),
        (&json!(256), &json!(true))
    );
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let desk = Desk::new(&[("policy.yaml", POLICY), ("pod.yaml", POD)]);
    let program = env!("CARGO_BIN_EXE_tributary");
    let command = format!(
        "'{program}' inject -f pod.yaml -f policy.yaml {}; echo $? >&2",
        "-f pod.yaml ".repeat(500)
    );
    let ended = Command::new("sh")
        .args(["-c", &format!("({command}) | head -n 1")])
        .current_dir(desk.path("."))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(ended.stdout).unwrap(), "apiVersion: v1\n");
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "0\n");
}

#[test]
fn large_clusters_are_read() {
    let namespace = |number: usize| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": format!("n{number}"), "labels": {"a": "b", "c": "d", "e": "f"}, "annotations": {"g": "h", "i": "j"}}})
    };
    let items: Value = (0..10_000).map(namespace).collect();
    let cluster =
        serde_saphyr::to_string(&json!({"apiVersion": "v1", "kind": "List", "items": items})).unwrap();
    let desk = Desk::new(&[
        ("policy.yaml", POLICY),
        ("pod.yaml", POD),
        ("cluster.yaml", &cluster),
    ]);
    let ended = desk.run("inject -f pod.yaml -f policy.yaml --policies cluster.yaml", "");
    assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""));
}
