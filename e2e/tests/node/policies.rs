//! What the operator makes of policies, on a cluster where agents really run.

use std::time::Duration;

use anyhow::{bail, ensure};

use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(60);

/// A line of the node's file that a `file` output writes, if there is one with all these words.
fn wrote(stage: &Stage, file: &str, words: &[&str]) -> anyhow::Result<String> {
    let path = stage.cluster().node_path(format!("/var/log/tributary/{file}"));
    let text = std::fs::read_to_string(&path)?;
    match text
        .lines()
        .find(|line| words.iter().all(|word| line.contains(word)))
    {
        Some(line) => Ok(line.to_owned()),
        None => bail!("no line of {} has {words:?}", path.display()),
    }
}

pub fn selectors(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: selected}
spec:
  selector:
    namespaceSelector: {matchLabels: {team: payments}}
    podSelector: {matchExpressions: [{key: tier, operator: In, values: [front, back]}]}
  nodeAgent: {}
  outputs:
  - {name: file, file: {path: /var/log/tributary/selected.jsonl}}
---
apiVersion: v1
kind: Namespace
metadata: {name: payments, labels: {team: payments}}
---
apiVersion: v1
kind: Namespace
metadata: {name: orders, labels: {team: orders}}
",
    )?;
    stage.ready("selected")?;
    let speakers = [
        ("payments", "front", "yes"),
        ("payments", "test", "no-pod"),
        ("orders", "front", "no-namespace"),
    ];
    for (namespace, tier, word) in speakers {
        stage.apply(&format!(
            r"
apiVersion: v1
kind: Pod
metadata: {{name: speaker-{word}, namespace: {namespace}, labels: {{tier: {tier}, app.kubernetes.io/name: speaker}}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {{name: app, image: 'busybox:1.28', args: [/bin/sh, -c, 'while true; do echo said-{word}; sleep 0.2; done']}}
"
        ))?;
    }
    let line = stage.eventually("the selected pod's line", PATIENCE, || {
        wrote(stage, "selected.jsonl", &["said-yes"])
    })?;
    let record: serde_json::Value = serde_json::from_str(&line)?;
    ensure!(
        record["message"] == "said-yes" && record["stream"] == "stdout",
        "{record:#}"
    );
    let kubernetes = &record["kubernetes"];
    ensure!(
        kubernetes["namespace_name"] == "payments" && kubernetes["container_name"] == "app",
        "{record:#}"
    );
    ensure!(
        kubernetes["pod_name"] == "speaker-yes" && kubernetes["host"] == "node1",
        "{record:#}"
    );
    ensure!(
        kubernetes["labels"]["app.kubernetes.io/name"] == "speaker",
        "{record:#}"
    );
    // The others have spoken as long and as often by now; give theirs the time that the first one took, and more.
    std::thread::sleep(Duration::from_secs(5));
    for silent in ["said-no-pod", "said-no-namespace"] {
        ensure!(
            wrote(stage, "selected.jsonl", &[silent]).is_err(),
            "{silent} was collected"
        );
    }
    stage.kubectl("delete namespace payments orders --wait=false")?;
    stage.kubectl("delete lp selected").map(drop)
}

pub fn missing_secret(stage: &Stage) -> anyhow::Result<()> {
    let policy = |auth: &str| {
        format!(
            r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {{name: secretive}}
spec:
  selector: {{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: nowhere}}}}}}
  nodeAgent: {{}}
  outputs:
  - name: loki
    loki: {{url: 'http://loki.logging:3100'}}
{auth}
"
        )
    };
    stage.apply(&policy(""))?;
    stage.ready("secretive")?;
    let agent = || {
        stage.kubectl(
            "-n tributary-agents get daemonset secretive-node-agent -o jsonpath={.metadata.generation}",
        )
    };
    let before = agent()?;
    let token = "    auth: {bearer: {tokenSecretRef: {name: loki-token, key: token}}}";
    stage.apply(&policy(token))?;
    let message = stage.eventually("ConfigAccepted=False", PATIENCE, || {
        let template =
            r#"{range .status.conditions[?(@.type=="ConfigAccepted")]}{.status} {.reason} {.message}{end}"#;
        let words = ["get", "lp", "secretive", "-o", &format!("jsonpath={template}")];
        let seen = stage.run(stage.kubectl_client().run(&words))?.stdout;
        ensure!(seen.starts_with("False SecretMissing "), "{seen:?}");
        Ok(seen)
    })?;
    ensure!(
        message.contains("loki-token") && message.contains("tributary-agents"),
        "{message}"
    );
    ensure!(agent()? == before, "the last good agent was touched");
    stage.kubectl("-n tributary-agents create secret generic loki-token --from-literal=token=t")?;
    stage.ready("secretive")?;
    ensure!(
        agent()? != before,
        "the new configuration did not reach the agent"
    );
    stage.kubectl("-n tributary-agents delete secret loki-token")?;
    stage.kubectl("delete lp secretive").map(drop)
}

pub fn deletion(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(
        r"
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: passing}
spec:
  nodeAgent: {}
  outputs: [{name: out, stdout: {}}]
",
    )?;
    stage.ready("passing")?;
    let owned = "-n tributary-agents get daemonset,configmap,pod -l tributary.dev/policy=passing -o name";
    ensure!(
        stage.kubectl(owned)?.lines().count() >= 3,
        "the policy made nothing"
    );
    stage.kubectl("delete lp passing")?;
    stage.eventually("nothing of the policy is left", PATIENCE, || {
        let left = stage.kubectl(owned)?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })
}
