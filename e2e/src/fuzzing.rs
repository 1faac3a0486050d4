//! `cargo e2e fuzz`: runs the fuzz targets of `webhook/fuzz` from the pods of the golden corpus.
//!
//! The targets follow coverage with libFuzzer, on the stable compiler: `webhook/fuzz/instrument` compiles this repository's crates
//! with the counters that it reads. What they find stays in `target/fuzz/found`; inputs that reached new code, in
//! `target/fuzz/corpus`, are where the next run begins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::cargo;

/// How long each target runs when nothing is said.
pub const SECONDS: u32 = 60;

const TARGETS: [&str; 2] = ["fuzz-annotation", "fuzz-review"];
/// Largest input, in bytes: larger than any pod of the corpus, small enough for thousands a second.
const LONGEST: usize = 8 << 10;

/// Builds the targets and runs each for so many seconds.
pub fn run(seconds: u32) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let wrapper = root.join("webhook/fuzz/instrument").canonicalize()?;
    let build = [
        "build",
        "--quiet",
        "--release",
        "--package",
        "tributary-webhook-fuzz",
    ];
    cargo::run(cargo::command(&build).env("RUSTC_WORKSPACE_WRAPPER", wrapper))?;

    let target = cargo::target_directory();
    let work = target.join("fuzz");
    for name in TARGETS {
        let corpus = work.join("corpus").join(name);
        let found = work.join("found").join(name);
        fs::create_dir_all(&corpus)?;
        fs::create_dir_all(&found)?;
        seed(&root.join("webhook/tests/corpus/input"), name, &corpus)?;
        println!("{name}: {seconds} s");
        let status = Command::new(target.join("release").join(name))
            .arg(&corpus)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-dict={}", root.join("webhook/fuzz/pod.dict").display()))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .args(["-timeout=5", "-print_final_stats=1", "-verbosity=1"])
            .status()
            .with_context(|| format!("running {name}"))?;
        if !status.success() {
            bail!(
                "{name} found something ({status}); the input is in {}",
                found.display()
            );
        }
    }
    Ok(())
}

/// Writes what the pods of the corpus hold for this target.
fn seed(pods: &Path, target: &str, corpus: &Path) -> anyhow::Result<()> {
    let mut seeds = 0;
    for path in yaml_below(pods)? {
        let text = fs::read_to_string(&path)?;
        let pod: Value =
            serde_saphyr::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default();
        let inputs = match target {
            "fuzz-annotation" => annotations(&pod),
            _ => vec![pod.to_string(), review(&pod).to_string()],
        };
        for (index, input) in inputs.into_iter().enumerate() {
            fs::write(corpus.join(name).with_extension(index.to_string()), input)?;
            seeds += 1;
        }
    }
    anyhow::ensure!(seeds > 0, "there are no pods in {}", pods.display());
    Ok(())
}

fn yaml_below(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(yaml_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn annotations(pod: &Value) -> Vec<String> {
    let annotations = pod["metadata"]["annotations"].as_object().into_iter().flatten();
    annotations
        .filter_map(|(_, value)| Some(value.as_str()?.to_owned()))
        .collect()
}

fn review(pod: &Value) -> Value {
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "u", "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "shop", "operation": "CREATE",
            "object": pod
        }
    })
}
