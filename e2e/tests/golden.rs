//! The real collector reads what the compiler's own tests pin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};

/// Exporters and extensions of the contrib distribution that the collector built here lacks, and why. Configurations with one
/// are not read by the real program.
const NOT_BUILT: [(&str, &str); 5] = [
    (
        "awscloudwatchlogs/",
        "the Go module proxy has no version of its module",
    ),
    ("awss3/", "it is not among the components of this build"),
    (
        "googleclientauth/",
        "the Go module proxy has no version of its module",
    ),
    ("kafka/", "it is not among the components of this build"),
    ("syslog/", "the Go module proxy has no version of its module"),
];

/// Golden files of node agents and of sidecars.
fn configurations() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agents/tests");
    let mut found = Vec::new();
    for directory in ["golden", "golden_sidecar"] {
        for case in std::fs::read_dir(tests.join(directory)).unwrap() {
            let file = case.unwrap().path().join("OpenTelemetryCollector/otelcol.yaml");
            if file.is_file() {
                found.push(file);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_collector_accepts_every_golden_configuration() {
    let progress = Progress::stderr();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &progress))
        .expect("the collector can be built");
    let mut checked = 0;
    let mut missed = Vec::new();
    for file in configurations() {
        let text = std::fs::read_to_string(&file).unwrap();
        let lacking = NOT_BUILT
            .iter()
            .find(|(exporter, _)| text.contains(&format!("\n  {exporter}")));
        if let Some((exporter, reason)) = lacking {
            progress.say(&format!(
                "not read by the real collector: {}: {exporter} {reason}",
                file.display()
            ));
            missed.push(*exporter);
            continue;
        }
        let output = Command::new(programs.path(Component::Otelcol))
            .args([
                "validate",
                "--feature-gates=stanza.synchronousLogEmitter",
                "--config",
            ])
            .arg(&file)
            .envs([("POD_IP", "127.0.0.1"), ("K8S_NODE_NAME", "node1")])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", file.display());
        checked += 1;
    }
    assert!(checked >= 16, "only {checked} golden configurations were read");
    for (exporter, _) in NOT_BUILT {
        assert!(
            missed.contains(&exporter),
            "no configuration has {exporter}: remove it from the list"
        );
    }
}
