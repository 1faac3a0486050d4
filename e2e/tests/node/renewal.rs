//! Pods whose agent sidecar has an older configuration than their policy: counted, told how to renew, and gone once renewed.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::deployment::Deployment;
use crate::stage::Stage;

/// How long the operator may take to look at pods.
const PATIENCE: Duration = Duration::from_secs(60);

/// A policy for a namespace of this name.
fn policy(buffer_size: &str) -> String {
    format!(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: renewed}}
spec:
  priority: 10
  selector: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: renewed}}}}}}
  agentSidecar: {{bufferSize: {buffer_size}}}
  outputs:
  - {{name: loki, loki: {{url: 'http://loki.logging:3100'}}}}
"
    )
}

const WEB: Deployment<'_> = Deployment {
    namespace: "renewed",
    name: "web",
    metadata: "{labels: {app: web}, annotations: {tributary.dev/ship: /logs/run.log}}",
    spec: r"
      containers:
      - name: app
        image: busybox:1.28
        args: [/bin/sh, -c, 'i=0; while true; do echo $i: new >> /logs/run.log; i=$((i+1)); sleep 1; done']
        volumeMounts: [{name: logs, mountPath: /logs}]
      volumes: [{name: logs, emptyDir: {}}]
",
};

pub fn outdated(stage: &Stage) -> anyhow::Result<()> {
    stage.kubectl("create namespace renewed")?;
    stage.apply(&policy("64Mi"))?;
    WEB.until_served(stage, "tributary.dev/agent")?;
    status_says(stage, &[("agent", 1), ("outdated", 0)])?;
    stage.apply(&policy("32Mi"))?;
    let status = status_says(stage, &[("agent", 1), ("outdated", 1)])?;
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let served: Vec<&Value> = conditions
        .filter(|condition| condition["type"] == "PodsServed")
        .collect();
    let message = served
        .first()
        .and_then(|condition| condition["message"].as_str())
        .with_context(|| format!("no PodsServed in {status:#}"))?;
    println!("renewed: {message}");
    ensure!(served[0]["reason"] == "Outdated", "{:#}", served[0]);
    let command = message
        .split('`')
        .nth(1)
        .and_then(|command| command.strip_prefix("kubectl "));
    let command = command.with_context(|| format!("no command in {message:?}"))?;
    ensure!(
        command == "-n renewed rollout restart deployment/web",
        "{command:?}"
    );
    stage.kubectl(command)?;
    stage.kubectl("-n renewed rollout status deployment/web --timeout=90s")?;
    status_says(stage, &[("agent", 1), ("outdated", 0)])?;
    stage.kubectl("delete lp renewed")?;
    stage.kubectl("delete namespace renewed --wait=false").map(drop)
}

/// Waits until the policy's status counts these pods, and returns the status.
fn status_says(stage: &Stage, counts: &[(&str, i64)]) -> anyhow::Result<Value> {
    stage.eventually(&format!("status.injection with {counts:?}"), PATIENCE, || {
        let policy: Value = serde_json::from_str(&stage.kubectl("get lp renewed -o json")?)?;
        let status = &policy["status"];
        for (key, count) in counts {
            ensure!(
                status["injection"][key] == *count,
                "{key} is not {count}: {status:#}"
            );
        }
        Ok(status.clone())
    })
}
