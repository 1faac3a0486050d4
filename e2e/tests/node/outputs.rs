//! Every output, by the real collector into something real.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tributary_cluster::Elasticsearch;
use tributary_e2e::installation;
use tributary_e2e::loki::{self, Source};

use crate::receiving;
use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A pod whose every line is `WORD N`, on stdout and on stderr, in a namespace of its own.
fn speaker(word: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Namespace
metadata: {{name: {word}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: speaker, namespace: {word}, labels: {{app.kubernetes.io/name: speaker}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: busybox:1.28
    args: [/bin/sh, -c, 'i=0; while true; do echo "{word} $i"; echo "{word} trouble $i" >&2; i=$((i+1)); sleep 0.2; done']
"#
    )
}

/// What every engine and every output makes of a line of [`speaker`].
fn check_record(record: &Value, word: &str) -> anyhow::Result<()> {
    let text = |pointer: &str| {
        record
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    ensure!(text("/message").starts_with(word), "message: {record:#}");
    ensure!(
        ["stdout", "stderr"].contains(&text("/stream")),
        "stream: {record:#}"
    );
    let time = text("/time").as_bytes();
    ensure!(
        time.len() == "2026-01-02T03:04:05.123456789Z".len() && time.ends_with(b"Z"),
        "time: {record:#}"
    );
    for (key, value) in [
        ("namespace_name", word),
        ("pod_name", "speaker"),
        ("container_name", "app"),
        ("host", "node1"),
    ] {
        ensure!(
            text(&format!("/kubernetes/{key}")) == value,
            "kubernetes.{key}: {record:#}"
        );
    }
    ensure!(
        text("/kubernetes/pod_id").len() == 36,
        "kubernetes.pod_id: {record:#}"
    );
    Ok(())
}

fn first_line(text: &str, word: &str) -> anyhow::Result<Value> {
    let line = text
        .lines()
        .find(|line| line.contains(word))
        .with_context(|| format!("no line has {word}"))?;
    serde_json::from_str(line).with_context(|| line.to_owned())
}

pub fn plain(stage: &Stage) -> anyhow::Result<()> {
    let receiver = receiving::start(stage, "receiver")?;
    stage.kubectl("-n tributary-agents create secret generic receiver --from-literal=token=secret-token")?;
    stage.apply(&format!(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: plain}}
spec:
  selector: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: plain}}}}}}
  nodeAgent: {{}}
  outputs:
  - name: everything
    http: {{url: 'https://{address}/everything'}}
    auth: {{bearer: {{tokenSecretRef: {{name: receiver, key: token}}}}}}
    tls: {{caSecretRef: {{name: receiver-ca, key: ca.crt}}}}
  - name: trouble
    http: {{url: 'https://{address}/trouble'}}
    tls: {{caSecretRef: {{name: receiver-ca, key: ca.crt}}}}
    where: [{{field: stream, in: [stderr]}}, {{field: message, notMatches: ' [0-9]*5$'}}]
  - {{name: file, file: {{path: /var/log/tributary/plain.jsonl}}}}
  - {{name: stdout, stdout: {{}}}}
",
        address = receiver.address(),
    ))?;
    stage.apply(&speaker("plain"))?;
    stage.ready("plain")?;
    stage.eventually("records of every output", PATIENCE, || {
        let deliveries = stage.run(async { receiver.deliveries() });
        let (Some(everything), Some(trouble)) = (deliveries.get("/everything"), deliveries.get("/trouble"))
        else {
            bail!("deliveries came to {:?}", deliveries.keys());
        };
        for delivery in everything {
            ensure!(
                delivery.authorization == "Bearer secret-token",
                "authorized by {:?}",
                delivery.authorization
            );
            delivery
                .records
                .iter()
                .try_for_each(|record| check_record(record, "plain"))?;
        }
        ensure!(
            everything
                .iter()
                .any(|delivery| delivery.records.iter().any(|record| record["stream"] == "stdout"))
        );
        for record in trouble.iter().flat_map(|delivery| &delivery.records) {
            check_record(record, "plain")?;
            let fives = record["message"]
                .as_str()
                .is_some_and(|message| message.ends_with('5'));
            ensure!(
                record["stream"] == "stderr" && !fives,
                "`where` let this through: {record:#}"
            );
        }
        let file = std::fs::read_to_string(stage.cluster().node_path("/var/log/tributary/plain.jsonl"))?;
        check_record(&first_line(&file, "plain ")?, "plain")?;
        let stdout = stage.kubectl("-n tributary-agents logs daemonset/plain-node-agent --tail=2000")?;
        check_record(&first_line(&stdout, "\"plain ")?, "plain")
    })?;
    stage.kubectl("-n tributary-agents delete secret receiver receiver-ca")?;
    stage.kubectl("delete lp plain")?;
    stage.kubectl("delete namespace plain --wait=false").map(drop)
}

pub fn otlp(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: otlp}
spec:
  selector: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: otlp}}}
  nodeAgent: {}
  outputs:
  - {name: otlp, otlp: {endpoint: 'http://loki.logging:3100/otlp'}}
",
    )?;
    // Loki keeps one of two equal records, so what proves this output must not come by the other policy too.
    stage.kubectl("delete lp default --cascade=foreground")?;
    stage.ready("otlp")?;
    stage.apply(&speaker("otlp"))?;
    let source = Source {
        namespace: "otlp",
        pod: "speaker",
        container: "app",
    };
    stage.eventually("lines of both streams in Loki", PATIENCE, || {
        let lines = stage.run(loki::lines(&stage.environment().client, &source))?;
        for line in ["otlp 3", "otlp trouble 3"] {
            let copies = lines.iter().filter(|found| *found == line).count();
            ensure!(
                copies == 1,
                "{copies} copies of {line:?} among {} lines",
                lines.len()
            );
        }
        Ok(())
    })?;
    stage.run(installation::apply_manifest(
        stage.kubectl_client(),
        "samples/policy.yaml",
    ))?;
    stage.ready("default")?;
    stage.kubectl("delete lp otlp")?;
    stage.kubectl("delete namespace otlp --wait=false").map(drop)
}

pub fn elasticsearch(stage: &Stage) -> anyhow::Result<()> {
    let address: SocketAddr = format!("{}:9200", stage.cluster().host_address()).parse()?;
    let server = stage.run(Elasticsearch::start(address, &[]))?;
    let password = server.password();
    stage.kubectl(&format!(
        "-n tributary-agents create secret generic es --from-literal=password={password}"
    ))?;
    receiving::make_ca_secret(stage, "es-ca", server.authority())?;
    stage.apply(&format!(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: search}}
spec:
  selector: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: search}}}}}}
  nodeAgent: {{}}
  outputs:
  - name: search
    elasticsearch: {{url: '{}', index: app-logs}}
    auth: {{basic: {{username: {}, passwordSecretRef: {{name: es, key: password}}}}}}
    tls: {{caSecretRef: {{name: es-ca, key: ca.crt}}}}
",
        server.url(),
        server.username(),
    ))?;
    stage.apply(&speaker("search"))?;
    stage.ready("search")?;
    let query = json!({"query": {"match_phrase": {"message": "search 3"}}});
    let document = stage.eventually("the document in Elasticsearch", PATIENCE, || {
        let found = stage.run(server.search("app-logs", &query))?;
        found.into_iter().next().context("no document has the line")
    })?;
    check_record(&document, "search")?;
    ensure!(
        document["@timestamp"].is_string() || document["@timestamp"].is_number(),
        "{document:#}"
    );
    ensure!(
        document["kubernetes"]["labels"]["app_kubernetes_io/name"] == "speaker",
        "{document:#}"
    );
    let all = stage.run(server.search("app-logs", &json!({})))?;
    let mut messages: Vec<&str> = all
        .iter()
        .filter_map(|document| document["message"].as_str())
        .collect();
    let count = messages.len();
    messages.sort_unstable();
    messages.dedup();
    ensure!(
        count > 3 && messages.len() == count,
        "{count} documents, {} of them different",
        messages.len()
    );
    stage.kubectl("-n tributary-agents delete secret es es-ca")?;
    stage.kubectl("delete lp search")?;
    stage.kubectl("delete namespace search --wait=false")?;
    stage.run(server.stop());
    Ok(())
}
