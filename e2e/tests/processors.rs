//! The real collector makes of records what `agents/tests/records/processors.yaml` says.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../agents/tests/record_cases/mod.rs"]
mod record_cases;

use std::path::Path;

use serde_json::{Map, Value, json};
use tributary_agents::{compile, render};
use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;
use tributary_e2e::collector::Collector;

use crate::record_cases::{Case, cases};

const ENGINE: Engine = Engine::OpenTelemetryCollector;
/// The attribute of the resource that says which case a record is for.
const CASE: &str = "case";

/// One way through a policy's configuration: from what finds out where a record comes from to what would send it.
struct Way {
    document: Value,
    /// How the file exporter that stands in the place of the output's writes.
    exporter: Value,
}

impl Way {
    /// Of a policy whose output is called `out`.
    fn new(spec: &LoggingPolicySpec, exporter: Value) -> Self {
        let pipeline = compile("case", spec).unwrap();
        let config = render(&pipeline).unwrap();
        Self {
            document: serde_saphyr::from_str(&config.files["otelcol.yaml"]).unwrap(),
            exporter,
        }
    }

    /// The names of the processors: the steps, and what makes of a record what the output sends.
    fn processors(&self) -> Vec<&str> {
        ["logs/containers", "logs/to-out"]
            .iter()
            .flat_map(|name| {
                let names = self.document["service"]["pipelines"][name]["processors"].as_array();
                names.unwrap().iter().map(|name| name.as_str().unwrap())
            })
            .filter(|name| name.contains("/step_") || *name == "transform/out")
            .collect()
    }
}

/// The configuration of a collector that has a pipeline for each way, with a receiver for all.
fn configuration(ways: &[Way], directory: &Path) -> Value {
    let mut processors = Map::new();
    let mut exporters = Map::new();
    let mut pipelines = Map::new();
    for (index, way) in ways.iter().enumerate() {
        let own = format!("filter/of_{index}");
        let other = format!("resource.attributes[\"{CASE}\"] != \"{index}\"");
        processors.insert(own.clone(), json!({"log_conditions": [other]}));
        let mut passed = vec![own];
        for name in way.processors() {
            let own = format!("{name}_{index}");
            processors.insert(own.clone(), way.document["processors"][name].clone());
            passed.push(own);
        }
        let exporter = format!("file/{index}");
        let mut settings = way.exporter.clone();
        settings["path"] = json!(directory.join(index.to_string()));
        exporters.insert(exporter.clone(), settings);
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

/// What the real collector writes at the end of each way, and what it says, after it got a request.
fn run(ways: &[Way], request: &Value) -> (Vec<Vec<Value>>, String) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &Progress::stderr()))
        .expect("the collector can be built");
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, configuration(ways, directory.path()).to_string()).unwrap();
    let program = programs.path(Component::Otelcol);
    let mut collector = Collector::start(program, &config, &directory.path().join("log")).unwrap();
    collector.post(&directory.path().join("socket"), request).unwrap();
    let said = collector.stop().unwrap();
    let written = (0..ways.len()).map(|index| written(&directory.path().join(index.to_string())));
    (written.collect(), said)
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
    let cases: Vec<Case> = cases()
        .into_iter()
        .filter(|case| !case.is_refused(ENGINE))
        .collect();
    let ways: Vec<Way> = cases
        .iter()
        .map(|case| {
            let lines = json!({"encoding": "text_encoding/lines"});
            Way::new(&case.spec(ENGINE), lines)
        })
        .collect();
    let (written, said) = run(&ways, &request(&cases));

    let mut wrong = Vec::new();
    for (case, actual) in cases.iter().zip(&written) {
        let expected: Vec<&Value> = case
            .examples
            .iter()
            .filter_map(|example| example.after.as_ref())
            .collect();
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

fn spec(processors: &Value, output: &Value) -> LoggingPolicySpec {
    let spec = json!({
        "nodeAgent": {"engine": ENGINE.as_str()},
        "processors": processors,
        "outputs": [output],
    });
    serde_json::from_value(spec).unwrap()
}

/// A record as a case has it before its processors.
fn record(message: &str) -> Value {
    let mut record = cases().swap_remove(0).examples.swap_remove(0).before;
    record["message"] = json!(message);
    record
}

#[test]
fn elasticsearch_gets_no_dots_in_keys_and_otlp_gets_severity_and_attributes() {
    const MESSAGE: &str = r#"{"level":"Warning","a.b.c":{"d.e":[{"f.g":"h.i"},"x,\"j.k\":1"],"l\"m.n":null},"o":"p.q, ","t":2.5,"n":17,"":{".":1}}"#;
    let parse = json!([{"parse": {"format": "Json"}}, {"remove": {"fields": ["message"]}}]);
    let search = json!({"name": "out", "elasticsearch": {"url": "http://search.example:9200"}});
    let loki = json!({"name": "out", "loki": {"url": "http://loki.example:3100"}});
    let ways = [
        Way::new(&spec(&parse, &search), json!({"encoding": "text_encoding/lines"})),
        Way::new(&spec(&parse, &loki), json!({"format": "json"})),
    ];
    let both = [0, 1].map(|index| resource_logs(index, &record(MESSAGE)));
    let (written, said) = run(&ways, &json!({"resourceLogs": both}));

    let sent = &written[0][0];
    let data = json!({
        "level": "Warning",
        "a_b_c": {"d_e": [{"f_g": "h.i"}, "x,\"j.k\":1"], "l\"m_n": null},
        "o": "p.q, ",
        "t": 2.5,
        "n": 17,
        "": {"_": 1},
    });
    assert_eq!(sent["data"], data, "{said}");
    assert_eq!(sent["level"], "warn");
    assert_eq!(sent["@timestamp"], sent["time"]);
    assert_eq!(sent["kubernetes"]["labels"]["app_kubernetes_io/name"], "cart");

    let sent = &written[1][0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    assert_eq!(
        (&sent["severityText"], &sent["severityNumber"]),
        (&json!("warn"), &json!(13))
    );
    assert_eq!(sent["body"], json!({"stringValue": ""}));
    let attributes = sent["attributes"].as_array().unwrap().iter();
    let attributes: Map<String, Value> = attributes
        .map(|attribute| {
            (
                attribute["key"].as_str().unwrap().to_owned(),
                attribute["value"].clone(),
            )
        })
        .collect();
    assert_eq!(attributes["data.a.b.c.d.e.0.f.g"], json!({"stringValue": "h.i"}));
    assert_eq!(attributes["data.t"], json!({"doubleValue": 2.5}));
    assert_eq!(attributes["log.iostream"], json!({"stringValue": "stdout"}));
    assert!(
        !attributes.contains_key("level") && !attributes.contains_key("data"),
        "{attributes:?}"
    );
}

#[test]
fn elasticsearch_gets_each_record_for_an_index_of_its_own() {
    let index = "logs-{kubernetes.namespace_name}.{date}-{kubernetes.labels.app.kubernetes.io/name}-{kubernetes.labels.team}";
    let search =
        json!({"name": "out", "elasticsearch": {"url": "http://search.example:9200", "index": index}});
    let ways = [Way::new(&spec(&json!([]), &search), json!({"format": "json"}))];
    let mut of_team = record("text");
    of_team["kubernetes"]["labels"]["team"] = json!("A.Team_1");
    let records = [resource_logs(0, &of_team), resource_logs(0, &record("text"))];
    let (written, said) = run(&ways, &json!({"resourceLogs": records}));

    let resources = written
        .iter()
        .flatten()
        .flat_map(|line| line["resourceLogs"].as_array().unwrap());
    let attributes: Vec<&Value> = resources
        .map(|resource| &resource["scopeLogs"][0]["logRecords"][0]["attributes"])
        .collect();
    let expected = [
        "logs-shop.2026.01.02-cart-a.team_1",
        "logs-shop.2026.01.02-cart-_",
    ]
    .map(|index| json!([{"key": "elasticsearch.index", "value": {"stringValue": index}}]));
    assert_eq!(attributes, expected.iter().collect::<Vec<_>>(), "{said}");
}

#[test]
fn chance_keeps_its_share() {
    let sample = json!([{"sample": {"percent": 20}}]);
    let stdout = json!({"name": "out", "stdout": {}});
    let ways = [Way::new(
        &spec(&sample, &stdout),
        json!({"encoding": "text_encoding/lines"}),
    )];
    let records = vec![resource_logs(0, &record("text")); 5_000];
    let (written, _) = run(&ways, &json!({"resourceLogs": records}));
    // 1,000 are kept on average, with a standard deviation of 28.
    let kept = written[0].len();
    assert!((800..1_200).contains(&kept), "{kept} of 5,000 were kept");
}
