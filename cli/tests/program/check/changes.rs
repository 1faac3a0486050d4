//! Whether a policy could change its engine.

use serde_json::Value;

use super::HEAD;
use crate::desk::{DONE, Desk};

const SPEC: &str = "  nodeAgent: {}\n  outputs:\n  - name: a\n    stdout: {}\n  - name: b\n    s3: {bucket: logs, region: eu-west-1}\n";

#[test]
fn every_engine_is_judged_as_if_the_policy_had_it() {
    let desk = Desk::new(&[("p.yaml", &format!("{HEAD}{SPEC}"))]);
    let ended = desk.run("check -f p.yaml --all-engines", "");
    assert_eq!(ended.status, DONE);
    let said: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!(said[0], "p.yaml:1: LoggingPolicy default: nothing is wrong");
    assert_eq!(
        said[1],
        "p.yaml:1: LoggingPolicy default: nodeAgent with engine OpenTelemetryCollector: yes, as it is"
    );
    assert_eq!(
        said[2],
        "p.yaml:1: LoggingPolicy default: nodeAgent with engine FluentBit: no:"
    );
    assert!(
        said[3].starts_with(
            "  p.yaml:11: spec.outputs[1].s3: engine FluentBit cannot send to s3: write engine: "
        ),
        "{}",
        said[3]
    );
    let ended = desk.run("check -f p.yaml --all-engines -o json", "");
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let engines = report["policies"][0]["engines"].as_array().unwrap();
    let names: Vec<&str> = engines
        .iter()
        .map(|change| change["engine"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["OpenTelemetryCollector", "FluentBit", "Fluentd", "Vector"]
    );
    assert_eq!(engines[1]["isPossible"], false);
    assert_eq!(engines[1]["problems"][0]["field"], "spec.outputs[1].s3");
}
