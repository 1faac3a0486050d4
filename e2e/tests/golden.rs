//! The real collector reads what the compiler's own tests pin.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tributary_agents::config::SECRETS_DIRECTORY;
use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};
use tributary_cluster::pki::Authority;

/// Golden files of node agents, of the example policies and of sidecars.
fn configurations() -> Vec<PathBuf> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../agents/tests");
    let mut found = Vec::new();
    for directory in ["golden", "golden_policies", "golden_sidecar"] {
        for case in fs::read_dir(tests.join(directory)).unwrap() {
            let file = case.unwrap().path().join("OpenTelemetryCollector/otelcol.yaml");
            if file.is_file() {
                found.push(file);
            }
        }
    }
    found.sort();
    found
}

/// The files of Secrets that a configuration names, by their paths in [`SECRETS_DIRECTORY`].
fn secret_files(configuration: &Value) -> Vec<&str> {
    match configuration {
        Value::Array(values) => values.iter().flat_map(secret_files).collect(),
        Value::Object(members) => members.values().flat_map(secret_files).collect(),
        Value::String(text) => text
            .strip_prefix(SECRETS_DIRECTORY)
            .map(|path| path.trim_start_matches('/'))
            .into_iter()
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Writes a configuration to a directory, with the files of its Secrets beside it: some exporters read theirs when they are validated.
fn unpack(text: &str, secret: &str, directory: &Path) -> PathBuf {
    let configuration: Value = serde_saphyr::from_str(text).unwrap();
    for path in secret_files(&configuration) {
        let file = directory.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, secret).unwrap();
    }
    let file = directory.join("otelcol.yaml");
    fs::write(
        &file,
        text.replace(SECRETS_DIRECTORY, directory.to_str().unwrap()),
    )
    .unwrap();
    file
}

#[test]
fn the_collector_accepts_every_golden_configuration() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &Progress::stderr()))
        .expect("the collector can be built");
    // Good for an authority, a certificate, a key and a password.
    let pair = Authority::new("golden").unwrap().pair();
    let secret = pair.public + &pair.private;
    let configurations = configurations();
    for golden in &configurations {
        let directory = tempfile::tempdir().unwrap();
        let file = unpack(&fs::read_to_string(golden).unwrap(), &secret, directory.path());
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
        assert!(output.status.success(), "{}: {errors}", golden.display());
    }
    assert!(
        configurations.len() >= 40,
        "only {} golden configurations were found",
        configurations.len()
    );
}
