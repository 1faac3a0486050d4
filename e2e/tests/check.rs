//! `tributary check` asks the real collector.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};

const POLICY: &str = "\
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata:
  name: default
spec:
  selector:
    podSelector: {matchLabels: {app: web}}
  nodeAgent: {}
  agentSidecar: {}
  outputs:
  - name: search
    elasticsearch:
      url: https://elasticsearch.logging:9200
    auth:
      basic: {username: tributary, passwordSecretRef: {name: search, key: password}}
    tls: {caSecretRef: {name: search, key: ca.crt}}
  - name: lines
    http: {url: http://receiver.logging:8080/logs}
    where: [{field: message, matches: error|panic}]
  - name: syslog
    syslog: {address: syslog.logging:6514}
    tls: {caSecretRef: {name: syslog, key: ca.crt}}
";

fn collector() -> PathBuf {
    let progress = Progress::stderr();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &progress))
        .expect("the collector can be built");
    programs.path(Component::Otelcol).to_owned()
}

/// Checks the policy by this program. Returns the exit status and what is printed.
fn check(directory: &Path, program: &Path) -> (u8, String, String) {
    let policy = directory.join("policy.yaml");
    fs::write(&policy, POLICY).unwrap();
    let arguments = [
        "tributary".into(),
        "check".into(),
        "-f".into(),
        policy.clone().into_os_string(),
        "--engine-binary".into(),
        program.as_os_str().to_owned(),
    ];
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let status = tributary_cli::run(arguments, &mut std::io::empty(), &mut stdout, &mut stderr);
    let text = |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        text.replace(&*policy.to_string_lossy(), "policy.yaml")
    };
    (status, text(stdout), text(stderr))
}

/// The collector, which reads its file only after `sed` has changed it.
fn misled(directory: &Path, collector: &Path, change: &str) -> PathBuf {
    let program = directory.join("otelcol");
    // A shell writes it, so that no child of another test holds it open.
    let script = format!(
        "#!/bin/sh\nsed -i '{change}' \"${{2#--config=}}\" && exec '{}' \"$@\"\n",
        collector.display()
    );
    let written = Command::new("sh")
        .args([
            "-c",
            "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"",
            "sh",
            &script,
        ])
        .arg(&program)
        .status()
        .unwrap();
    assert!(written.success());
    program
}

#[test]
fn what_the_compiler_accepts_the_collector_accepts() {
    let directory = TempDir::new().unwrap();
    let (status, stdout, stderr) = check(directory.path(), &collector());
    assert_eq!(
        stdout,
        "policy.yaml:1: LoggingPolicy default: nothing is wrong; otelcol accepts what its nodeAgent reads; otelcol accepts what its agentSidecar reads\n",
        "{stderr}"
    );
    assert_eq!(status, tributary_cli::DONE);
}

/// What is changed in the files, and the field and the words of the first thing that is said.
const CHANGES: [(&str, &str, &str); 5] = [
    (
        "s/logs_index/logs_indexx/",
        "policy.yaml:11: LoggingPolicy default: spec.outputs[0]: ",
        "has invalid keys: logs_indexx",
    ),
    (
        "s#https://elasticsearch.logging:9200#elasticsearch.logging:9200#",
        "policy.yaml:11: LoggingPolicy default: spec.outputs[0]: ",
        "invalid scheme",
    ),
    (
        "s/error|panic/error|panic(/",
        "policy.yaml:19: LoggingPolicy default: spec.outputs[1].where[0].matches: ",
        "missing closing )",
    ),
    (
        "s/poll_interval: .*/poll_interval: 1/; s/max_log_size: .*/max_log_size: no/",
        "policy.yaml:8: LoggingPolicy default: spec.nodeAgent: ",
        "max_log_size",
    ),
    (
        "s/^connectors:/connectors: [/",
        "policy.yaml:8: LoggingPolicy default: spec.nodeAgent: ",
        "not valid YAML",
    ),
];

#[test]
fn what_the_collector_does_not_accept_leads_to_the_policys_field() {
    let collector = collector();
    for (change, field, words) in CHANGES {
        let directory = TempDir::new().unwrap();
        let program = misled(directory.path(), &collector, change);
        let (status, stdout, stderr) = check(directory.path(), &program);
        let first = stdout.lines().next().unwrap_or_default();
        // Both agents have the outputs, and say the same.
        assert!(!stdout.lines().skip(1).any(|line| line == first), "{stdout}");
        assert!(
            first.starts_with(field) && first.contains(words),
            "{change}\n{stdout}\n{stderr}"
        );
        assert_eq!(status, tributary_cli::NOT_GIVEN, "{change}");
    }
}
