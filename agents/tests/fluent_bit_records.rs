//! Every case of `records/processors.yaml`, through Fluent Bit's script.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fluent_bit_lua;
mod record_cases;

use fluent_bit_lua::Script;
use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_crds::engine::Engine;

const SECONDS: i64 = 1_767_323_045;
const NANOSECONDS: i64 = 678_901_234;

/// What the tail input and the kubernetes filter would find, and the tag.
fn found(before: &Value) -> (String, Value) {
    let pod = &before["kubernetes"];
    let text = |key: &str| pod[key].as_str().unwrap().to_owned();
    let tag = format!(
        "kube.var.log.pods.{}_{}_{}.{}.0.log",
        text("namespace_name"),
        text("pod_name"),
        text("pod_id"),
        text("container_name")
    );
    let raw = json!({
        "log": before["message"],
        "stream": before["stream"],
        "time": "as the runtime wrote it",
        "_p": "F",
        "kubernetes": {"labels": pod["labels"], "pod_name": pod["pod_name"]},
    });
    (tag, raw)
}

#[test]
fn processors_make_of_records_what_every_engine_makes() {
    let mut wrong = Vec::new();
    for case in record_cases::cases() {
        let spec = case.spec(Engine::FluentBit);
        if case.is_refused(Engine::FluentBit) {
            continue;
        }
        let config = render(&compile("test", &spec).unwrap()).unwrap();
        let script = Script::load(&config.files);
        for example in &case.examples {
            let (tag, raw) = found(&example.before);
            let made = script.call("standard", &tag, (SECONDS, NANOSECONDS), &raw);
            if made != example.after {
                wrong.push(format!(
                    "{}: {:?} became {made:?}",
                    case.name, example.before["message"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
