//! The script's expressions find what Rust's `regex` finds, and its readers of JSON and logfmt read what they should.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fluent_bit_lua;

use std::time::{Duration, Instant};

use fluent_bit_lua::Script;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use regex::{NoExpand, Regex};
use serde_json::{Map, Value, json};
use tributary_agents::expression::Expression;
use tributary_agents::{compile, render};

const TAG: &str = "kube.var.log.pods.shop_web_0a0b-1.app.0.log";

fn script(processors: &Value) -> Script {
    let spec = json!({
        "nodeAgent": {"engine": "FluentBit"},
        "processors": processors,
        "outputs": [{"name": "out", "stdout": {}}],
    });
    let pipeline = compile("test", &serde_json::from_value(spec).unwrap()).unwrap();
    Script::load(&render(&pipeline).unwrap().files)
}

fn run(script: &Script, message: &str) -> Value {
    // One line break at the end is the runtime's.
    let found = json!({"log": format!("{message}\n"), "stream": "stdout", "kubernetes": {"labels": {}}});
    script.call("standard", TAG, (0, 0), &found).unwrap()
}

/// Expressions of everything that RE2 has, over few letters, so that they match often.
fn pattern() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "ab", "é", "-", " "]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            ".", "[ab]", "[^a]", "[a-z]", r"\w", r"\d", r"\s", r"\S", r"\W", "[^ é]", "[α-ω]", "(?s:.)", "(?i:A)", "(?i:É)", r"\n",
        ]).prop_map(str::to_owned),
        2 => prop::sample::select(vec!["^", "$", r"\b", "(?m:^)", "(?m:$)", r"\A", r"\z"]).prop_map(str::to_owned),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 1..3).prop_map(|parts| format!("(?:{})", parts.join("|"))),
            2 => (inner.clone(), prop::sample::select(vec!["*", "+", "?", "*?", "+?", "??", "{2}", "{1,3}", "{0,2}?"]))
                .prop_map(|(part, repetition)| format!("(?:{part}){repetition}")),
            2 => inner.prop_map(|part| format!("(§{part})")),
        ]
    })
    .prop_map(|pattern| name_groups(&pattern))
}

/// Gives every group a name of its own.
fn name_groups(pattern: &str) -> String {
    let named = pattern.split('§').enumerate().map(|(index, part)| match index {
        0 => part.to_owned(),
        _ => format!("?P<g{index}>{part}"),
    });
    named.collect()
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop::sample::select(vec![
            "a", "b", "A", "é", "É", "-", " ", "1", "_", "\n", "\r", "ab",
        ]),
        0..14,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn expressions_find_what_they_find_elsewhere(pattern in pattern(), texts in prop::collection::vec(text(), 1..6)) {
        let Ok(expression) = Expression::parse(&pattern) else {
            return Ok(());
        };
        let regex = Regex::new(&expression.portable()).unwrap();
        let named = expression.group_names();
        let mut processors = vec![json!({"set": {"field": "level", "value": "found"}, "where": [{"field": "message", "matches": pattern}]})];
        if !named.is_empty() {
            processors.push(json!({"parse": {"format": "Regex", "pattern": pattern}}));
        }
        let tested = script(&json!(processors));
        let replaces = expression.hir().properties().minimum_len() != Some(0);
        let replaced = script(&json!([{"redact": {"pattern": if replaces { &pattern } else { "x" }, "replacement": "<>"}}]));
        for text in &texts {
            let record = run(&tested, text);
            prop_assert_eq!(record.get("level").is_some(), regex.is_match(text), "{:?} in {:?}", pattern, text);
            let groups = regex.captures(text).filter(|_| !named.is_empty()).map(|captures| {
                named
                    .iter()
                    .filter_map(|name| Some((name.clone(), json!(captures.name(name)?.as_str()))))
                    .collect::<Map<_, _>>()
            });
            prop_assert_eq!(record.get("data").cloned(), groups.map(Value::Object), "{:?} in {:?}", pattern, text);
            if replaces {
                let expected = regex.replace_all(text, NoExpand("<>"));
                let record = run(&replaced, text);
                prop_assert_eq!(record["message"].as_str().unwrap(), &expected, "{:?} in {:?}", pattern, text);
            }
        }
    }
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn json_is_read_as_elsewhere() {
    let parses = script(&json!([{"parse": {"format": "Json"}}]));
    let cases = (json_value(), 0_usize..200);
    let outcome = runner().run(&cases, |(value, broken)| {
        let object = json!({"value": value});
        for text in [object.to_string(), serde_json::to_string_pretty(&object).unwrap()] {
            prop_assert_eq!(&run(&parses, &text)["data"], &object);
        }
        // A text that lacks a part is JSON or not to both.
        let characters = object.to_string().chars().enumerate().collect::<Vec<_>>();
        let text: String = characters
            .iter()
            .filter(|(at, _)| *at != broken)
            .map(|(_, c)| c)
            .collect();
        let expected = serde_json::from_str::<Value>(&text).ok().filter(Value::is_object);
        prop_assert_eq!(run(&parses, &text).get("data").cloned(), expected, "{}", text);
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn logfmt_that_is_written_is_read() {
    let parses = script(&json!([{"parse": {"format": "Logfmt"}}, {"remove": {"fields": ["level"]}}]));
    let cases = prop::collection::btree_map("[a-z_.é]{1,5}", any::<String>(), 1..5);
    let outcome = runner().run(&cases, |pairs| {
        let words = pairs
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
        let text = words.collect::<Vec<_>>().join(" ");
        prop_assert_eq!(&run(&parses, &text)["data"], &json!(pairs));
        Ok(())
    });
    outcome.unwrap();
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        (-(1_i64 << 53)..(1_i64 << 53)).prop_map(|value| json!(value)),
        any::<i32>().prop_map(|value| json!(f64::from(value) / 64.0 + 0.5 / 64.0)),
        any::<String>().prop_map(|value| json!(value)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|values| json!(values)),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|values| json!(values)),
        ]
    })
}

#[test]
fn numbers_that_would_become_others_keep_their_digits() {
    let parses = script(&json!([{"parse": {"format": "Json"}}]));
    let record = run(
        &parses,
        r#"{"id":12345678901234567890,"odd":9007199254740993,"small":9007199254740991,"huge":1.7976931348623157e308,"whole":1.0}"#,
    );
    let expected = json!({
        "id": "12345678901234567890",
        "odd": "9007199254740993",
        "small": 9_007_199_254_740_991_i64,
        "huge": "1.7976931348623157e308",
        "whole": 1,
    });
    assert_eq!(record["data"], expected);
    assert!(run(&parses, r#"{"infinite":1e999}"#).get("data").is_none());
}

#[test]
fn json_that_is_nested_deeper_than_fluent_bit_can_read_stays_text() {
    let parses = script(&json!([{"parse": {"format": "Json"}}]));
    let nested = |depth: usize| format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    assert!(run(&parses, &nested(20)).get("data").is_some());
    assert!(run(&parses, &nested(21)).get("data").is_none());
    assert!(run(&parses, &"[".repeat(100_000)).get("data").is_none());
    assert!(run(&parses, &nested(100_000)).get("data").is_none());
}

/// Half a pair, bytes that are no UTF-8, and what only looks like an escape.
#[test]
fn text_of_any_bytes_is_looked_at() {
    let parses = script(&json!([{"parse": {"format": "Json"}}]));
    assert_eq!(run(&parses, r#"{"a":"\ud83d!"}"#)["data"]["a"], "\u{fffd}!");
    assert!(run(&parses, r#"{"a":"\u12"}"#).get("data").is_none());
    let redacts = script(&json!([{"redact": {"pattern": r"k=\S+"}}]));
    redacts.exec(r#"found = {log = "\255\254 k=abc \192 k=\0x\n", stream = "stdout"}"#);
    redacts.exec(
        r#"
        local _, _, made = standard("kube.var.log.pods.a_b_c-1.d.0.log", {sec = 0, nsec = 0}, found)
        assert(made.message == "\239\191\189\239\191\189 *** \239\191\189 ***", made.message)
        "#,
    );
}

/// Expressions that make other engines go back and forth for ever.
#[test]
fn a_long_text_takes_a_time_that_is_linear() {
    let redacts = script(&json!([{"redact": {"presets": ["Email"], "pattern": "(a*)*b"}}]));
    let time = |length: usize| {
        let text = "a".repeat(length);
        let start = Instant::now();
        run(&redacts, &text);
        start.elapsed()
    };
    time(1000);
    assert!(time(100_000) < Duration::from_secs(2));
}
