//! The real collector makes of records what `agents/tests/records/processors.yaml` says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../agents/tests/record_cases/mod.rs"]
mod record_cases;

use std::path::Path;

use serde_json::{Map, Value, json};
use tributary_agents::{compile, render};
use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};
use tributary_crds::engine::Engine;
use tributary_e2e::collector::Collector;

use crate::record_cases::{Case, cases};

const ENGINE: Engine = Engine::OpenTelemetryCollector;
/// The attribute of the resource that says which case a record is for.
const CASE: &str = "case";

/// The configuration of a collector that has a pipeline for each case, with the processors that the case's policy is compiled to: all that
/// stand between what finds out where a record comes from and what writes it.
fn configuration(cases: &[Case], directory: &Path) -> Value {
    let mut processors = Map::new();
    let mut exporters = Map::new();
    let mut pipelines = Map::new();
    for (index, case) in cases.iter().enumerate() {
        let pipeline = compile("case", &case.spec(ENGINE)).unwrap();
        let config = render(&pipeline).unwrap();
        let document: Value = serde_saphyr::from_str(&config.files["otelcol.yaml"]).unwrap();
        let of_case = format!("filter/of_{index}");
        let other = format!("resource.attributes[\"{CASE}\"] != \"{index}\"");
        processors.insert(of_case.clone(), json!({"log_conditions": [other]}));
        let mut passed = vec![of_case];
        let names = ["logs/containers", "logs/to-out"].iter().flat_map(|name| {
            document["service"]["pipelines"][name]["processors"]
                .as_array()
                .unwrap()
        });
        for name in names.map(|name| name.as_str().unwrap()) {
            if name.contains("/step_") || name == "transform/out" {
                let own = format!("{name}_{index}");
                processors.insert(own.clone(), document["processors"][name].clone());
                passed.push(own);
            }
        }
        let exporter = format!("file/{index}");
        exporters.insert(
            exporter.clone(),
            json!({"path": directory.join(index.to_string()), "encoding": "text_encoding/lines"}),
        );
        pipelines.insert(
            format!("logs/{index}"),
            json!({"receivers": ["otlp"], "processors": passed, "exporters": [exporter]}),
        );
    }
    let receiver =
        json!({"protocols": {"http": {"transport": "unix", "endpoint": directory.join("socket")}}});
    json!({
        "receivers": {"otlp": receiver},
        "processors": processors,
        "exporters": exporters,
        "extensions": {"text_encoding/lines": {"encoding": "utf-8", "marshaling_separator": "\n"}},
        "service": {
            "extensions": ["text_encoding/lines"],
            "pipelines": pipelines,
            "telemetry": {"metrics": {"level": "none"}},
        },
    })
}

/// Every record of every case as the collector has it when it knows where the record comes from.
fn request(cases: &[Case]) -> Value {
    let records = cases.iter().enumerate().flat_map(|(index, case)| {
        case.examples
            .iter()
            .map(move |example| resource_logs(index, &example.before))
    });
    json!({"resourceLogs": records.collect::<Vec<_>>()})
}

fn resource_logs(index: usize, record: &Value) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let kubernetes = &record["kubernetes"];
    let mut attributes = vec![attribute(CASE, &index.to_string())];
    for (key, name) in [
        ("namespace_name", "k8s.namespace.name"),
        ("pod_name", "k8s.pod.name"),
        ("pod_id", "k8s.pod.uid"),
        ("container_name", "k8s.container.name"),
        ("host", "k8s.node.name"),
    ] {
        attributes.push(attribute(name, kubernetes[key].as_str().unwrap()));
    }
    for (key, value) in kubernetes["labels"].as_object().unwrap() {
        attributes.push(attribute(
            &format!("k8s.pod.label.{key}"),
            value.as_str().unwrap(),
        ));
    }
    // 2026-01-02T03:04:05.678901234Z
    let time = "1767323045678901234";
    json!({
        "resource": {"attributes": attributes},
        "scopeLogs": [{"logRecords": [{
            "timeUnixNano": time,
            "observedTimeUnixNano": time,
            "body": {"stringValue": record["message"]},
            "attributes": [attribute("log.iostream", record["stream"].as_str().unwrap())],
        }]}],
    })
}

fn written(file: &Path) -> Vec<Value> {
    std::fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_collector_makes_of_records_what_every_engine_makes() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &Progress::stderr()))
        .expect("the collector can be built");
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| !case.is_refused(ENGINE))
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, configuration(&cases, directory.path()).to_string()).unwrap();
    let program = programs.path(Component::Otelcol);
    let mut collector = Collector::start(program, &config, &directory.path().join("log")).unwrap();
    collector
        .post(&directory.path().join("socket"), &request(&cases))
        .unwrap();
    let said = collector.stop().unwrap();

    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let expected: Vec<&Value> = case
            .examples
            .iter()
            .filter_map(|example| example.after.as_ref())
            .collect();
        let actual = written(&directory.path().join(index.to_string()));
        if actual.iter().ne(expected.iter().copied()) {
            wrong.push(format!(
                "{}\n  is       {}\n  and not  {}",
                case.name,
                json!(actual),
                json!(expected)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}\n{said}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases.len() >= 30, "only {} cases were run", cases.len());
}
