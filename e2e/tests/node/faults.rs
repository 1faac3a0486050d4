//! What is lost when things break: nothing that the node still holds.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tributary_crds::policy::Engine;
use tributary_e2e::streams::{Stream, Written};
use tributary_e2e::tally::Numbering;

use crate::stage::Stage;

/// Lines that each test writes, at about 500 a second.
const LINES: u64 = 15_000;
/// How long the last line may take after the writer has ended.
const PATIENCE: Duration = Duration::from_secs(90);

fn stream(pod: &'static str, pod_pattern: &'static str) -> Stream {
    Stream {
        pattern: "node agent",
        namespace: "default",
        pod,
        pod_pattern,
        container: "app",
        numbering: Numbering::Leading,
        written: Written::Exactly(LINES),
    }
}

/// A Job that writes [`LINES`] lines of about 120 bytes: the kubelet rotates its log file several times.
fn writer(name: &str) -> String {
    format!(
        r#"
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
          text=$(printf '%100s' '' | tr ' ' x)
          i=0
          while [ $i -lt {LINES} ]; do
            n=0
            while [ $n -lt 50 ]; do echo "$i: $text"; i=$((i+1)); n=$((n+1)); done
            sleep 0.1
          done
"#
    )
}

/// The path of the agent's program: the first word of its command line.
const AGENT: &str = "/otelcol";
const LOKI: &str = "/loki";

pub fn kills(stage: &Stage) -> anyhow::Result<()> {
    ensure!(
        Engine::default() == Engine::OpenTelemetryCollector,
        "this test kills the default engine"
    );
    stage.apply(&writer("killed"))?;
    let started = Instant::now();
    for (second, program) in [(5, AGENT), (9, LOKI), (14, AGENT), (18, LOKI), (24, AGENT)] {
        std::thread::sleep(Duration::from_secs(second).saturating_sub(started.elapsed()));
        stage.eventually("the process runs", Duration::from_secs(60), || {
            stage.kill(program)
        })?;
    }
    finish(stage, "killed", stream("job/killed", "killed-.*"))
}

pub fn outage(stage: &Stage) -> anyhow::Result<()> {
    // Without endpoints the Service refuses connections; Loki keeps what it has.
    stage.apply(&writer("cut-off"))?;
    std::thread::sleep(Duration::from_secs(4));
    stage.kubectl(r#"-n logging patch service loki -p {"spec":{"selector":{"app":"nobody"}}}"#)?;
    stage.kill(LOKI)?;
    std::thread::sleep(Duration::from_secs(12));
    stage.kill(AGENT)?;
    std::thread::sleep(Duration::from_secs(8));
    stage.kubectl(r#"-n logging patch service loki -p {"spec":{"selector":{"app":"loki"}}}"#)?;
    finish(stage, "cut-off", stream("job/cut-off", "cut-off-.*"))
}

/// Waits for the writer and for its last line, and counts.
fn finish(stage: &Stage, job: &str, stream: Stream) -> anyhow::Result<()> {
    stage.kubectl(&format!("wait --for=condition=Complete job/{job} --timeout=120s"))?;
    stage.kubectl("-n logging wait --for=condition=Ready pod/loki-0 --timeout=120s")?;
    let tally = stage.run(stream.tally(&stage.environment().client, LINES, PATIENCE))?;
    println!("{job}: {tally:?}");
    ensure!(tally.lost == 0, "{tally:?}");
    // A kill between delivery and the note of it sends a batch again: at most the batches in flight at each kill.
    ensure!(tally.doubled <= LINES / 5, "{tally:?}");
    stage.kubectl(&format!("delete job {job}")).map(drop)
}
