//! The README's commands do what it says.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::stage::Stage;

/// Commands that are too big to run within a test; `.ci/run` runs them, by these lines.
const RUN_BY_CI: [(&str, &str); 2] = [("cargo demo", "cargo demo --check"), ("cargo test", "cargo test")];

pub fn every_command_of_the_readme_works(stage: &Stage) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    let ci = std::fs::read_to_string(root.join(".ci/run"))?;
    let commands = commands(&readme);
    ensure!(
        commands.len() > 5,
        "the README's commands were not found: {commands:?}"
    );
    let kubectl = stage
        .cluster()
        .kubectl_program()
        .parent()
        .context("kubectl has no directory")?;
    let path = format!("{}:{}", kubectl.display(), std::env::var("PATH")?);
    for command in commands {
        if let Some((_, line)) = RUN_BY_CI.iter().find(|(known, _)| *known == command) {
            ensure!(
                ci.lines().any(|known| known == *line),
                ".ci/run has no line {line:?}"
            );
            continue;
        }
        let output = Command::new("sh")
            .args(["-ec", command])
            .current_dir(&root)
            .env("PATH", &path)
            .env("KUBECONFIG", stage.cluster().kubeconfig())
            .output()?;
        ensure!(
            output.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    stage.kubectl("delete pod two-files --wait=false").map(drop)
}

/// `kubectl diff` fails when an object would change or be added.
pub fn kustomize_applies_what_install_yaml_does(stage: &Stage) -> anyhow::Result<()> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    let changes = stage.kubectl(&format!("diff -k {}", manifests.display()))?;
    ensure!(changes.is_empty(), "{changes}");
    Ok(())
}

/// The lines of all blocks marked `sh`.
fn commands(readme: &str) -> Vec<&str> {
    let mut inside = false;
    let mut commands = Vec::new();
    for line in readme.lines() {
        match line {
            "```sh" => inside = true,
            "```" => inside = false,
            command if inside && !command.is_empty() => commands.push(command),
            _ => {}
        }
    }
    commands
}
