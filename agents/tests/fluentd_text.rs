//! Whatever text a policy holds, it stays text to Fluentd: no section, setting or code comes from it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_config;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::config::AgentConfig;
use tributary_agents::{CompileError, compile, render};

use fluentd_config::{Section, read};

/// Text that tries to be something else, and any text at all.
fn text() -> impl Strategy<Value = String> {
    let parts = vec![
        "\"",
        "'",
        "\\",
        "\n",
        "\r",
        "\t",
        "\0",
        "#{1+1}",
        "#{ENV['HOME']}",
        "#",
        "${tag}",
        "%{x}",
        "%Y",
        "<match **>",
        "</match>",
        "@include x",
        "@type exec",
        "[",
        "]",
        "{",
        "}",
        "\u{85}",
        "\u{2028}",
        "é",
        "😀",
        " ",
        "a",
    ];
    prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(parts), 0..8).prop_map(|parts| parts.concat()),
    ]
}

fn rendered(texts: &[String]) -> Result<AgentConfig, CompileError> {
    let secret = json!({"name": "a", "key": "b"});
    let basic = json!({"basic": {"username": texts[1], "passwordSecretRef": secret}});
    let spec = json!({
        "nodeAgent": {"engine": "Fluentd"},
        "processors": [
            {"set": {"field": "data.set", "value": texts[2]}},
            {"redact": {"pattern": "secret", "replacement": texts[3]}},
            {"drop": {}, "where": [{"field": "message", "in": [texts[4]]}, {"field": "message", "matches": texts[5]}]},
        ],
        "outputs": [
            {
                "name": "lines",
                "http": {"url": "https://receiver.logging/logs", "headers": {"X-Text": texts[0]}},
                "auth": basic,
                "where": [{"field": "message", "notIn": [texts[4]]}],
            },
            {"name": "topic", "kafka": {"brokers": ["kafka.logging:9092"], "topic": "logs"}, "auth": basic},
        ],
    });
    render(&compile("test", &serde_json::from_value(spec).unwrap())?)
}

fn plain() -> Vec<String> {
    vec!["a".to_owned(); 6]
}

/// Replaces texts that a policy may not hold, one by one, by one that it may.
fn admissible(texts: Vec<String>) -> Vec<String> {
    let mut admissible = plain();
    for (at, text) in texts.into_iter().enumerate() {
        let before = std::mem::replace(&mut admissible[at], text);
        if rendered(&admissible).is_err() {
            admissible[at] = before;
        }
    }
    admissible
}

fn label<'a>(config: &'a Section, name: &str) -> &'a Section {
    let label = config
        .sections
        .iter()
        .find(|section| section.name == "label" && section.argument == name);
    label.unwrap().section("match")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_stays_text(texts in prop::collection::vec(text(), 6)) {
        let texts = admissible(texts);
        let config = rendered(&texts).unwrap();
        let sections = read(&config.files["fluent.conf"]);
        let expected = rendered(&plain()).unwrap();
        prop_assert_eq!(sections.shape(), read(&expected.files["fluent.conf"]).shape());
        let headers: Value = serde_json::from_str(label(&sections, "@lines").get("headers")).unwrap();
        prop_assert_eq!(headers, json!({"X-Text": texts[0]}));
        prop_assert_eq!(label(&sections, "@lines").get("username"), &texts[1]);
        prop_assert_eq!(label(&sections, "@topic").get("username"), &texts[1]);
        prop_assert_eq!(label(&sections, "@topic").get("password"), "$TRIBUTARY_SECRET_0");
        for (name, script) in &expected.files {
            let is_of_policy = ["fluent.conf", "pipeline.json"].contains(&name.as_str());
            prop_assert!(is_of_policy || config.files[name] == *script);
        }
        let data: Value = serde_json::from_str(&config.files["pipeline.json"]).unwrap();
        prop_assert_eq!(&data["steps"][0]["action"]["value"], &json!(texts[2]));
        prop_assert_eq!(&data["steps"][1]["action"]["replacement"], &json!(texts[3]));
        prop_assert_eq!(&data["steps"][2]["where"][0][0]["values"][0], &json!(texts[4]));
        prop_assert_eq!(&data["outputs"][0]["where"][0][0]["values"][0], &json!(texts[4]));
    }
}
