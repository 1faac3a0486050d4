//! The real collector's messages, as a syslog server reads them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tributary_agents::{compile, render};
use tributary_cluster::Component;
use tributary_cluster::components::{Progress, ensure};
use tributary_crds::LoggingPolicySpec;
use tributary_e2e::collector::Collector;

/// How long messages may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// 2026-01-02T03:04:05.678901234Z
const TIME: &str = "1767323045678901234";

/// What a policy with an output `out` to this port has for it, behind a receiver at a socket.
fn configuration(port: u16, directory: &Path) -> Value {
    let spec = json!({
        "nodeAgent": {},
        "outputs": [{"name": "out", "syslog": {"address": format!("127.0.0.1:{port}")}}],
    });
    let spec: LoggingPolicySpec = serde_json::from_value(spec).unwrap();
    let config = render(&compile("syslog", &spec).unwrap()).unwrap();
    let document: Value = serde_saphyr::from_str(&config.files["otelcol.yaml"]).unwrap();
    let mut exporter = document["exporters"]["syslog/out"].clone();
    // The queue waits in memory here.
    exporter["sending_queue"]
        .as_object_mut()
        .unwrap()
        .remove("storage");
    let receiver =
        json!({"protocols": {"http": {"transport": "unix", "endpoint": directory.join("socket")}}});
    json!({
        "receivers": {"otlp": receiver},
        "processors": {"transform/out": document["processors"]["transform/out"]},
        "exporters": {"syslog/out": exporter},
        "service": {
            "pipelines": {
                "logs": {"receivers": ["otlp"], "processors": ["transform/out"], "exporters": ["syslog/out"]},
            },
            "telemetry": {"metrics": {"level": "none"}},
        },
    })
}

/// Records of one container, as the collector has them.
fn request(container: &str, messages: &[&str]) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let records: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "timeUnixNano": TIME,
                "body": {"stringValue": message},
                "attributes": [attribute("log.iostream", "stdout")],
            })
        })
        .collect();
    let resource = [
        attribute("k8s.namespace.name", "shop"),
        attribute("k8s.pod.name", "web-0"),
        attribute("k8s.pod.uid", "u"),
        attribute("k8s.container.name", container),
        attribute("k8s.node.name", "node-1"),
    ];
    json!({"resourceLogs": [{
        "resource": {"attributes": resource},
        "scopeLogs": [{"logRecords": records}],
    }]})
}

/// The lines that come in, until there are so many.
fn received(listener: TcpListener, count: usize) -> mpsc::Receiver<Vec<String>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = Vec::new();
        while lines.len() < count {
            let (connection, _) = listener.accept().unwrap();
            lines.extend(BufReader::new(connection).lines().map(Result::unwrap));
        }
        sender.send(lines).unwrap();
    });
    receiver
}

#[test]
fn every_record_is_a_line_whatever_its_message() {
    // The longest message of one record, all of which is escaped.
    let longest = "\u{1}".repeat(256 << 10);
    let messages = [
        "plain",
        "",
        "two\nlines\r\n",
        "NUL \0 within, \t and \u{1b}[31mred",
        "äöü 漢字 😀 \u{2028}",
        "<13>1 2020-01-01T00:00:00Z other vault - - - not a header",
        &longest,
    ];
    // Longer than a name may be in the header.
    let container = "c".repeat(63);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let programs = runtime
        .block_on(ensure(&[Component::Otelcol], &Progress::stderr()))
        .expect("the collector can be built");
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = directory.path().join("config.yaml");
    std::fs::write(&config, configuration(port, directory.path()).to_string()).unwrap();
    let program = programs.path(Component::Otelcol);
    let mut collector = Collector::start(program, &config, &directory.path().join("log")).unwrap();

    let lines = received(listener, messages.len());
    let request = request(&container, &messages);
    collector
        .post(&directory.path().join("socket"), &request)
        .unwrap();
    let lines = lines
        .recv_timeout(PATIENCE)
        .unwrap_or_else(|_| panic!("messages are missing: {}", collector.said()));

    let header = format!(
        "<14>1 2026-01-02T03:04:05.678901Z node-1 {} - - - ",
        "c".repeat(48)
    );
    let records: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line.strip_prefix(&header).unwrap()).unwrap())
        .collect();
    let expected: Vec<Value> = messages
        .iter()
        .map(|message| {
            json!({
                "time": "2026-01-02T03:04:05.678901234Z",
                "stream": "stdout",
                "message": message,
                "kubernetes": {
                    "namespace_name": "shop", "pod_name": "web-0", "pod_id": "u",
                    "container_name": container, "host": "node-1", "labels": {},
                },
            })
        })
        .collect();
    assert_eq!(records, expected);
    collector.stop().unwrap();
}
