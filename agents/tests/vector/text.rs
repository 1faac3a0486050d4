//! Whatever text a policy has, Vector's programs compile, mean that text, and have the same parts.

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};
use tributary_crds::LoggingPolicySpec;

use crate::topology::Vector;

/// Texts of characters that mean something to one of the languages on the way, and of any others.
fn text() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "\"",
        "'",
        "\\",
        "\\\\",
        "\\'",
        "\\u{41}",
        "{{",
        "}}",
        "{{ message }}",
        "{",
        "}",
        "$",
        "$$",
        "${HOME}",
        "$1",
        "%",
        "%Y",
        "%%",
        "SECRET[a.b]",
        "SECRET[",
        "]",
        "\n",
        "\r",
        "\t",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "#",
        ": ",
        "- ",
        "|",
        ">",
        "&",
        "*",
        "!",
        "null",
        "abort",
        ") || true || (",
        "\") || true || (\"",
        "r'",
        "s'",
        "t'",
        "é",
        "😀",
        " ",
        "a",
    ]);
    prop_oneof![
        ".{0,20}",
        "\\PC{0,20}",
        prop::collection::vec(parts, 0..8).prop_map(|parts| parts.concat()),
    ]
}

fn spec(text: &str, pattern: &str) -> LoggingPolicySpec {
    let user = text.replace(|c: char| c == ':' || c.is_control(), "");
    serde_json::from_value(json!({
        "nodeAgent": {"engine": "Vector"},
        "processors": [
            {"set": {"field": "data.set", "value": text}},
            {"set": {"field": "data.in", "value": "yes"}, "where": [{"field": "message", "in": [text]}]},
            {"set": {"field": "data.in", "value": "no"}, "where": [{"field": "data.set", "notIn": [text, ""]}]},
            {"set": {"field": "data.redacted", "value": "<>"}},
            {"redact": {"field": "data.redacted", "pattern": "<>", "replacement": text}},
            {"set": {"field": "level", "value": "info"}, "where": [{"field": "message", "matches": pattern}]},
        ],
        "outputs": [
            {"name": "out", "stdout": {}, "where": [{"field": "message", "notMatches": pattern}, {"field": "level", "notIn": [text]}]},
            {
                "name": "http",
                "http": {"url": "https://receiver.logging/logs", "headers": {"X-Text": text}},
                "auth": {"basic": {"username": user, "passwordSecretRef": {"name": "a", "key": "b"}}},
            },
        ],
    }))
    .unwrap()
}

fn admissible(text: &str, pattern: &str) -> Result<Vector, CompileError> {
    let config = render(&compile("test", &spec(text, pattern))?)?;
    Ok(Vector::new(&config.files))
}

/// The policy with those of its texts that it may have.
fn vector(text: &str, pattern: &str) -> Vector {
    let without_output = |pattern: &str| {
        let mut spec = spec(text, pattern);
        spec.outputs.truncate(1);
        render(&compile("test", &spec)?).map(|config| Vector::new(&config.files))
    };
    admissible(text, pattern)
        .or_else(|_| without_output(pattern))
        .or_else(|_| without_output("plain"))
        .unwrap()
}

fn event(message: &str) -> Value {
    json!({"time": "2026-01-02T03:04:05.678901234Z", "message": message, "kubernetes": {"labels": {}}})
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_stays_text(text in text()) {
        let vector = vector(&text, "^never to be found$");
        let record = vector.run("container-records", &[event(&text)], "to-out").pop().unwrap();
        prop_assert_eq!(&record["data"]["set"], &json!(text));
        prop_assert_eq!(&record["data"]["in"], &json!("yes"));
        prop_assert_eq!(&record["data"]["redacted"], &json!(text));
        let sink = &vector.document["sinks"]["to-http"];
        if !sink.is_null() {
            prop_assert_eq!(&sink["request"]["headers"]["X-Text"], &json!(text));
            prop_assert_eq!(&sink["auth"]["password"], &json!("SECRET[tributary.a/b]"));
            let user = sink["auth"]["user"].as_str().unwrap();
            prop_assert!(!user.contains("SECRET[") && !text.contains('%') && !text.contains("{{"));
        }
    }

    #[test]
    fn expressions_find_what_they_find(pattern in text(), message in text()) {
        let Ok(expression) = admissible("x", &pattern).map(|_| regex::Regex::new(&pattern)) else {
            return Ok(());
        };
        let kept = vector("x", &pattern).run("container-records", &[event(&message)], "to-out");
        // Some patterns of RE2 are no patterns of `regex`.
        if let Ok(expression) = expression {
            prop_assert_eq!(kept.is_empty(), expression.is_match(&message), "{:?} in {:?}", pattern, message);
        }
    }
}

#[test]
fn texts_that_vector_would_replace_are_refused() {
    for (text, problem) in [
        ("100%", "parts of the record"),
        ("{{ x }}", "parts of the record"),
        ("SECRET[a.b]", "by a secret"),
    ] {
        let error = admissible(text, "x").err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn addresses_that_vector_cannot_use_are_refused() {
    let secret = json!({"name": "a", "key": "b"});
    let cases = [
        (
            json!({"elasticsearch": {"url": "http://es.logging:9200/?pipeline=x"}}),
            "has a query",
        ),
        (
            json!({"http": {"url": "http://receiver.logging/a%20b"}}),
            "contains % or {{",
        ),
        (
            json!({"otlp": {"endpoint": "http://collector.logging/a%20b", "protocol": "Http"}}),
            "contains % or {{",
        ),
        (
            json!({"otlp": {"endpoint": "http://collector.logging:4317", "protocol": "Grpc"}}),
            "sends OTLP over HTTP only",
        ),
        (
            json!({"loki": {"url": "http://loki.logging:3100", "tenantId": "a%b"}}),
            "contains % or {{",
        ),
        (
            json!({"splunk": {"url": "https://splunk.logging", "tokenSecretRef": secret}, "tls": {"serverName": "x"}}),
            "only accepts the name in the address",
        ),
    ];
    for (mut output, problem) in cases {
        output["name"] = json!("out");
        let spec = json!({"nodeAgent": {"engine": "Vector"}, "outputs": [output]});
        let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
        let error = compile("test", &spec).unwrap_err().to_string();
        assert!(
            error.contains(problem) && error.starts_with("spec.outputs[0]."),
            "{error}"
        );
    }
}
