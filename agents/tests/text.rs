//! Whatever text a policy holds, it stays text: no section, property or statement comes from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ottl_literals;
mod rendered_text;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};
use tributary_crds::LoggingPolicySpec;

use crate::ottl_literals::literals;
use crate::rendered_text::{shape, unescape};

/// Text that tries to be something else, and any text at all.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        prop::collection::vec(
            prop::sample::select(vec![
                "\"",
                "'",
                "\\",
                "\n",
                "\r\n",
                "\t",
                "\0",
                ": ",
                "- ",
                "#",
                "${env:HOME}",
                "$$",
                "$",
                "{{",
                "}}",
                "%",
                "|",
                ">",
                "&a",
                "*a",
                "!!str",
                "---",
                "\u{85}",
                "\u{2028}",
                "\u{feff}",
                "\u{7f}",
                "on",
                "0x10",
                "1e3",
                "~",
                "null",
                "[SERVICE]",
                "@INCLUDE",
                ") or true or (",
                "\") or true or (\"",
                "é",
                "😀",
                " ",
            ]),
            0..8,
        )
        .prop_map(|parts| parts.concat()),
    ]
}

/// A policy with the texts at every place that takes free text.
fn spec(engine: &str, texts: &[String]) -> LoggingPolicySpec {
    serde_json::from_value(json!({
        "nodeAgent": {"engine": engine},
        "outputs": [
            {
                "name": "lines",
                "http": {"url": "https://receiver.logging/logs", "headers": {"X-Text": texts[0]}},
                "auth": {"basic": {"username": texts[1], "passwordSecretRef": {"name": "a", "key": "b"}}},
                "where": [{"field": "message", "in": [texts[2]]}, {"field": "message", "notIn": [texts[3]]}],
            },
            {
                "name": "topic",
                "kafka": {"brokers": ["kafka.logging:9092"], "topic": "logs"},
                "auth": {"basic": {"username": texts[1], "passwordSecretRef": {"name": "a", "key": "b"}}},
            },
            {
                "name": "look",
                "stdout": {},
                "where": [{"field": "message", "matches": texts[4]}, {"field": "message", "notMatches": texts[4]}],
            },
        ],
    }))
    .unwrap()
}

/// A policy with the texts where a destination of an engine's own has names, and the name of the engine's file.
fn destinations(destination: &str, texts: &[String]) -> (LoggingPolicySpec, &'static str) {
    let secret = json!({"name": "a", "key": "b"});
    let fluent_bit = ("FluentBit", "fluent-bit.yaml");
    let collector = ("OpenTelemetryCollector", "otelcol.yaml");
    let ((engine, file), field, settings) = match destination {
        "datadog" => (
            fluent_bit,
            destination,
            json!({"site": texts[0], "service": texts[1], "source": texts[2], "apiKeySecretRef": secret}),
        ),
        "cloudWatch of FluentBit" => (
            fluent_bit,
            "cloudWatch",
            json!({"region": texts[0], "logGroup": texts[1], "logStream": texts[2]}),
        ),
        "cloudWatch" => (
            collector,
            destination,
            json!({"region": texts[0], "logGroup": texts[1], "logStream": texts[2]}),
        ),
        "googleCloudLogging" => (
            collector,
            destination,
            json!({"projectId": texts[0], "logName": texts[1], "clusterName": texts[2], "location": "a"}),
        ),
        _ => (
            collector,
            "s3",
            json!({"bucket": texts[0], "region": texts[1], "prefix": texts[2]}),
        ),
    };
    let outputs = json!([{"name": "a", field: settings}]);
    let spec = json!({"nodeAgent": {"engine": engine}, "outputs": outputs});
    (serde_json::from_value(spec).unwrap(), file)
}

/// The document with those of the texts that a policy may hold, and they; it has the shape of any other.
fn named(destination: &str, texts: &[String]) -> (Value, Vec<String>) {
    let document = |texts: &[String]| -> Value {
        let (spec, file) = destinations(destination, texts);
        let config = render(&compile("test", &spec).unwrap()).unwrap();
        serde_saphyr::from_str(&config.files[file]).unwrap()
    };
    let plain = vec!["a".to_owned(); 3];
    let mut admissible = plain.clone();
    for (at, text) in texts.iter().enumerate() {
        let before = std::mem::replace(&mut admissible[at], text.clone());
        if compile("test", &destinations(destination, &admissible).0).is_err() {
            admissible[at] = before;
        }
    }
    let named = document(&admissible);
    assert_eq!(
        shape(&named),
        shape(&document(&plain)),
        "{destination}: {admissible:?}"
    );
    (named, admissible)
}

/// An output with a text for a name, and the engine that can send there.
fn name_in(place: &str, text: &str) -> (&'static str, Value) {
    let secret = json!({"name": "a", "key": "b"});
    match place {
        "index" => (
            "Vector",
            json!({"elasticsearch": {"url": "https://h", "index": text}}),
        ),
        "splunk" => {
            let settings = json!({"url": "https://h", "index": text, "tokenSecretRef": secret});
            ("Vector", json!({"splunk": settings}))
        }
        "topic" => ("Fluentd", json!({"kafka": {"brokers": ["h:1"], "topic": text}})),
        "prefix" => ("Vector", json!({"gcs": {"bucket": "abc", "prefix": text}})),
        "group" => (
            "Fluentd",
            json!({"cloudWatch": {"region": "r", "logGroup": text}}),
        ),
        "table" => {
            let settings = json!({"projectId": "p", "dataset": text, "table": text});
            ("Fluentd", json!({"bigQuery": settings}))
        }
        "header" => {
            let auth = json!({"apiKey": {"keySecretRef": secret, "header": text}});
            ("FluentBit", json!({"http": {"url": "https://h/l"}, "auth": auth}))
        }
        place => panic!("no output has {place}"),
    }
}

fn file(engine: &str, name: &str, texts: &[String]) -> Result<Value, CompileError> {
    let config = render(&compile("test", &spec(engine, texts))?)?;
    Ok(serde_saphyr::from_str(&config.files[name]).unwrap())
}

/// The data of Fluent Bit's script.
fn data(texts: &[String]) -> String {
    let pipeline = compile("test", &spec("FluentBit", texts)).unwrap();
    render(&pipeline).unwrap().files["pipeline.tsv"].clone()
}

fn percent_decode(cell: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = cell.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let code: Vec<u8> = rest.by_ref().take(2).collect();
                u8::from_str_radix(std::str::from_utf8(&code).unwrap(), 16).unwrap()
            }
            _ => byte,
        });
    }
    String::from_utf8(bytes).unwrap()
}

const PLAIN: [&str; 5] = ["a", "a", "a", "a", "a"];

fn plain() -> Vec<String> {
    PLAIN.map(str::to_owned).to_vec()
}

/// Replaces texts that a policy may not hold, one by one, by one that it may.
fn admissible(engine: &str, texts: Vec<String>) -> Vec<String> {
    let mut admissible = plain();
    for (at, text) in texts.into_iter().enumerate() {
        let before = std::mem::replace(&mut admissible[at], text);
        if compile("test", &spec(engine, &admissible)).is_err() {
            admissible[at] = before;
        }
    }
    admissible
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_stays_text_in_the_collector(texts in prop::collection::vec(text(), 5)) {
        let engine = "OpenTelemetryCollector";
        let texts = admissible(engine, texts);
        let document = file(engine, "otelcol.yaml", &texts).unwrap();
        prop_assert_eq!(shape(&document), shape(&file(engine, "otelcol.yaml", &plain()).unwrap()));
        prop_assert_eq!(unescape(&document["exporters"]["splunk_hec/lines"]["headers"]["X-Text"]), texts[0].clone());
        let client = &document["extensions"]["basicauth/lines"]["client_auth"];
        prop_assert_eq!(unescape(&client["username"]), texts[1].clone());
        let sasl = &document["exporters"]["kafka/topic"]["auth"]["sasl"];
        prop_assert_eq!(unescape(&sasl["username"]), texts[1].clone());
        let statements = &document["processors"]["filter/lines"]["log_conditions"];
        prop_assert_eq!(literals(&unescape(&statements[0])), vec![texts[2].clone()]);
        prop_assert_eq!(literals(&unescape(&statements[1])), vec![texts[3].clone()]);
        for statement in document["processors"]["filter/look"]["log_conditions"].as_array().unwrap() {
            prop_assert_eq!(literals(&unescape(statement)), vec![texts[4].clone()]);
        }
    }

    #[test]
    fn text_stays_text_in_fluent_bit(texts in prop::collection::vec(text(), 5)) {
        let engine = "FluentBit";
        let texts = admissible(engine, texts);
        let document = file(engine, "fluent-bit.yaml", &texts).unwrap();
        prop_assert_eq!(shape(&document), shape(&file(engine, "fluent-bit.yaml", &plain()).unwrap()));
        let lines = &document["pipeline"]["outputs"][0];
        prop_assert_eq!(&lines["header"][0], &json!(format!("X-Text {}", texts[0])));
        prop_assert_eq!(&lines["http_user"], &json!(texts[1]));
        let topic = &document["pipeline"]["outputs"][1];
        prop_assert_eq!(&topic["rdkafka.sasl.username"], &json!(texts[1]));
        // Conditions are data of the script, a line each; expressions are in it as numbers.
        let lines = data(&texts);
        let tests: Vec<&str> = lines.lines().filter(|line| line.starts_with("test\t")).collect();
        prop_assert_eq!(tests.len(), 4);
        for (test, text) in [(tests[0], &texts[2]), (tests[1], &texts[3])] {
            prop_assert_eq!(&percent_decode(test.rsplit('\t').next().unwrap_or_default()), text);
        }
        prop_assert!(document.to_string().matches("${").count() == 4, "the pod's address, the API server's port and two passwords");
    }

    /// What has only these characters needs no escape in any engine's language.
    #[test]
    fn names_have_harmless_characters_or_are_refused(
        place in prop::sample::select(vec!["index", "splunk", "topic", "prefix", "group", "table", "header"]),
        text in prop_oneof![text(), text().prop_map(|text| format!("a-{{kubernetes.labels.{text}}}")), "[a-z0-9._=/#{}-]{1,20}"],
    ) {
        let (engine, mut output) = name_in(place, &text);
        output["name"] = json!("a");
        let spec = json!({"nodeAgent": {"engine": engine}, "outputs": [output]});
        let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
        if compile("test", &spec).is_ok() {
            let harmless = |c: char| c.is_ascii_alphanumeric() || "._=/#-{}".contains(c);
            prop_assert!(!text.is_empty() && text.chars().all(harmless), "{place}: {text:?}");
            let braces = text.replace("{kubernetes.", "").replace("{date}", "").matches('{').count();
            prop_assert_eq!(braces, 0, "{}", text);
        }
    }

    #[test]
    fn names_of_destinations_stay_names(
        destination in prop::sample::select(vec!["datadog", "cloudWatch of FluentBit", "s3", "cloudWatch", "googleCloudLogging"]),
        texts in prop::collection::vec(prop_oneof![text(), "[A-Za-z0-9:._=/-]{1,20}"], 3),
    ) {
        let (document, names) = named(destination, &texts);
        let fluent_bit = |keys: [&str; 3]| keys.map(|key| document["pipeline"]["outputs"][0][key].as_str().unwrap().to_owned());
        let collector = |section: &Value, keys: [&str; 3]| keys.map(|key| unescape(&section[key]));
        let exporters = &document["exporters"];
        let written = match destination {
            "datadog" => fluent_bit(["host", "dd_service", "dd_source"]),
            "cloudWatch of FluentBit" => fluent_bit(["region", "log_group_name", "log_stream_name"]),
            "s3" => collector(&exporters["awss3/a"]["s3uploader"], ["s3_bucket", "region", "s3_prefix"]),
            "cloudWatch" => collector(&exporters["awscloudwatchlogs/a"], ["region", "log_group_name", "log_stream_name"]),
            _ => {
                let groups = document["processors"]["transform/a"]["log_statements"].as_array().unwrap();
                let statements = groups.iter().flat_map(|group| group["statements"].as_array().unwrap());
                let literals: Vec<_> = statements.flat_map(|statement| literals(&unescape(statement))).collect();
                ["gcp.project_id", "gcp.log_name", "k8s.cluster.name"].map(|attribute| {
                    let at = literals.iter().position(|literal| literal == attribute).unwrap();
                    literals[at + 1].clone()
                })
            }
        };
        let [first, second, third] = written;
        prop_assert_eq!(first.trim_start_matches("http-intake.logs."), names[0].as_str());
        prop_assert_eq!([&second, &third], [&names[1], &names[2]]);
    }
}
