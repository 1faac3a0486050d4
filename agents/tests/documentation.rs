//! Every example of the pages about outputs, processors and sources is a policy, or the outputs of one, that compiles and renders.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use tributary_agents::{compile, compile_sidecar, render};
use tributary_crds::LoggingPolicySpec;

const PAGES: [&str; 3] = [
    include_str!("../../docs/outputs.md"),
    include_str!("../../docs/processors.md"),
    include_str!("../../docs/sources.md"),
];

/// The text of each fenced block in YAML.
fn examples() -> Vec<&'static str> {
    PAGES
        .iter()
        .flat_map(|page| page.split("```yaml\n").skip(1))
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// Whether all of `part` is in `whole`; a field that no type knows is not.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|other| is_part_of(value, other))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(one, other)| is_part_of(one, other))
        }
        // 10 is also 10.0.
        (Value::Number(part), Value::Number(whole)) => part.as_f64() == whole.as_f64(),
        _ => part == whole,
    }
}

#[test]
fn examples_compile() {
    let examples = examples();
    assert!(examples.len() >= 10, "examples are missing");
    for example in examples {
        let document: Value =
            serde_saphyr::from_str(example).unwrap_or_else(|error| panic!("{error}:\n{example}"));
        let spec = document.get("spec").cloned().unwrap_or_else(|| {
            let look = json!([{"name": "look", "stdout": {}}]);
            let outputs = document.get("outputs").unwrap_or(&look);
            let processors = document.get("processors");
            let mut spec = json!({"nodeAgent": {}, "outputs": outputs});
            if let Some(processors) = processors {
                spec["processors"] = processors.clone();
            }
            spec
        });
        let written = spec.clone();
        let spec: LoggingPolicySpec =
            serde_json::from_value(spec).unwrap_or_else(|error| panic!("{error}:\n{example}"));
        let read = serde_json::to_value(&spec).unwrap();
        assert!(
            is_part_of(&written, &read),
            "a field that no policy has, in:\n{example}"
        );
        if spec.node_agent.is_some() {
            let rendered = compile("default", &spec).and_then(|pipeline| render(&pipeline));
            assert!(rendered.is_ok(), "{}:\n{example}", rendered.unwrap_err());
        }
        if spec.agent_sidecar.is_some() {
            let sidecar = compile_sidecar("default", &spec);
            assert!(sidecar.is_ok(), "{}:\n{example}", sidecar.unwrap_err());
        }
        assert!(
            spec.node_agent.is_some() || spec.agent_sidecar.is_some(),
            "{example}"
        );
    }
}
