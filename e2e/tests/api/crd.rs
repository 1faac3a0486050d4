//! The `CustomResourceDefinition` as the API server understands it: size, defaults, and a sentence for every mistake.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use kube::CustomResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_crds::LoggingPolicy;

use crate::fixture::Fixture;
use crate::{processor_rules, support_rules};

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial("crd::is_small", is_small),
        fixture.trial("crd::fills_in_defaults", fills_in_defaults),
        fixture.trial("crd::takes_the_examples", takes_the_examples),
        fixture.trial(
            "crd::every_rule_refuses_with_its_sentence",
            every_rule_refuses_with_its_sentence,
        ),
        fixture.trial("crd::bounds_refuse", bounds_refuse),
    ]
}

/// As JSON, which is what the API server holds and `kubectl apply` repeats in an annotation; all annotations of an object together
/// may have 256 KiB. The spaces of the YAML file are only there for readers.
async fn is_small(_: Fixture) -> anyhow::Result<()> {
    let size = serde_json::to_vec(&LoggingPolicy::crd())?.len();
    ensure!(size <= 80_000, "the CRD has {size} bytes of JSON");
    Ok(())
}

/// Those in `manifests/policies`; no field of theirs is left out.
async fn takes_the_examples(fixture: Fixture) -> anyhow::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/policies");
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        let policy: Value = serde_saphyr::from_str(&fs::read_to_string(&file)?)?;
        let name = policy["metadata"]["name"]
            .as_str()
            .context("an example without a name")?;
        let stored = create(&fixture, name, policy["spec"].clone())
            .await
            .with_context(|| format!("{}", file.display()))?;
        let spec = &stored.data["spec"];
        ensure!(
            is_part_of(&policy["spec"], spec),
            "{}: stored is {spec}",
            file.display()
        );
    }
    Ok(())
}

async fn fills_in_defaults(fixture: Fixture) -> anyhow::Result<()> {
    let spec = json!({"nodeAgent": {}, "streamingSidecar": {}, "agentSidecar": {}, "direct": {}, "outputs": [
        {"name": "a", "elasticsearch": {"url": "https://search:9200"}},
        {"name": "b", "otlp": {"endpoint": "http://collector:4318"}},
    ]});
    let stored = create(&fixture, "defaults", spec).await?.data["spec"].take();
    let expected = json!({
        "priority": 0,
        "selector": {},
        "nodeAgent": {"engine": "OpenTelemetryCollector", "sources": {"containers": {}}, "pod": {}, "rollout": {"maxUnavailable": "10%"}},
        "streamingSidecar": {"layout": "PerFile", "format": "Raw", "missingVolume": "Skip"},
        "agentSidecar": {"engine": "OpenTelemetryCollector", "position": "First", "missingVolume": "Skip", "bufferSize": "64Mi"},
        "direct": {"protocol": "Http"},
        "outputs": [
            {"name": "a", "elasticsearch": {"url": "https://search:9200", "index": "tributary"}, "buffer": {"maxSize": "1Gi", "whenFull": "Block"}},
            {"name": "b", "otlp": {"endpoint": "http://collector:4318", "protocol": "Http"}, "buffer": {"maxSize": "1Gi", "whenFull": "Block"}},
        ],
    });
    ensure!(stored == expected, "stored: {stored:#}\nexpected: {expected:#}");
    Ok(())
}

/// The rules of the schema, by their sentences, are exactly those that the cases break.
async fn every_rule_refuses_with_its_sentence(fixture: Fixture) -> anyhow::Result<()> {
    let schema = serde_json::to_value(LoggingPolicy::crd())?;
    let mut unbroken = BTreeSet::new();
    collect_sentences(&schema, &mut unbroken);
    for (name, spec, start) in mistakes() {
        let sentence = unbroken
            .iter()
            .find(|sentence| sentence.starts_with(&start))
            .cloned();
        let refusal = refusal(&fixture, &name, spec)
            .await
            .with_context(|| format!("the mistake: {start}"))?;
        let known: &str = sentence.as_deref().unwrap_or(&start);
        ensure!(refusal.contains(known), "promised: {known}\nsaid: {refusal}");
        unbroken.retain(|sentence| !sentence.starts_with(&start));
    }
    ensure!(
        unbroken.is_empty(),
        "no case breaks the rules with these sentences: {unbroken:#?}"
    );
    Ok(())
}

/// Names, specs that break one rule each, and how the rule's sentence starts.
fn mistakes() -> Vec<(String, Value, String)> {
    let long = "a".repeat(41);
    let named = |name: &str| {
        (
            name.to_owned(),
            agent(&output(json!({}))),
            "the name is part of other names".to_owned(),
        )
    };
    let one = |(spec, start): (Value, &str)| ("mistake".to_owned(), spec, start.to_owned());
    let mut cases = vec![named("a.b"), named(&long)];
    cases.extend(
        spec_mistakes()
            .into_iter()
            .chain(processor_rules::mistakes())
            .map(one),
    );
    let of_engines = support_rules::mistakes().into_iter();
    cases.extend(of_engines.map(|(spec, sentence)| ("mistake".to_owned(), spec, sentence)));
    let outputs = output_mistakes()
        .into_iter()
        .chain(destination_mistakes())
        .chain(condition_mistakes());
    cases.extend(outputs.map(|(change, start)| one((agent(&output(change)), start))));
    cases
}

fn spec_mistakes() -> Vec<(Value, &'static str)> {
    let shipped =
        |sidecar: Value, change: Value| json!({"agentSidecar": sidecar, "outputs": [output(change)]});
    let rolled_out = |unavailable: Value| json!({"nodeAgent": {"rollout": {"maxUnavailable": unavailable}}, "outputs": [output(json!({}))]});
    vec![
        (rolled_out(json!(0)), "write how many nodes may be without"),
        (rolled_out(json!("0%")), "write how many nodes may be without"),
        (rolled_out(json!("ten")), "write how many nodes may be without"),
        (json!({}), "this policy turns nothing on"),
        (json!({"nodeAgent": {}}), "nodeAgent has nowhere to send logs"),
        (
            json!({"agentSidecar": {}}),
            "agentSidecar has nowhere to send logs",
        ),
        (
            shipped(
                json!({}),
                json!({"stdout": null, "file": {"path": "/var/log/tributary/a"}}),
            ),
            "agentSidecar cannot write to files",
        ),
        (
            shipped(json!({"bufferSize": "1Mi"}), json!({})),
            "write a size of at least 16Mi, such as 64Mi",
        ),
        (json!({"direct": {}}), "direct has no address to push to"),
        (
            json!({"direct": {"endpoint": "http://u:p@collector:4318"}}),
            "write an http or https URL without credentials, such as http://collector",
        ),
        (
            json!({"direct": {"endpoint": "collector:4318"}}),
            "write an http or https URL without credentials, such as http://collector",
        ),
        (
            json!({"streamingSidecar": {"format": "Raw", "multiline": {"preset": "Java"}}}),
            "a record of several lines needs a format",
        ),
        (
            json!({"streamingSidecar": {"format": "Json", "multiline": {}}}),
            "write either preset or start",
        ),
        (
            json!({"streamingSidecar": {"format": "Json", "multiline": {"preset": "Go", "start": "^a"}}}),
            "write either preset or start",
        ),
    ]
}

/// A change of an output to another destination.
fn instead(destination: Value) -> Value {
    let mut change = destination;
    change["stdout"] = Value::Null;
    change
}

/// Changes of an output to destinations with settings of their own, and how the sentence starts.
fn destination_mistakes() -> Vec<(Value, &'static str)> {
    let secret = json!({"name": "s", "key": "k"});
    vec![
        (
            instead(json!({"openSearch": {"url": "opensearch:9200"}})),
            "write an absolute URL without credentials, such as https://opensearch",
        ),
        (
            instead(json!({"splunk": {"url": "https://h/services/collector", "tokenSecretRef": secret}})),
            "write the event collector's base URL",
        ),
        (
            instead(json!({"kafka": {"brokers": ["kafka://h:9092"], "topic": "t"}})),
            "write brokers as HOST:PORT",
        ),
        (
            instead(json!({"elasticsearch": {"url": "http://h", "index": "logs-{kubernetes.namespace}"}})),
            "write lower-case letters, digits, dots",
        ),
        (
            instead(json!({"kafka": {"brokers": ["h:9092"], "topic": "{message}"}})),
            "write letters, digits, dots, dashes and underscores, not",
        ),
        (
            instead(
                json!({"splunk": {"url": "https://h", "tokenSecretRef": secret, "index": "{kubernetes.host}"}}),
            ),
            "write lower-case letters, digits, dashes",
        ),
        (
            instead(json!({"cloudWatch": {"region": "r", "logGroup": "a b"}})),
            "write letters, digits, slashes",
        ),
        (
            instead(json!({"datadog": {"site": "http-intake.logs.datadoghq.eu", "apiKeySecretRef": secret}})),
            "write the site alone",
        ),
        (
            instead(json!({"s3": {"bucket": "abc", "region": "r", "prefix": "/logs"}})),
            "write names of letters, digits, dots",
        ),
        (
            instead(json!({"s3": {"bucket": "abc", "region": "r", "endpoint": "minio:9000"}})),
            "write the server's base URL, such as https://minio",
        ),
        (
            instead(json!({"azureMonitor": {
                "endpoint": "http://h", "ruleId": "dcr-0", "table": "A_CL", "tenantId": "t", "clientId": "c", "clientSecretRef": secret,
            }})),
            "write the endpoint's base URL",
        ),
        (
            instead(json!({"syslog": {"address": "syslog"}})),
            "write HOST:PORT, such as syslog.example",
        ),
        (
            instead(json!({"papertrail": {"address": "https://logs.papertrailapp.com:1"}})),
            "write HOST:PORT, such as logs2",
        ),
        (
            instead(json!({"forward": {"address": "h"}})),
            "write HOST:PORT, such as fluentd",
        ),
    ]
}

/// Changes of an output, and how the sentence starts.
fn output_mistakes() -> Vec<(Value, &'static str)> {
    let secret = json!({"name": "s", "key": "k"});
    let basic = json!({"username": "u", "passwordSecretRef": secret});
    let bearer = json!({"tokenSecretRef": secret});
    vec![
        (json!({"stdout": null}), "an output has exactly one destination"),
        (
            json!({"file": {"path": "/var/log/tributary/a"}}),
            "an output has exactly one destination",
        ),
        (
            json!({"auth": {"basic": basic}}),
            "stdout and file use no network",
        ),
        (json!({"tls": {}}), "stdout and file use no network"),
        (
            instead(json!({"http": {"url": "http://h/p"}, "tls": {}})),
            "tls is set, but the address starts with http",
        ),
        (
            instead(json!({"loki": {"url": "http://h"}, "tls": {}})),
            "tls is set, but the address starts with http",
        ),
        (
            instead(json!({"loki": {"url": "http://h"}, "auth": {}})),
            "auth has exactly one method",
        ),
        (
            instead(json!({"loki": {"url": "http://h"}, "auth": {"basic": basic, "bearer": bearer}})),
            "auth has exactly one method",
        ),
        (
            instead(json!({"elasticsearch": {"url": "https://u:p@h"}})),
            "write an absolute URL without credentials, such as https://elasticsearch",
        ),
        (
            instead(json!({"loki": {"url": "http://h/loki/api/v1/push"}})),
            "write the server's base URL, such as http://loki",
        ),
        (
            instead(json!({"otlp": {"endpoint": "collector:4318"}})),
            "write an absolute URL without credentials, such as http://collector",
        ),
        (
            instead(json!({"http": {"url": "http://h"}})),
            "write an absolute URL with a path",
        ),
        (
            instead(json!({"http": {"url": "http://h/p", "headers": {"AUTHORIZATION": "Bearer x"}}})),
            "a policy is no place for a secret",
        ),
        (
            instead(json!({"file": {"path": "/etc/passwd"}})),
            "write a file directly in /var/log/tributary/",
        ),
        (
            json!({"buffer": {"maxSize": "1Mi"}}),
            "write a size of at least 16Mi",
        ),
        (
            json!({"buffer": {"maxSize": "much"}}),
            "write a size of at least 16Mi",
        ),
    ]
}

/// Changes of an output's conditions, and how the sentence starts.
fn condition_mistakes() -> Vec<(Value, &'static str)> {
    let condition = |condition: Value| json!({"where": [condition]});
    vec![
        (
            condition(json!({"field": "message"})),
            "a condition makes one test",
        ),
        (
            condition(json!({"field": "message", "exists": true, "in": ["a"]})),
            "a condition makes one test",
        ),
        (
            condition(json!({"field": "kubernetes.labels.", "exists": true})),
            "unknown field",
        ),
        (
            condition(json!({"field": "massage", "exists": true})),
            "unknown field",
        ),
        (
            condition(json!({"field": "message", "matches": "("})),
            "not a regular expression in RE2 syntax",
        ),
        (
            condition(json!({"field": "message", "notMatches": "(?=a)"})),
            "not a regular expression in RE2 syntax",
        ),
    ]
}

/// Bounds that the schema states without a sentence of ours.
async fn bounds_refuse(fixture: Fixture) -> anyhow::Result<()> {
    let many: Vec<Value> = (0..33)
        .map(|n| json!({"name": format!("o{n}"), "stdout": {}}))
        .collect();
    let twice = json!([{"name": "same", "stdout": {}}, {"name": "same", "stdout": {}}]);
    for (spec, said) in [
        (json!({"nodeAgent": {}, "outputs": many}), "at most 32"),
        (json!({"nodeAgent": {}, "outputs": twice}), "Duplicate value"),
        (
            json!({"nodeAgent": {"engine": "Logstash"}, "outputs": [output(json!({}))]}),
            "supported values",
        ),
        (agent(&output(json!({"name": "Upper"}))), "should match"),
    ] {
        let refusal = refusal(&fixture, "bounds", spec).await?;
        ensure!(refusal.contains(said), "expected {said:?} in: {refusal}");
    }
    Ok(())
}

fn agent(output: &Value) -> Value {
    json!({"nodeAgent": {}, "outputs": [output]})
}

/// A good output, changed. `null` removes.
fn output(change: Value) -> Value {
    let mut output = json!({"name": "out", "stdout": {}});
    merge(&mut output, change);
    output
}

fn merge(into: &mut Value, change: Value) {
    let (Value::Object(into), Value::Object(change)) = (into, change) else {
        return;
    };
    into.extend(change);
    into.retain(|_, value| !value.is_null());
}

fn collect_sentences(schema: &Value, sentences: &mut BTreeSet<String>) {
    match schema {
        Value::Object(fields) => {
            let rules = fields.get("x-kubernetes-validations").and_then(Value::as_array);
            let messages = rules
                .into_iter()
                .flatten()
                .filter_map(|rule| rule["message"].as_str());
            sentences.extend(messages.map(str::to_owned));
            fields
                .values()
                .for_each(|value| collect_sentences(value, sentences));
        }
        Value::Array(values) => values
            .iter()
            .for_each(|value| collect_sentences(value, sentences)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

async fn refusal(fixture: &Fixture, name: &str, spec: Value) -> anyhow::Result<String> {
    match create(fixture, name, spec).await {
        Ok(_) => bail!("accepted"),
        Err(kube::Error::Api(status)) => Ok(status.message),
        Err(error) => Err(error.into()),
    }
}

/// A dry run: schema, defaults and rules, and nothing is stored.
/// Whether all of `part` is in `whole`, which may have more fields.
fn is_part_of(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|other| is_part_of(value, other))),
        (Value::Array(part), Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(one, other)| is_part_of(one, other))
        }
        _ => part == whole,
    }
}

async fn create(fixture: &Fixture, name: &str, spec: Value) -> Result<DynamicObject, kube::Error> {
    let resource = ApiResource::erase::<LoggingPolicy>(&());
    let api: Api<DynamicObject> = Api::all_with(fixture.admin(), &resource);
    let object = DynamicObject::new(name, &resource).data(json!({"spec": spec}));
    api.create(
        &PostParams {
            dry_run: true,
            ..PostParams::default()
        },
        &object,
    )
    .await
}
