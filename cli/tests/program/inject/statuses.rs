//! Exit statuses, and what goes to which stream.

use crate::desk::{DONE, Desk, NOT_GIVEN, POD, POLICY, UNUSABLE};

/// Arguments, the exit status, and what standard error holds; nothing where this is empty.
const CASES: &[(&str, i32, &str)] = &[
    ("inject -f pod.yaml -f policy.yaml", DONE, ""),
    ("inject -f pod.yaml --policies policy.yaml", DONE, ""),
    ("inject -f quiet.yaml", DONE, ""),
    ("inject -f quiet.yaml -f service.yaml", DONE, ""),
    (
        "inject -f root.yaml -f policy.yaml",
        DONE,
        "Warning: tributary: MayNotRead: ",
    ),
    (
        "inject -f created.yaml -f policy.yaml",
        DONE,
        "Warning: tributary: VolumeCreated: ",
    ),
    (
        "inject -f disabled.yaml -f policy.yaml",
        DONE,
        "Warning: tributary: InjectionDisabled: ",
    ),
    (
        "inject -f wrong.yaml -f policy.yaml",
        NOT_GIVEN,
        "Warning: tributary: NoVolume: ",
    ),
    (
        "inject -f pod.yaml",
        NOT_GIVEN,
        "note: no LoggingPolicy was given; ",
    ),
    (
        "inject -f pod.yaml -f quiet.yaml -n tributary-system",
        NOT_GIVEN,
        "never come to the webhook",
    ),
    ("inject -f empty.yaml", UNUSABLE, "error: there is no Pod, "),
    (
        "inject -f service.yaml -f policy.yaml",
        UNUSABLE,
        "in service.yaml, policy.yaml\n",
    ),
    ("inject -f unreadable.yaml", UNUSABLE, "error: unreadable.yaml:"),
    (
        "inject -f nowhere.yaml",
        UNUSABLE,
        "error: cannot read nowhere.yaml: ",
    ),
    (
        "inject -f quiet.yaml --policies pod.yaml",
        UNUSABLE,
        "error: pod.yaml:2: Pod web is in a file of --policies",
    ),
    (
        "inject -f - --policies -",
        UNUSABLE,
        "error: - (standard input) is given twice",
    ),
    (
        "inject -f policy.yaml -f policy.yaml -f pod.yaml",
        UNUSABLE,
        "was given at policy.yaml:1 already",
    ),
    (
        "inject -f pod.yaml --streamer-image my!image",
        UNUSABLE,
        "write REGISTRY/NAME:TAG",
    ),
    (
        "inject -f pod.yaml --namespace-labels team",
        UNUSABLE,
        "write KEY=VALUE",
    ),
    (
        "inject -f pod.yaml -o table",
        UNUSABLE,
        "possible values: yaml, json, patch",
    ),
    ("inject", UNUSABLE, "--filename <FILE>"),
    ("injekt", UNUSABLE, "a similar subcommand exists: 'inject'"),
    ("", UNUSABLE, "Usage: tributary <COMMAND>"),
];

#[test]
fn exit_statuses() {
    let desk = Desk::new(&[
        ("pod.yaml", POD),
        ("policy.yaml", POLICY),
        (
            "quiet.yaml",
            "apiVersion: v1\nkind: Pod\nmetadata: {name: quiet}\nspec: {containers: []}\n",
        ),
        ("wrong.yaml", &POD.replace("/logs/a.log", "/elsewhere/a.log")),
        (
            "created.yaml",
            &POD.replace(
                "/logs/a.log",
                "/elsewhere/a.log, tributary.dev/missing-volume: create",
            ),
        ),
        ("root.yaml", &POD.replace("1000", "0")),
        (
            "disabled.yaml",
            &POD.replace("/logs/a.log", "/logs/a.log, tributary.dev/inject: \"false\""),
        ),
        (
            "service.yaml",
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n",
        ),
        ("empty.yaml", "# nothing\n"),
        ("unreadable.yaml", "apiVersion: v1\nkind: [Pod\n"),
    ]);
    for (arguments, status, stderr) in CASES {
        let ended = desk.run(arguments, "");
        assert_eq!(ended.status, *status, "{arguments}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(stderr) && stderr.is_empty() == ended.stderr.is_empty(),
            "{arguments}: {}",
            ended.stderr
        );
        assert_eq!(
            ended.stdout.is_empty(),
            *status == UNUSABLE,
            "{arguments}: {}",
            ended.stdout
        );
    }
    for arguments in ["--help", "inject --help", "--version"] {
        let ended = desk.run(arguments, "");
        assert_eq!((ended.status, ended.stderr.as_str()), (DONE, ""), "{arguments}");
        assert!(ended.stdout.contains("tributary"), "{arguments}");
    }
}

#[test]
fn as_a_plugin_it_is_called_as_one() {
    let desk = Desk::new(&[("pod.yaml", POD), ("policy.yaml", POLICY)]);
    let plugin = desk.path("kubectl-tributary");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tributary"), &plugin).unwrap();
    let ended = desk.run_as(&plugin, "inject -f pod.yaml -f policy.yaml", "");
    assert_eq!(ended.status, DONE, "{}", ended.stderr);
    let usage = desk.run_as(&plugin, "inject --help", "").stdout;
    assert!(usage.contains("Usage: kubectl tributary inject "), "{usage}");
}
