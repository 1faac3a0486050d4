//! What is lost when things break: nothing that the node still holds.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tributary_crds::policy::Engine;
use tributary_e2e::receiver::Receiver;
use tributary_e2e::streams::{Stream, Written};
use tributary_e2e::tally::{Numbering, Tally};

use crate::receiving;
use crate::stage::Stage;

/// Lines that are written to stdout, at about 500 a second.
const LINES: u64 = 15_000;
/// Lines that are written to a file, at the same pace.
const LINES_IN_FILE: u64 = 5_000;
/// A kill between delivery and the note of it sends a batch again: at most the batches in flight at each kill, in lines. Loki
/// merges equal records, so that only a receiver that keeps everything shows them.
const IN_FLIGHT: u64 = LINES / 5;
/// Bytes of a line's text, after its number: the kubelet rotates the log file once while they are written.
const TEXT: u64 = 100;
/// So long that it rotates the file often enough to compress some, and not so often that it removes any.
const TEXT_TO_COMPRESS: u64 = 200;
/// The same in a file: so long that what a kill may double is far less than the file.
const TEXT_IN_FILE: u64 = 200;
/// How long the last line may take after the writer has ended.
const PATIENCE: Duration = Duration::from_secs(90);

fn stream(pod: &'static str, pod_pattern: &'static str, container: &'static str, lines: u64) -> Stream {
    Stream {
        pattern: "what is left of it after a fault",
        namespace: "default",
        pod,
        pod_pattern,
        container,
        numbering: Numbering::Leading,
        written: Written::Exactly(lines),
    }
}

/// A shell command, on one line, that writes numbered lines to stdout.
fn write_lines(lines: u64, text: u64) -> String {
    format!(
        "text=$(printf '%{text}s' '' | tr ' ' x); i=0; while [ $i -lt {lines} ]; do n=0; \
         while [ $n -lt 50 ]; do echo \"$i: $text\"; i=$((i+1)); n=$((n+1)); done; sleep 0.1; done"
    )
}

/// A Job that writes [`LINES`] lines to stdout.
fn writer(name: &str, text: u64) -> String {
    let script = write_lines(LINES, text);
    format!(
        r"
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 1
      containers:
      - name: app
        image: busybox:1.28
        args:
        - /bin/sh
        - -c
        - |
          {script}
"
    )
}

/// A Job that writes [`LINES_IN_FILE`] lines to a file, and then lives on: the kubelet waits ten seconds before it restarts a
/// container for the second time, and does not restart a sidecar any more when the application has ended.
fn file_writer(name: &str) -> String {
    let script = write_lines(LINES_IN_FILE, TEXT_IN_FILE);
    format!(
        r"
apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  template:
    metadata:
      annotations: {{tributary.dev/stream: /logs/run.log}}
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 10
      containers:
      - name: app
        image: busybox:1.28
        args:
        - /bin/sh
        - -c
        - |
          {{ {script}; }} >> /logs/run.log; sleep 25
        volumeMounts: [{{name: logs, mountPath: /logs}}]
      volumes:
      - name: logs
        emptyDir: {{}}
"
    )
}

/// The path of the agent's program: the first word of its command line.
const AGENT: &str = "/otelcol";
/// Waits for the agent of one policy, whose name is to be added. An agent of an earlier test may still be ending: the one for
/// Elasticsearch takes its whole grace period when the server went first (docs/outputs.md).
const AGENT_READY: &str =
    "-n tributary-agents wait --for=condition=Ready pod --timeout=120s -l tributary.dev/policy=";
const LOKI: &str = "/loki";
const STREAMER: &str = "/tributary-streamer";
/// The most that a killed streamer prints again, in bytes: its last write.
const LAST_WRITE: u64 = 64 * 1024;

pub fn kills(stage: &Stage) -> anyhow::Result<()> {
    ensure!(
        Engine::default() == Engine::OpenTelemetryCollector,
        "this test kills the default engine"
    );
    let receiver = receiving::start(stage, "killed")?;
    stage.apply(&format!(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: killed}}
spec:
  nodeAgent: {{}}
  outputs:
  - name: receiver
    http: {{url: 'https://{}/killed'}}
    tls: {{caSecretRef: {{name: killed-ca, key: ca.crt}}}}
    where: [{{field: kubernetes.pod_name, matches: '^killed-'}}]
",
        receiver.address()
    ))?;
    stage.ready("killed")?;
    stage.apply(&writer("killed", TEXT))?;
    let started = Instant::now();
    for (second, program) in [(5, AGENT), (9, LOKI), (14, AGENT), (18, LOKI), (24, AGENT)] {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(started.elapsed()));
        if program == AGENT {
            // Not while it starts: the collector takes what it had in flight off its queue before it puts it back, and a kill
            // between the two loses it (docs/outputs.md).
            for policy in ["default", "killed"] {
                stage.kubectl(&format!("{AGENT_READY}{policy}"))?;
            }
        }
        stage.eventually("the process runs", Duration::from_secs(60), || {
            stage.kill(program)
        })?;
    }
    let stream = stream("job/killed", "killed-.*", "app", LINES);
    finish(stage, "killed", stream, IN_FLIGHT)?;
    count_at(&receiver, stage, "killed")
}

/// Another engine is asked for and cannot run; then the first one again. The outputs stay as they are, and no line is lost.
pub fn switched(stage: &Stage) -> anyhow::Result<()> {
    let receiver = receiving::start(stage, "switched")?;
    let policy = |agent: &str| {
        let address = receiver.address();
        format!(
            r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: switched}}
spec:
  nodeAgent: {agent}
  outputs:
  - name: receiver
    http: {{url: 'https://{address}/switched'}}
    tls: {{caSecretRef: {{name: switched-ca, key: ca.crt}}}}
    where: [{{field: kubernetes.pod_name, matches: '^switched-'}}]
"
        )
    };
    stage.apply(&policy("{}"))?;
    stage.ready("switched")?;
    stage.apply(&writer("switched", TEXT))?;
    std::thread::sleep(Duration::from_secs(6));
    // A shell, which ends at once.
    stage.apply(&policy("{engine: FluentBit, pod: {image: 'busybox:1.28'}}"))?;
    stage.eventually("the other engine's end", Duration::from_secs(90), || {
        let path = "{.items[*].status.containerStatuses[0].restartCount}";
        let restarts = stage.kubectl(&format!(
            "-n tributary-agents get pod -l tributary.dev/policy=switched -o jsonpath={path}"
        ))?;
        ensure!(
            restarts.split(' ').any(|count| count != "0" && !count.is_empty()),
            "{restarts:?}"
        );
        Ok(())
    })?;
    let ready =
        stage.kubectl(r#"get lp switched -o jsonpath={.status.conditions[?(@.type=="Ready")].status}"#)?;
    ensure!(ready == "False", "the policy is said to be ready: {ready}");
    stage.apply(&policy("{engine: OpenTelemetryCollector}"))?;
    stage.ready("switched")?;
    count_at(&receiver, stage, "switched")
}

/// Waits until every line of the writer is at the receiver, which keeps every copy (Loki merges equal records), and removes the policy.
fn count_at(receiver: &Receiver, stage: &Stage, name: &str) -> anyhow::Result<()> {
    let tally = stage.eventually("the last line at the receiver", PATIENCE, || {
        let deliveries = stage.run(async { receiver.deliveries() });
        let records = deliveries
            .values()
            .flatten()
            .flat_map(|delivery| &delivery.records);
        let messages = records.filter_map(|record| record["message"].as_str());
        let tally = Tally::count(LINES, messages.filter_map(|line| Numbering::Leading.number(line)));
        ensure!(tally.lost == 0, "{tally:?}");
        Ok(tally)
    })?;
    println!("{name}, at the receiver: {tally:?}");
    ensure!(tally.doubled <= IN_FLIGHT, "{tally:?}");
    stage.kubectl(&format!("delete lp {name}"))?;
    stage
        .kubectl(&format!("-n tributary-agents delete secret {name}-ca"))
        .map(drop)
}

/// Two rotations pass while no agent runs, so the kubelet has compressed the first file.
pub fn away(stage: &Stage) -> anyhow::Result<()> {
    let select = |labels: &str| {
        let patch = format!(r#"{{"spec":{{"nodeAgent":{{"pod":{{"nodeSelector":{labels}}}}}}}}}"#);
        stage.kubectl(&format!("patch lp default --type=merge -p {patch}"))
    };
    select(r#"{"tributary.dev/nowhere":"true"}"#)?;
    stage.eventually("no agent runs", Duration::from_secs(60), || {
        let agents = stage.kubectl("-n tributary-agents get pod -l tributary.dev/policy=default -o name")?;
        ensure!(agents.is_empty(), "{agents}");
        Ok(())
    })?;
    stage.apply(&writer("unwatched", TEXT_TO_COMPRESS))?;
    stage.kubectl("wait --for=condition=Complete job/unwatched --timeout=120s")?;
    let compressed = stage.eventually("a compressed file", Duration::from_secs(15), || {
        let pods = std::fs::read_dir(stage.cluster().node_path("/var/log/pods"))?;
        let mut files = Vec::new();
        for pod in pods
            .flatten()
            .filter(|pod| pod.file_name().to_string_lossy().contains("unwatched"))
        {
            files.extend(
                std::fs::read_dir(pod.path().join("app"))?
                    .flatten()
                    .map(|file| file.file_name()),
            );
        }
        ensure!(
            files.iter().any(|file| file.to_string_lossy().ends_with(".gz")),
            "{files:?}"
        );
        Ok(files)
    })?;
    println!("unwatched: {compressed:?}");
    select("null")?;
    let stream = stream("job/unwatched", "unwatched-.*", "app", LINES);
    finish(stage, "unwatched", stream, 0)
}

pub fn outage(stage: &Stage) -> anyhow::Result<()> {
    // Without endpoints the Service refuses connections; Loki keeps what it has.
    stage.apply(&writer("cut-off", TEXT))?;
    std::thread::sleep(Duration::from_secs(4));
    stage.kubectl(r#"-n logging patch service loki -p {"spec":{"selector":{"app":"nobody"}}}"#)?;
    stage.kill(LOKI)?;
    std::thread::sleep(Duration::from_secs(12));
    stage.kubectl(&format!("{AGENT_READY}default"))?;
    stage.kill(AGENT)?;
    std::thread::sleep(Duration::from_secs(8));
    stage.kubectl(r#"-n logging patch service loki -p {"spec":{"selector":{"app":"loki"}}}"#)?;
    let stream = stream("job/cut-off", "cut-off-.*", "app", LINES);
    finish(stage, "cut-off", stream, IN_FLIGHT)
}

pub fn killed_streamer(stage: &Stage) -> anyhow::Result<()> {
    const KILLS: u64 = 2;
    let job = "interrupted";
    stage.apply(&file_writer(job))?;
    stage.eventually("the writer runs", Duration::from_secs(60), || {
        stage.kubectl(&format!(
            "wait --for=condition=Ready pod -l job-name={job} --timeout=10s"
        ))
    })?;
    for _ in 0..KILLS {
        std::thread::sleep(Duration::from_secs(4));
        stage.eventually("the streamer runs", Duration::from_secs(30), || {
            stage.kill(STREAMER)
        })?;
    }
    stage.eventually("the streamer runs again", Duration::from_secs(60), || {
        let path = "{.items[0].status.initContainerStatuses[0].restartCount}";
        let restarts = stage.kubectl(&format!("get pod -l job-name={job} -o jsonpath={path}"))?;
        ensure!(restarts == KILLS.to_string(), "{restarts} restarts");
        Ok(())
    })?;
    let stream = stream(
        "job/interrupted",
        "interrupted-.*",
        "stream-run-log",
        LINES_IN_FILE,
    );
    finish(stage, job, stream, KILLS * LAST_WRITE.div_ceil(TEXT_IN_FILE))
}

/// Waits for the writer and for its last line, and counts: none may be lost, and at most so many doubled.
fn finish(stage: &Stage, job: &str, stream: Stream, may_double: u64) -> anyhow::Result<()> {
    stage.kubectl(&format!("wait --for=condition=Complete job/{job} --timeout=120s"))?;
    stage.kubectl("-n logging wait --for=condition=Ready pod/loki-0 --timeout=120s")?;
    let tally = stage.run(async {
        let written = stream.written(stage.kubectl_client()).await?;
        stream.tally(&stage.environment().client, written, PATIENCE).await
    })?;
    println!("{job}: {tally:?}");
    ensure!(tally.lost == 0, "{tally:?}");
    ensure!(tally.doubled <= may_double, "{tally:?}");
    stage.kubectl(&format!("delete job {job}")).map(drop)
}
