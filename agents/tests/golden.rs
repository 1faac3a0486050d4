//! Golden files: `golden/CASE/policy.yaml` is compiled for every engine, or for the one that it names, and what comes out is
//! `golden/CASE/ENGINE/`. So is every example in `manifests/policies`, to `golden_policies/NAME/ENGINE/`.
//!
//! `TRIBUTARY_UPDATE_GOLDEN=1 cargo test -p tributary-agents` writes the files anew; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden_files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicy;
use tributary_crds::policy::Engine;

/// Fluent Bit's script, which is the same for every policy: `fluent_bit_script.rs` runs it.
const SCRIPT: &str = "tributary.lua";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/policies")
}

/// Each policy's file, and the directory of what becomes of it.
fn cases() -> Vec<(PathBuf, PathBuf)> {
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = golden_files::cases(&directory())
        .into_iter()
        .map(|case| (case.join("policy.yaml"), case));
    let examples = golden_files::cases(&examples()).into_iter().map(|policy| {
        let name = policy.file_stem().unwrap();
        let expected = crate_directory.join("tests/golden_policies").join(name);
        (policy, expected)
    });
    own.chain(examples).collect()
}

/// What a policy becomes: file name to text. `agent.txt` is everything that is not a file of the engine's; a policy that
/// the engine refuses has `error.txt` alone. The script, which no policy changes, is left out.
fn outcome(policy: &LoggingPolicy, engine: Engine) -> BTreeMap<String, String> {
    let mut spec = policy.spec.clone();
    spec.node_agent.get_or_insert_default().engine = engine;
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    match compile(name, &spec).and_then(|pipeline| render(&pipeline)) {
        Ok(mut config) => {
            let mut files = std::mem::take(&mut config.files);
            let script = files.remove(SCRIPT);
            assert_eq!(
                script.is_some(),
                engine == Engine::FluentBit,
                "{name}: {}",
                engine.as_str()
            );
            // Fluentd's, which `fluentd_records.rs` and `fluentd_lines.rs` run.
            files.retain(|file, _| {
                Path::new(file)
                    .extension()
                    .is_none_or(|extension| extension != "rb")
            });
            files.insert("agent.txt".to_owned(), format!("{config:#?}\n"));
            files
        }
        Err(error) => BTreeMap::from([("error.txt".to_owned(), format!("{}: {error}\n", error.reason()))]),
    }
}

/// The engine that a policy names, or all of them.
fn engines(policy: &str) -> Vec<Engine> {
    let document: Value = serde_saphyr::from_str(policy).unwrap();
    match document["spec"]["nodeAgent"].get("engine") {
        Some(engine) => vec![serde_json::from_value(engine.clone()).unwrap()],
        None => Engine::ALL.to_vec(),
    }
}

#[test]
fn policies_become_what_they_became() {
    let mut differences = Vec::new();
    for (file, case) in cases() {
        let text = fs::read_to_string(&file).unwrap();
        let policy: LoggingPolicy =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for engine in engines(&text) {
            let directory = case.join(engine.as_str());
            differences.extend(golden_files::difference(&directory, &outcome(&policy, engine)));
        }
    }
    assert!(differences.is_empty(), "not as expected: {differences:#?}");
}

#[test]
fn every_example_is_what_its_engine_can_do() {
    let examples = golden_files::cases(&examples());
    assert!(examples.len() >= 12, "examples are missing");
    for file in examples {
        let policy: LoggingPolicy = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        let name = policy.metadata.name.unwrap();
        assert_eq!(file.file_stem().unwrap().to_str(), Some(name.as_str()));
        compile(&name, &policy.spec)
            .and_then(|pipeline| render(&pipeline))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn every_directory_is_a_case() {
    let cases = golden_files::cases(&directory());
    assert!(cases.len() >= 10, "golden files are missing");
    for case in cases {
        let engines = engines(&fs::read_to_string(case.join("policy.yaml")).unwrap());
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = name == "policy.yaml" || engines.iter().any(|engine| engine.as_str() == name);
            assert!(known, "{} has {name}, which no case has", case.display());
        }
    }
}
