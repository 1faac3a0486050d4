//! Engines that judge, and engines that do not.

use serde_json::Value;

use super::{GOOD, HEAD};
use crate::desk::{DONE, Desk, Ended, NOT_GIVEN, UNUSABLE};

/// The collector's error as version 0.158.0 prints it.
const COMPLAINT: &str =
    "echo 'Error: exporters::elasticsearch/search: invalid endpoint \"https://search.logging:9200\": no
exporters::file/console::rotation: bad' >&2; echo '2026/11/21 22:19:12 exporters' >&2; exit 1";

fn check(script: &str, arguments: &str) -> Ended {
    let desk = Desk::new(&[("p.yaml", GOOD)]);
    desk.script("otelcol-contrib", script);
    desk.run(&format!("check -f p.yaml {arguments}"), "")
}

#[test]
fn what_the_engine_accepts_is_said_with_its_name() {
    let ended = check("exit 0", "");
    assert_eq!(
        ended.stdout,
        "p.yaml:1: LoggingPolicy default: nothing is wrong; otelcol-contrib accepts what its nodeAgent reads\n"
    );
    assert_eq!(
        ended.stderr,
        "note: nodeAgent of LoggingPolicy default reads Secrets in namespace tributary-agents: search (key password)\n"
    );
    assert_eq!(ended.status, DONE);
}

#[test]
fn what_the_engine_says_is_said_of_the_policys_field() {
    let ended = check(COMPLAINT, "");
    assert_eq!(
        ended.stdout,
        "\
p.yaml:10: LoggingPolicy default: spec.outputs[0].elasticsearch.url: otelcol-contrib says: exporters::elasticsearch/search: invalid endpoint \"https://search.logging:9200\": no
p.yaml:14: LoggingPolicy default: spec.outputs[1]: otelcol-contrib says: exporters::file/console::rotation: bad
"
    );
    assert!(
        ended
            .stderr
            .starts_with("note: the files that it has read are those of: tributary render -f p.yaml; "),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, NOT_GIVEN);
}

#[test]
fn the_engine_finds_its_files_and_variables() {
    // Says what it was given as if it were an error.
    let script = "echo \"Error: $* POD_IP=$POD_IP node=$K8S_NODE_NAME memory=$GOMEMLIMIT\"; f=${2#--config=}; read -r first < \"$f\"; echo \"$first\"; exit 1";
    let ended = check(script, "");
    let expected = "spec.nodeAgent: otelcol-contrib says: validate --config=/etc/tributary/config/otelcol.yaml --feature-gates=stanza.synchronousLogEmitter POD_IP=127.0.0.1 node=tributary-check memory=429496729: connectors";
    assert!(ended.stdout.contains(expected), "{}", ended.stdout);
}

#[test]
fn without_the_engine_a_note_says_so() {
    let ended = Desk::new(&[("p.yaml", GOOD)]).run("check -f p.yaml", "");
    assert_eq!(ended.status, DONE);
    assert!(
        ended.stderr.starts_with(
            "note: otelcol-contrib and otelcol are not on the PATH, so engine OpenTelemetryCollector itself was not asked; --engine-binary says where it is\n"
        ),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_engine_that_hangs_is_not_waited_for() {
    let ended = check("exec /bin/sleep 60", "--engine-timeout 1");
    assert!(
        ended
            .stderr
            .starts_with("note: otelcol-contrib has not judged nodeAgent of LoggingPolicy default: it had not ended after 1 s\n"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.status, UNUSABLE);
}

#[test]
fn what_nobody_understands_is_shown_as_it_is() {
    let garbage = "printf 'panic: \\033[31mred\\033[0m \\377\\001\\n\\ngoroutine 1\\n' >&2; exit 3";
    let ended = check(garbage, "");
    assert_eq!(
        ended.stdout,
        "p.yaml:6: LoggingPolicy default: spec.nodeAgent: otelcol-contrib says: panic: red \u{fffd} / goroutine 1\n"
    );
    assert_eq!(ended.status, NOT_GIVEN);
    let ended = check("exit 1", "");
    assert!(ended.stdout.ends_with(" says: nothing\n"), "{}", ended.stdout);
}

#[test]
fn an_engine_that_dies_or_cannot_start_has_not_judged() {
    for (program, reason) in [
        ("#!/bin/sh\nkill -9 $$\n", "it was killed: signal: 9"),
        ("#!/nowhere/sh\n", "it cannot be started: No such file"),
    ] {
        let desk = Desk::new(&[("p.yaml", GOOD)]);
        desk.program("otelcol", program);
        let ended = desk.run("check -f p.yaml", "");
        let start = format!("note: otelcol has not judged nodeAgent of LoggingPolicy default: {reason}");
        assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
        assert_eq!(ended.status, UNUSABLE);
    }
}

#[test]
fn an_engine_that_lacks_a_part_is_excused_unless_it_was_named() {
    let script = "echo \"Error: 'exporters' unknown type: \\\"elasticsearch\\\" for id: \\\"elasticsearch/search\\\" (valid values: [debug])\"; exit 1";
    let note = "note: otelcol-contrib has not judged nodeAgent of LoggingPolicy default: it has no exporter elasticsearch\n";
    for (arguments, status) in [("", DONE), ("--engine-binary bin/otelcol-contrib", UNUSABLE)] {
        let ended = check(script, arguments);
        assert!(ended.stderr.starts_with(note), "{}", ended.stderr);
        assert_eq!(ended.status, status, "{arguments}");
    }
}

#[test]
fn the_command_line_names_the_engines_program() {
    let desk = Desk::new(&[
        ("p.yaml", GOOD),
        (
            "words.yaml",
            &GOOD.replace("nodeAgent: {}", "nodeAgent: {engine: Otel}"),
        ),
        (
            "two.yaml",
            &GOOD.replace("  outputs", "  agentSidecar: {engine: FluentBit}\n  outputs"),
        ),
    ]);
    desk.script("mine", "echo Error: mine; exit 1");
    desk.script("fluent-bit", "exit 0");
    for (arguments, status, said) in [
        (
            "-f p.yaml --engine-binary bin/mine",
            NOT_GIVEN,
            "spec.nodeAgent: mine says: mine",
        ),
        (
            "-f two.yaml --engine-binary OpenTelemetryCollector=bin/mine",
            NOT_GIVEN,
            "spec.nodeAgent: mine says: mine",
        ),
        (
            "-f two.yaml --engine-binary bin/mine",
            UNUSABLE,
            "error: --engine-binary bin/mine is for one engine, and the policies use OpenTelemetryCollector, FluentBit; write which: OpenTelemetryCollector=PATH",
        ),
        (
            "-f p.yaml --engine-binary Vector=bin/mine",
            UNUSABLE,
            "error: --engine-binary bin/mine is for engine Vector, and the policies use OpenTelemetryCollector",
        ),
        (
            "-f p.yaml --engine-binary p.yaml",
            UNUSABLE,
            "error: --engine-binary p.yaml is no program; write the path of an executable file",
        ),
        (
            "-f words.yaml --engine-binary bin/mine",
            NOT_GIVEN,
            "spec.nodeAgent.engine: \"Otel\" is no value of this field; write OpenTelemetryCollector, FluentBit, Fluentd, Vector",
        ),
        ("-f p.yaml --engine-timeout 0", UNUSABLE, "invalid value '0'"),
    ] {
        let ended = desk.run(&format!("check {arguments}"), "");
        let all = ended.stdout + &ended.stderr;
        assert!(all.contains(said), "{arguments}: {all}");
        assert_eq!(ended.status, status, "{arguments}");
    }
}

#[test]
fn a_sidecars_engine_is_asked_too() {
    let policy =
        format!("{HEAD}  agentSidecar: {{engine: FluentBit}}\n  outputs: [{{name: a, stdout: {{}}}}]\n");
    let desk = Desk::new(&[("p.yaml", &policy)]);
    // A line of the script's that is there only when its path leads to the copy.
    desk.script(
        "fluent-bit",
        "f=${2#--config=}; [ -f \"${f%/*}/tributary.lua\" ] && [ \"$1\" = --dry-run ]",
    );
    let ended = desk.run("check -f p.yaml", "");
    assert_eq!(
        ended.stdout,
        "p.yaml:1: LoggingPolicy default: nothing is wrong; fluent-bit accepts what its agentSidecar reads\n",
        "{}",
        ended.stderr
    );
}

#[test]
fn scripts_read_the_same() {
    for (format, read) in [
        (
            "json",
            (|text| serde_json::from_str(text).unwrap()) as fn(&str) -> Value,
        ),
        ("yaml", |text| serde_saphyr::from_str(text).unwrap()),
    ] {
        let ended = check(COMPLAINT, &format!("-o {format}"));
        assert_eq!((ended.status, ended.stderr.as_str()), (NOT_GIVEN, ""));
        let report = read(&ended.stdout);
        let policy = &report["policies"][0];
        assert_eq!(policy["name"], "default");
        assert_eq!(policy["validators"][0]["outcome"], "Complained");
        let problem = &policy["problems"][0];
        assert_eq!(problem["field"], "spec.outputs[0].elasticsearch.url");
        assert_eq!(
            (problem["line"].as_u64(), problem["by"].as_str()),
            (Some(10), Some("otelcol-contrib"))
        );
        assert_eq!(policy["secrets"][0]["name"], "search");
    }
}
