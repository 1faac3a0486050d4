//! Exit statuses, and what goes to which stream.

use super::{GOOD, HEAD};
use crate::desk::{DONE, Desk, NOT_GIVEN, POD, UNUSABLE};

#[test]
fn exit_statuses() {
    let wrong = GOOD
        .replace("https://search", "search")
        .replace("name: default", "name: other");
    let desk = Desk::new(&[
        ("good.yaml", GOOD),
        ("wrong.yaml", &wrong),
        ("pod.yaml", POD),
        ("odd.yaml", &GOOD.replace("v1alpha1", "v2")),
        ("nameless.yaml", &HEAD.replace("  name: default\n", "  {}\n")),
        ("broken.yaml", "a: [\n"),
    ]);
    for (arguments, status, stdout, stderr) in [
        (
            "-f good.yaml",
            DONE,
            "good.yaml:1: LoggingPolicy default: nothing is wrong\n",
            "note: ",
        ),
        ("-f good.yaml -f pod.yaml", DONE, "nothing is wrong", "note: "),
        (
            "-f wrong.yaml",
            NOT_GIVEN,
            "wrong.yaml:10: LoggingPolicy other: ",
            "",
        ),
        (
            "-f good.yaml -f wrong.yaml",
            NOT_GIVEN,
            "nothing is wrong",
            "note: ",
        ),
        (
            "-f pod.yaml",
            UNUSABLE,
            "",
            "error: there is no LoggingPolicy in pod.yaml\n",
        ),
        ("-f broken.yaml", UNUSABLE, "", "error: broken.yaml:"),
        (
            "-f nowhere.yaml",
            UNUSABLE,
            "",
            "error: cannot read nowhere.yaml: ",
        ),
        (
            "-f odd.yaml",
            UNUSABLE,
            "",
            "error: odd.yaml:1: LoggingPolicy default: apiVersion: this version of Tributary reads tributary.dev/v1alpha1\n",
        ),
        ("-f nameless.yaml", UNUSABLE, "", "error: nameless.yaml:"),
        (
            "-f good.yaml -f good.yaml",
            UNUSABLE,
            "",
            "was given at good.yaml:1 already",
        ),
        (
            "-f good.yaml -o table",
            UNUSABLE,
            "",
            "possible values: text, yaml, json",
        ),
        ("", UNUSABLE, "", "--filename <FILE>"),
    ] {
        let ended = desk.run(&format!("check {arguments}"), "");
        assert_eq!(ended.status, status, "{arguments}: {}", ended.stderr);
        assert!(ended.stdout.contains(stdout), "{arguments}: {}", ended.stdout);
        assert_eq!(
            ended.stdout.is_empty(),
            stdout.is_empty(),
            "{arguments}: {}",
            ended.stdout
        );
        assert!(ended.stderr.contains(stderr), "{arguments}: {}", ended.stderr);
    }
}

#[test]
fn what_the_cluster_has_is_read_from_a_pipe() {
    let stored = "\
apiVersion: v1
kind: List
items:
- apiVersion: tributary.dev/v1alpha1
  kind: LoggingPolicy
  metadata: {name: a, uid: b, managedFields: [{manager: c}]}
  spec: {priority: 0, selector: {}, streamingSidecar: {layout: PerFile, format: Raw, missingVolume: Skip}, outputs: []}
  status: {observedGeneration: 1, unheardOf: {}}
";
    let ended = Desk::new(&[]).run("check -f -", stored);
    assert_eq!(
        (ended.stdout.as_str(), ended.stderr.as_str(), ended.status),
        ("stdin:4: LoggingPolicy a: nothing is wrong\n", "", DONE)
    );
}
