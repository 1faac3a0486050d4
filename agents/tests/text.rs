//! Whatever text a policy holds, it stays text: no section, property or statement comes from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod rendered_text;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};
use tributary_crds::LoggingPolicySpec;

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

/// What an engine gets of a policy with the texts where a destination of its own has names.
fn destinations(engine: &str, texts: &[String]) -> Result<Value, CompileError> {
    let secret = json!({"name": "a", "key": "b"});
    let (destination, settings, name) = match engine {
        "FluentBit" => (
            "datadog",
            json!({"site": texts[0], "service": texts[1], "source": texts[2], "apiKeySecretRef": secret}),
            "fluent-bit.yaml",
        ),
        _ => (
            "s3",
            json!({"bucket": texts[0], "region": texts[1], "prefix": texts[2]}),
            "otelcol.yaml",
        ),
    };
    let outputs = json!([{"name": "a", destination: settings}]);
    let spec = json!({"nodeAgent": {"engine": engine}, "outputs": outputs});
    let config = render(&compile("test", &serde_json::from_value(spec).unwrap())?)?;
    Ok(serde_saphyr::from_str(&config.files[name]).unwrap())
}

/// The document with those of the texts that a policy may hold, and they.
fn named(engine: &str, texts: Vec<String>) -> (Value, Vec<String>) {
    let mut admissible = vec!["a".to_owned(); 3];
    for (at, text) in texts.into_iter().enumerate() {
        let before = std::mem::replace(&mut admissible[at], text);
        if destinations(engine, &admissible).is_err() {
            admissible[at] = before;
        }
    }
    (destinations(engine, &admissible).unwrap(), admissible)
}

fn file(engine: &str, name: &str, texts: &[String]) -> Result<Value, CompileError> {
    let config = render(&compile("test", &spec(engine, texts))?)?;
    Ok(serde_saphyr::from_str(&config.files[name]).unwrap())
}

/// Reads the string literals of an OTTL statement, which are those of Go.
fn literals(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(start) = rest.find('"') {
        let mut literal = String::new();
        let mut characters = rest[start + 1..].char_indices();
        let end = loop {
            let (at, c) = characters.next().expect("a literal that does not end");
            match c {
                '"' => break at,
                '\\' => match characters.next().unwrap().1 {
                    'u' => {
                        let code: String = characters.by_ref().take(4).map(|(_, c)| c).collect();
                        literal.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                    }
                    c @ ('"' | '\\') => literal.push(c),
                    c => panic!("unknown escape {c}"),
                },
                c => {
                    assert!(!c.is_control(), "a control character in a literal");
                    literal.push(c);
                }
            }
        };
        found.push(literal);
        rest = &rest[start + 1 + end + 1..];
    }
    found
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
        prop_assert!(document.to_string().matches("${").count() == 3, "the pod's address and two passwords");
    }

    #[test]
    fn names_of_destinations_stay_names(texts in prop::collection::vec(prop_oneof![text(), "[A-Za-z0-9:._=/-]{1,20}"], 3)) {
        let plain = ["a", "a", "a"].map(str::to_owned);
        let (document, names) = named("FluentBit", texts.clone());
        prop_assert_eq!(shape(&document), shape(&destinations("FluentBit", &plain).unwrap()));
        let datadog = &document["pipeline"]["outputs"][0];
        prop_assert_eq!(&datadog["host"], &json!(format!("http-intake.logs.{}", names[0])));
        prop_assert_eq!(&datadog["dd_service"], &json!(names[1]));
        prop_assert_eq!(&datadog["dd_source"], &json!(names[2]));

        let (document, names) = named("OpenTelemetryCollector", texts);
        prop_assert_eq!(shape(&document), shape(&destinations("OpenTelemetryCollector", &plain).unwrap()));
        let uploader = &document["exporters"]["awss3/a"]["s3uploader"];
        prop_assert_eq!(unescape(&uploader["s3_bucket"]), names[0].clone());
        prop_assert_eq!(unescape(&uploader["region"]), names[1].clone());
        prop_assert_eq!(unescape(&uploader["s3_prefix"]), names[2].clone());
    }
}
