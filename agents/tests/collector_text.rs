//! Whatever text a processor holds, it stays text in the collector's statements and expressions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ottl_literals;
mod rendered_text;

use proptest::prelude::*;
use serde_json::{Value, json};
use tributary_agents::{CompileError, compile, render};

use crate::ottl_literals::literals;
use crate::rendered_text::{shape, unescape};

const PLACES: usize = 6;

/// Text that tries to be something else, and any text at all.
fn text() -> impl Strategy<Value = String> {
    let pieces = [
        "\"",
        "'",
        "\\",
        "\n",
        "\t",
        "\0",
        "`",
        "$",
        "$$",
        "$1",
        "${env:HOME}",
        "EXPR(",
        ")",
        " where true",
        "\") or true or (\"",
        "\u{85}",
        "\u{7f}",
        "é",
        "😀",
        "a",
    ];
    prop_oneof![
        any::<String>(),
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|parts| parts.concat()),
    ]
}

/// What the collector gets of a policy with the texts at every place of a processor that takes free text.
fn document(texts: &[String]) -> Result<Value, CompileError> {
    let spec = json!({
        "processors": [
            {"multiline": {"start": texts[0]}},
            {"set": {"field": "data.a", "value": texts[1]}, "where": [{"field": "data.b", "notIn": [texts[2]]}]},
            {"redact": {"pattern": texts[3], "replacement": texts[4]}},
            {"drop": {}, "where": [{"field": "message", "matches": texts[5]}]},
        ],
        "outputs": [{"name": "look", "stdout": {}}],
        "nodeAgent": {},
    });
    let config = render(&compile("test", &serde_json::from_value(spec).unwrap())?)?;
    Ok(serde_saphyr::from_str(&config.files["otelcol.yaml"]).unwrap())
}

/// Replaces texts that a policy may not hold, one by one, by one that it may.
fn admissible(texts: Vec<String>) -> Vec<String> {
    let mut admissible = vec!["a".to_owned(); PLACES];
    for (at, text) in texts.into_iter().enumerate() {
        let before = std::mem::replace(&mut admissible[at], text);
        if document(&admissible).is_err() {
            admissible[at] = before;
        }
    }
    admissible
}

fn last(statement: &Value) -> String {
    literals(&unescape(statement)).pop().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn text_of_processors_stays_text(texts in prop::collection::vec(text(), PLACES)) {
        let texts = admissible(texts);
        let document = document(&texts).unwrap();
        let plain = self::document(&vec!["a".to_owned(); PLACES]).unwrap();
        prop_assert_eq!(shape(&document), shape(&plain));
        let operators = document["receivers"]["file_log/containers"]["operators"].as_array().unwrap();
        prop_assert_eq!(last(&operators.last().unwrap()["is_first_entry"]), texts[0].clone());
        let group = |step: &str| document["processors"][step]["log_statements"][0].clone();
        prop_assert_eq!(last(&group("transform/step_1")["statements"][0]), texts[1].clone());
        prop_assert_eq!(last(&group("transform/step_1")["conditions"][0]), texts[2].clone());
        let redaction = literals(&unescape(&group("transform/step_2")["statements"][0]));
        prop_assert_eq!(redaction, vec![texts[3].clone(), texts[4].replace('$', "$$")]);
        let dropped = &document["processors"]["filter/step_3"]["log_conditions"][0];
        prop_assert_eq!(last(dropped), texts[5].clone());
    }
}
