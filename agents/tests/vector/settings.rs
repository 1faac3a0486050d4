//! What Vector would say of its golden files: every option is known, every program compiles, and every source reaches a sink.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;

use crate::options;
use crate::topology::Vector;

/// The options of a kind of part.
type Options = fn(&str) -> Vec<&'static str>;

/// The least that Vector takes for a buffer on disk.
const LEAST_BUFFER: u64 = 268_435_488;

/// The files of every case that Vector has, by the case's directory.
fn cases() -> BTreeMap<PathBuf, BTreeMap<String, String>> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    fs::read_dir(golden)
        .unwrap()
        .map(|case| case.unwrap().path().join("Vector"))
        .filter(|directory| directory.join("vector.yaml").exists())
        .map(|directory| (directory.clone(), files(&directory)))
        .collect()
}

/// What is mounted in the agent's pod.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| !file.ends_with("agent.txt"))
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(file).unwrap())
        })
        .collect()
}

#[test]
fn every_option_is_known() {
    let cases = cases();
    assert!(cases.len() >= 15, "golden files are missing");
    let mut used = BTreeSet::new();
    for (case, files) in &cases {
        let mut document: Value = serde_saphyr::from_str(&files["vector.yaml"]).unwrap();
        let parts = document.as_object_mut().unwrap();
        let kinds: [(&str, Options); 3] = [
            ("sources", options::source),
            ("transforms", options::transform),
            ("sinks", options::sink),
        ];
        for (section, known) in kinds {
            for (name, part) in parts.remove(section).unwrap().as_object().unwrap() {
                let kind = part["type"].as_str().unwrap();
                used.insert(format!("{section} {kind}"));
                check(part, &known(kind), &format!("{}: {name}", case.display()));
            }
        }
        check(&document, options::GLOBAL, &case.display().to_string());
    }
    assert!(used.len() >= 20, "no golden file shows all: {used:?}");
}

fn check(part: &Value, options: &[&str], place: &str) {
    for (path, value) in leaves(part, String::new()) {
        let fits = |option: &&&str| {
            let (known, words) = option.split_once('=').unwrap_or((option, ""));
            let known: Vec<&str> = known.split('.').collect();
            let path: Vec<&str> = path.splitn(known.len(), '.').collect();
            let same = |(known, name): (&&str, &&str)| *known == "*" || known == name;
            known.len() == path.len()
                && known.iter().zip(&path).all(same)
                && (words.is_empty() || words.split('|').any(|word| value == word))
        };
        assert!(
            options.iter().any(|option| fits(&option)),
            "{place}: {path} is {value}"
        );
    }
}

/// Every path to something that is no map.
fn leaves(part: &Value, path: String) -> Vec<(String, Value)> {
    match part {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                leaves(value, path)
            })
            .collect(),
        other => vec![(path, other.clone())],
    }
}

#[test]
fn what_can_wait_for_the_buffers_does_so_where_the_sink_looks() {
    let outputs = json!([
        {"name": "loki", "loki": {"url": "http://loki.logging:3100"}},
        {"name": "http", "http": {"url": "http://receiver.logging/logs"}},
        {"name": "stdout", "stdout": {}},
    ]);
    let sources = json!({"files": [{"path": "/var/log/syslog"}]});
    let spec = json!({"nodeAgent": {"engine": "Vector", "sources": sources}, "outputs": outputs});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let files = render(&compile("test", &spec).unwrap()).unwrap().files;
    let document: Value = serde_saphyr::from_str(&files["vector.yaml"]).unwrap();
    for (name, place) in [
        ("to-loki", "/protocol/acknowledgements/enabled"),
        ("to-http", "/acknowledgements/enabled"),
        ("to-stdout", "/acknowledgements/enabled"),
    ] {
        let sink = &document["sinks"][name];
        assert_eq!(sink.pointer(place), Some(&json!(true)), "{name}");
        check(sink, &options::sink(sink["type"].as_str().unwrap()), name);
    }
}

#[test]
fn everything_is_wired_and_every_program_compiles() {
    for (case, files) in cases() {
        let document = Vector::new(&files).document;
        let section = |name: &str| document[name].as_object().unwrap().clone();
        let (sources, transforms, sinks) = (section("sources"), section("transforms"), section("sinks"));
        let given: BTreeSet<&String> = sources.keys().chain(transforms.keys()).collect();
        assert_eq!(
            given.len(),
            sources.len() + transforms.len(),
            "{}",
            case.display()
        );
        let mut taken = BTreeSet::new();
        for part in transforms.values().chain(sinks.values()) {
            for input in part["inputs"].as_array().unwrap() {
                let input = input.as_str().unwrap().to_owned();
                assert!(given.contains(&input), "{}: there is no {input}", case.display());
                taken.insert(input);
            }
        }
        let unused: Vec<_> = given.into_iter().filter(|name| !taken.contains(*name)).collect();
        assert!(
            unused.is_empty(),
            "{}: nothing takes what {unused:?} give",
            case.display()
        );
        for (name, sink) in &sinks {
            if sink["buffer"]["type"] == "disk" {
                let size = sink["buffer"]["max_size"].as_u64().unwrap();
                assert!(size >= LEAST_BUFFER, "{}: {name} has {size}", case.display());
            }
        }
    }
}

#[test]
fn secrets_are_in_blocks_alone() {
    let mut places = 0;
    for (case, files) in cases() {
        let lines: Vec<&str> = files["vector.yaml"].lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].contains("SECRET[")) {
            assert!(pair[0].ends_with(": |-"), "{}: {pair:?}", case.display());
            places += 1;
        }
    }
    assert!(places >= 5);
}
