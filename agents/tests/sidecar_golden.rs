//! Golden files of sidecars: `golden_sidecar/CASE/policy.yaml` and `pod.yaml` are compiled for every engine, and what comes out
//! is `golden_sidecar/CASE/ENGINE/`.
//!
//! `TRIBUTARY_UPDATE_GOLDEN=1 cargo test -p tributary-agents` writes the files anew; read the difference before you commit it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod golden_files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tributary_agents::compile_sidecar;
use tributary_agents::sidecar::{SidecarFile, SidecarPod};
use tributary_crds::LoggingPolicy;
use tributary_crds::annotation::AbsolutePath;
use tributary_crds::policy::Engine;

/// Fluent Bit's script, which is the same for every pod: `fluent_bit_script.rs` runs it.
const SCRIPT: &str = "tributary.lua";

const ENGINES: [Engine; 2] = [Engine::OpenTelemetryCollector, Engine::FluentBit];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden_sidecar")
}

/// `pod.yaml`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pod {
    files: Vec<File>,
    labels: BTreeMap<String, String>,
    memory_limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    container: String,
    path: String,
    shown: String,
    #[serde(default)]
    from_end: bool,
}

fn pod(file: &Path) -> SidecarPod {
    let pod: Pod = serde_saphyr::from_str(&fs::read_to_string(file).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let file = |file: File| SidecarFile {
        container: file.container,
        path: AbsolutePath::parse(&file.path).unwrap(),
        shown_path: AbsolutePath::parse(&file.shown).unwrap(),
        from_end: file.from_end,
    };
    SidecarPod {
        files: pod.files.into_iter().map(file).collect(),
        labels: pod.labels,
        memory_limit: pod.memory_limit,
    }
}

/// What a policy and a pod become: file name to text. `sidecar.txt` is everything that is no document; what the engine refuses
/// has `error.txt` alone. The script, which nothing changes, is left out.
fn outcome(policy: &LoggingPolicy, pod: &SidecarPod, engine: Engine) -> BTreeMap<String, String> {
    let mut spec = policy.spec.clone();
    spec.agent_sidecar.get_or_insert_default().engine = engine;
    let name = policy.metadata.name.as_deref().unwrap_or_default();
    let rendered = compile_sidecar(name, &spec).and_then(|sidecar| sidecar.render(pod));
    let mut config = match rendered {
        Ok(config) => config,
        Err(error) => {
            let text = format!("{}: {error}\n", error.reason());
            return BTreeMap::from([("error.txt".to_owned(), text)]);
        }
    };
    let mut files = BTreeMap::new();
    for document in &mut config.documents {
        let text = std::mem::take(&mut document.text);
        assert!(text.len() < 64 << 10, "{name}: {} bytes", text.len());
        if document.file_name != SCRIPT {
            files.insert(document.file_name.to_owned(), text);
        }
    }
    files.insert("sidecar.txt".to_owned(), format!("{config:#?}\n"));
    files
}

#[test]
fn policies_and_pods_become_what_they_became() {
    let mut differences = Vec::new();
    for case in golden_files::cases(&directory()) {
        let text = fs::read_to_string(case.join("policy.yaml")).unwrap();
        let policy: LoggingPolicy =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
        let pod = pod(&case.join("pod.yaml"));
        for engine in ENGINES {
            let actual = outcome(&policy, &pod, engine);
            differences.extend(golden_files::difference(&case.join(engine.as_str()), &actual));
        }
    }
    assert!(differences.is_empty(), "not as expected: {differences:#?}");
}

#[test]
fn every_directory_is_a_case() {
    let cases = golden_files::cases(&directory());
    assert!(cases.len() >= 4, "golden files are missing");
    for case in cases {
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let known = ["policy.yaml", "pod.yaml"].contains(&name.as_str())
                || ENGINES.iter().any(|engine| engine.as_str() == name);
            assert!(known, "{} has {name}, which no case has", case.display());
        }
    }
}
