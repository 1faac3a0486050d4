//! The image of an agent has the plugins that its outputs need.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use serde_json::{Value, json};
use tributary_agents::node_image;
use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

fn image(engine: &str, image: Option<&str>, outputs: &Value) -> String {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "nodeAgent": {"engine": engine, "pod": {"image": image}},
        "outputs": outputs,
    }))
    .unwrap();
    node_image(spec.node_agent.as_ref().unwrap(), &spec.outputs).to_owned()
}

#[test]
fn an_image_has_the_plugin_of_the_outputs() {
    let kafka = json!({"name": "a", "kafka": {"brokers": ["kafka:9092"], "topic": "logs"}});
    let s3 = json!({"name": "b", "s3": {"bucket": "logs", "region": "eu-west-1"}});
    let stdout = json!({"name": "c", "stdout": {}});
    for (outputs, part) in [
        (json!([kafka, stdout]), "-debian-kafka2-"),
        (json!([stdout, s3]), "-debian-s3-"),
    ] {
        let image = image("Fluentd", None, &outputs);
        assert!(image.contains(part), "{image}");
    }
    let none = image("Fluentd", None, &json!([stdout]));
    assert_eq!(none, Engine::Fluentd.default_image());
    assert_eq!(image("Fluentd", Some("own:1"), &json!([kafka])), "own:1");
    assert_eq!(
        image("FluentBit", None, &json!([kafka])),
        Engine::FluentBit.default_image()
    );
}
