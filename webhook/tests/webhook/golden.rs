//! Every pod of the corpus against its golden file, and a second time over its own result.
//!
//! `UPDATE_GOLDEN=1 cargo test -p tributary-webhook --test webhook` writes the golden files anew.

use std::collections::BTreeSet;
use std::fs;

use crate::support::{corpus, decide, patched, pods, policies};
use serde_json::{Value, json};

use tributary_crds::annotation::{AGENT_CONFIG, AGENT_DATA, AGENT_SCRIPT};
use tributary_crds::names::label::AGENT_REVISION;
use tributary_webhook::Decision;

/// What the agents' compiler writes has golden files of its own, in `agents/tests/golden`.
const OF_THE_COMPILER: [&str; 4] = [AGENT_CONFIG, AGENT_SCRIPT, AGENT_DATA, AGENT_REVISION];

/// Puts a word in place of what the agents' compiler writes.
fn abridge(document: &mut Value) {
    for operation in document["patch"].as_array_mut().into_iter().flatten() {
        let path = operation["path"].as_str().unwrap_or_default().replace("~1", "/");
        if OF_THE_COMPILER.iter().any(|key| path.ends_with(key)) {
            operation["value"] = json!("(compiled)");
        }
    }
    for map in ["annotations", "labels"] {
        for (key, value) in document["pod"]["metadata"][map]
            .as_object_mut()
            .into_iter()
            .flatten()
        {
            if OF_THE_COMPILER.contains(&key.as_str()) {
                *value = json!("(compiled)");
            }
        }
    }
}

fn golden(pod: &Value, decision: &Decision) -> String {
    let mut document = json!({
        "outcome": format!("{:?}", decision.outcome),
        "reasons": decision.reasons,
        "warnings": decision.warnings,
        "patch": decision.patch.operations(),
        "pod": patched(pod, decision),
    });
    abridge(&mut document);
    serde_saphyr::to_string(&document).unwrap()
}

#[test]
fn corpus_is_as_the_golden_files_say() {
    let (policies, pods) = (policies(), pods());
    assert!(pods.len() >= 40, "{} pods", pods.len());
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut differing = Vec::new();
    for (name, pod) in &pods {
        let path = corpus().join("golden").join(name).with_extension("yaml");
        let now = golden(pod, &decide(pod, policies));
        if update {
            fs::write(&path, &now).unwrap();
        } else if fs::read_to_string(&path).unwrap_or_default() != now {
            differing.push(format!("{name}:\n{now}"));
        }
    }
    assert!(
        differing.is_empty(),
        "differs from its golden file:\n{}",
        differing.join("\n")
    );
}

#[test]
fn no_golden_file_is_left_over() {
    let names: BTreeSet<String> = pods().into_keys().collect();
    for entry in fs::read_dir(corpus().join("golden")).unwrap() {
        let path = entry.unwrap().path();
        assert!(
            names.contains(path.file_stem().unwrap().to_str().unwrap()),
            "{} has no input",
            path.display()
        );
    }
}

#[test]
fn a_second_pass_changes_nothing_and_says_the_same() {
    let policies = policies();
    for (name, pod) in pods() {
        let first = decide(&pod, policies);
        let once = patched(&pod, &first);
        let second = decide(&once, policies);
        assert!(second.patch.is_empty(), "{name}: {}", second.patch.as_str());
        assert_eq!(first.warnings, second.warnings, "{name}");
        assert_eq!(first.result, second.result, "{name}");
    }
}

#[test]
fn the_streamer_understands_every_command_line() {
    let mut understood = 0;
    for (name, pod) in pods() {
        let after = patched(&pod, &decide(&pod, policies()));
        let sidecars = after["spec"]["initContainers"].as_array().into_iter().flatten();
        for command in sidecars.filter_map(|container| container["command"].as_array()) {
            // As Kubernetes hands it over.
            let mut arguments = command
                .iter()
                .map(|text| text.as_str().unwrap().replace("$$", "$"));
            if arguments.next().as_deref() != Some("/tributary-streamer") {
                continue;
            }
            let parsed = tributary_streamer::arguments::parse(arguments.map(Into::into));
            assert!(parsed.is_ok(), "{name}: {command:?}: {:?}", parsed.err());
            understood += 1;
        }
    }
    assert!(understood > 50, "{understood}");
}

#[test]
fn every_warning_is_one_line_that_says_what_to_do() {
    let policies = policies();
    for (name, pod) in pods() {
        for warning in decide(&pod, policies).warnings {
            let (head, remedy) = warning
                .split_once("; ")
                .unwrap_or_else(|| panic!("{name}: {warning}"));
            assert!(
                head.starts_with("tributary: ") && head.len() < 120,
                "{name}: {head}"
            );
            assert!(
                !remedy.is_empty() && !warning.contains(char::is_control),
                "{name}: {warning}"
            );
        }
    }
}

#[test]
fn the_documentation_quotes_what_is_really_said() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");
    let pages: String = ["streaming-sidecar.md", "agent-sidecar.md", "direct-push.md"]
        .iter()
        .map(|page| fs::read_to_string(format!("{docs}/{page}")).unwrap())
        .collect();
    let policies = policies();
    let said: BTreeSet<String> = pods()
        .values()
        .flat_map(|pod| decide(pod, policies).warnings)
        .collect();
    let quoted: Vec<&str> = pages
        .lines()
        .filter(|line| line.starts_with("tributary: "))
        .collect();
    for line in &quoted {
        assert!(
            said.contains(*line),
            "a page says what no pod of the corpus gets:\n{line}"
        );
    }
    let reason = |warning: &str| warning.split(": ").nth(1).unwrap().to_owned();
    let explained: BTreeSet<String> = quoted.iter().map(|line| reason(line)).collect();
    let possible: BTreeSet<String> = said.iter().map(|warning| reason(warning)).collect();
    assert_eq!(explained, possible, "each reason is on a page with an example");
}
