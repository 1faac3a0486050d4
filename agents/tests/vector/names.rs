//! Names that differ between records: what programs and settings together make of placeholders.

use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_crds::LoggingPolicySpec;

use crate::topology::{self, Vector};

/// The settings of the sink of an output, with the places that the output's program fills for a record.
fn filled(output: &Value, record: &Value) -> Value {
    let mut output = output.clone();
    output["name"] = json!("out");
    let spec = json!({"nodeAgent": {"engine": "Vector"}, "outputs": [output]});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let files = render(&compile("test", &spec).unwrap()).unwrap().files;
    let mut sink = Vector::new(&files).document["sinks"]["to-out"].clone();
    if let Some(source) = files.get("for-out.vrl") {
        let program = topology::program(source, &vrl::stdlib::all());
        let metadata = topology::metadata(&program, record.clone());
        for (name, value) in metadata.as_object().unwrap() {
            fill(&mut sink, &format!("{{{{ %{name} }}}}"), value.as_str().unwrap());
        }
    }
    sink
}

fn fill(part: &mut Value, place: &str, value: &str) {
    match part {
        Value::String(text) => *text = text.replace(place, value),
        Value::Object(fields) => fields.values_mut().for_each(|field| fill(field, place, value)),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn record() -> Value {
    json!({
        "time": "2026-01-02T23:59:59.678901234Z",
        "message": "hello",
        "kubernetes": {
            "namespace_name": "shop",
            "pod_name": "cart-7d9f.eu",
            "container_name": "app",
            "host": "node-1.example",
            "labels": {"app.kubernetes.io/name": "Cart.V2_a", "empty": ""},
        },
    })
}

/// A record of the node's journal, with another time zone.
fn journal() -> Value {
    json!({"time": "2026-01-03T00:30:00+01:00", "message": "up", "kubernetes": {"host": "node-1"}})
}

const ALL: &str =
    "{kubernetes.namespace_name}.{kubernetes.labels.app.kubernetes.io/name}-{date}{kubernetes.labels.empty}";

#[test]
fn values_are_spelled_as_the_destination_takes_them() {
    let token = json!({"name": "splunk", "key": "token"});
    let bucket = |prefix: &str| json!({"bucket": "logs", "region": "eu-west-1", "prefix": prefix});
    for (output, place, of_container, of_journal) in [
        (
            json!({"elasticsearch": {"url": "http://es.logging:9200", "index": format!("x-{ALL}")}}),
            "/bulk/index",
            "x-shop.cart.v2_a-2026.01.02_",
            "x-_._-2026.01.02_",
        ),
        (
            json!({"openSearch": {"url": "http://os.logging:9200", "index": "x-{kubernetes.labels.app.kubernetes.io/name}"}}),
            "/bulk/index",
            "x-cart.v2_a",
            "x-_",
        ),
        (
            json!({"kafka": {"brokers": ["kafka:9092"], "topic": format!("x.{ALL}")}}),
            "/topic",
            "x.shop.Cart.V2_a-2026.01.02_",
            "x._._-2026.01.02_",
        ),
        (
            json!({"s3": bucket("logs/ns={kubernetes.namespace_name}/{date}")}),
            "/key_prefix",
            "logs/ns=shop/2026.01.02/year=%Y/month=%m/day=%d/hour=%H/",
            "logs/ns=_/2026.01.02/year=%Y/month=%m/day=%d/hour=%H/",
        ),
        (
            json!({"gcs": {"bucket": "logs", "prefix": "p{kubernetes.container_name}"}}),
            "/key_prefix",
            "papp/year=%Y/month=%m/day=%d/hour=%H/",
            "p_/year=%Y/month=%m/day=%d/hour=%H/",
        ),
        (
            json!({"cloudWatch": {"region": "eu-west-1", "logGroup": "/{kubernetes.namespace_name}", "logStream": "s#{kubernetes.host}"}}),
            "/group_name",
            "/shop",
            "/_",
        ),
        (
            json!({"cloudWatch": {"region": "eu-west-1", "logGroup": "/app", "logStream": "s#{kubernetes.host}"}}),
            "/stream_name",
            "s#node-1.example",
            "s#node-1",
        ),
    ] {
        assert_eq!(
            filled(&output, &record()).pointer(place),
            Some(&json!(of_container)),
            "{output}"
        );
        assert_eq!(
            filled(&output, &journal()).pointer(place),
            Some(&json!(of_journal)),
            "{output}"
        );
    }
    let splunk = json!({"splunk": {
        "url": "https://splunk.logging", "tokenSecretRef": token, "index": "x_{kubernetes.labels.app.kubernetes.io/name}-{date}",
    }});
    assert_eq!(index_of_splunk(&splunk, record()), "x_cart_v2_a-2026_01_02");
    assert_eq!(index_of_splunk(&splunk, journal()), "x__-2026_01_02");
}

/// Splunk is told the index with the event.
fn index_of_splunk(output: &Value, record: Value) -> Value {
    let mut output = output.clone();
    output["name"] = json!("out");
    let spec = json!({"nodeAgent": {"engine": "Vector"}, "outputs": [output]});
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let files = render(&compile("test", &spec).unwrap()).unwrap().files;
    let program = topology::program(&files["for-out.vrl"], &vrl::stdlib::all());
    topology::run(&program, record).unwrap()["index"].clone()
}

/// Vector does not start with a name of which nothing is the same for every record, unless it is told so.
#[test]
fn only_what_has_no_beginning_for_vector_is_left_unchecked_by_it() {
    let unchecked = |group: &str, stream: Option<&str>| {
        let mut to = json!({"region": "eu-west-1", "logGroup": group});
        if let Some(stream) = stream {
            to["logStream"] = json!(stream);
        }
        let sink = filled(&json!({"cloudWatch": to}), &record());
        sink.get("dangerously_allow_unconfined_template_resolution")
            .is_some()
    };
    assert!(unchecked("/app", None));
    assert!(unchecked("/{kubernetes.namespace_name}", Some("all")));
    assert!(unchecked("/app", Some("/{date}")));
    assert!(!unchecked("/", Some("/")));
    assert!(!unchecked("/app/{date}", Some("a-{kubernetes.host}")));
    let mut index = json!({"elasticsearch": {"url": "http://es.logging:9200", "index": "x-{date}"}});
    index["name"] = json!("out");
    let sink = filled(&index, &record());
    assert_eq!(sink.get("dangerously_allow_unconfined_template_resolution"), None);
}
