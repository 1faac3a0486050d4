//! Runs Fluentd's scripts, as rendered, with Ruby alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tributary_agents::config::AgentConfig;
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;

/// What a policy becomes.
pub fn rendered(spec: &LoggingPolicySpec) -> AgentConfig {
    render(&compile("test", spec).unwrap()).unwrap()
}

/// The data of the scripts.
pub fn data(config: &AgentConfig) -> Value {
    serde_json::from_str(&config.files["pipeline.json"]).unwrap()
}

/// Whether there is a Ruby; says so where there is none.
pub fn has_ruby() -> bool {
    let found = Command::new("ruby").arg("--version").output().is_ok();
    if !found {
        // Not by `eprintln!`, which the tests' runner keeps to itself when a test does not fail.
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("a test");
        let notice =
            format!("SKIPPED: {name}: there is no ruby on this machine, which runs Fluentd's scripts\n");
        std::io::stderr().write_all(notice.as_bytes()).unwrap();
    }
    found
}

/// Runs `tests/fluentd/SCRIPT` on an input, beside the rendered scripts.
pub fn run(script: &str, scripts: &AgentConfig, input: &Value) -> Value {
    let directory = tempfile::tempdir().unwrap();
    for (file, text) in &scripts.files {
        std::fs::write(directory.path().join(file), text).unwrap();
    }
    let mut child = Command::new("ruby")
        .arg(path(script))
        .arg(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let text = input.to_string();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{script} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn path(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fluentd")
        .join(script)
}
