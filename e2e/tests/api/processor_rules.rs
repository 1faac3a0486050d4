//! Mistakes in the processors, the sources and the conditions of a policy, and how the sentence of the rule starts.

use serde_json::{Value, json};

/// Specs that break one rule each.
pub fn mistakes() -> Vec<(Value, &'static str)> {
    let processors = processors()
        .into_iter()
        .map(|(processor, start)| (spec(&json!({}), &json!([processor])), start));
    let sources = sources()
        .into_iter()
        .map(|(sources, start)| (spec(&json!({"sources": sources}), &json!([])), start));
    processors.chain(sources).collect()
}

fn spec(agent: &Value, processors: &Value) -> Value {
    json!({"nodeAgent": agent, "processors": processors, "outputs": [{"name": "a", "stdout": {}}]})
}

fn processors() -> Vec<(Value, &'static str)> {
    let error = json!([{"field": "level", "in": ["error"]}]);
    vec![
        (json!({}), "a processor does one thing"),
        (json!({"where": error}), "a processor does one thing"),
        (
            json!({"set": {"field": "level", "value": "x"}, "drop": {}, "where": error}),
            "a processor does one thing",
        ),
        (json!({"drop": {}}), "keep and drop say which records by where"),
        (
            json!({"keep": {}, "where": []}),
            "keep and drop say which records by where",
        ),
        (
            json!({"multiline": {"preset": "Go"}, "where": error}),
            "multiline joins lines before anything is known",
        ),
        (
            json!({"parse": {"format": "Regex"}}),
            "pattern belongs to format Regex",
        ),
        (
            json!({"parse": {"format": "Json", "pattern": "(?P<a>b)"}}),
            "pattern belongs to format Regex",
        ),
        (json!({"redact": {}}), "write what to redact"),
        (
            json!({"sample": {"percent": 0}}),
            "write a number above 0 and below 100",
        ),
        (
            json!({"sample": {"percent": 100}}),
            "write a number above 0 and below 100",
        ),
        (
            json!({"drop": {}, "where": [{"anyOf": [{"field": "level"}]}]}),
            "each of anyOf makes one test",
        ),
        (
            json!({"drop": {}, "where": [{"field": "level", "anyOf": [{"field": "level", "exists": true}]}]}),
            "a condition makes one test",
        ),
        (
            json!({"drop": {}, "where": [{"field": "data", "exists": true}]}),
            "unknown field: write message",
        ),
        (
            json!({"drop": {}, "where": [{"field": "data['a", "exists": true}]}),
            "unknown field: write message",
        ),
    ]
}

fn sources() -> Vec<(Value, &'static str)> {
    vec![
        (json!({}), "nothing is collected"),
        (json!({"files": []}), "nothing is collected"),
        (
            json!({"journald": {"units": ["kubelet"]}}),
            "write the full names of units",
        ),
        (
            json!({"files": [{"path": "/etc/passwd"}]}),
            "write a path below /var/log",
        ),
        (
            json!({"files": [{"path": "/var/log/../../etc/passwd"}]}),
            "write a path below /var/log",
        ),
        (
            json!({"files": [{"path": "/var/log/pods/*/*/*.log"}]}),
            "these are the logs of containers",
        ),
    ]
}
