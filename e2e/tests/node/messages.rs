//! What people read when something is not as they thought.

use std::time::Duration;

use anyhow::ensure;

use crate::stage::Stage;

fn pod(name: &str, annotations: &str) -> String {
    format!(
        r"
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  annotations: {annotations}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: app
    image: busybox:1.28
    args: [/bin/sh, -c, 'echo hello; sleep 600']
"
    )
}

pub fn no_volume(stage: &Stage) -> anyhow::Result<()> {
    let warnings = stage.apply(&pod("uncovered", "{tributary.dev/stream: /var/log/app.log}"))?;
    ensure!(
        warnings.starts_with("Warning: tributary: "),
        "no warning: {warnings:?}"
    );
    for word in ["NoVolume", "/var/log/app.log", "tributary.dev/missing-volume"] {
        ensure!(
            warnings.contains(word),
            "the warning does not say {word}: {warnings}"
        );
    }
    stage.kubectl("wait --for=condition=Ready pod/uncovered --timeout=60s")?;
    let result =
        stage.kubectl(r"get pod uncovered -o jsonpath={.metadata.annotations.tributary\.dev/result}")?;
    ensure!(
        result.contains("NoVolume"),
        "the result annotation does not say why: {result}"
    );
    stage.kubectl("delete pod uncovered --wait=false").map(drop)
}

pub fn mistakes(stage: &Stage) -> anyhow::Result<()> {
    let cases = [
        (
            "relative",
            "{tributary.dev/stream: var/log/app.log}",
            ["InvalidAnnotation", "starts with /"],
        ),
        (
            "stranger",
            "{tributary.dev/stream: 'ap:/var/log/app.log'}",
            ["UnknownContainer", "app"],
        ),
        (
            "nobody",
            "{tributary.dev/stream: /logs/app.log, tributary.dev/policy: defautl}",
            ["PolicyNotUsable", "defautl"],
        ),
    ];
    for (name, annotations, words) in cases {
        let warnings = stage.apply(&pod(name, annotations))?;
        for word in words {
            ensure!(
                warnings.contains(word),
                "{annotations}: the warning does not say {word:?}: {warnings}"
            );
        }
        stage.kubectl(&format!("wait --for=condition=Ready pod/{name} --timeout=60s"))?;
        stage.kubectl(&format!("delete pod {name} --wait=false"))?;
    }
    Ok(())
}

pub fn webhook_down(stage: &Stage) -> anyhow::Result<()> {
    stage.kubectl("-n tributary-system scale deployment/tributary-webhook --replicas=0")?;
    stage.kubectl(
        "-n tributary-system wait --for=delete pod -l app.kubernetes.io/name=tributary-webhook --timeout=60s",
    )?;
    let started = stage
        .apply(&pod("unattended", "{tributary.dev/stream: /logs/app.log}"))
        .and_then(|_| stage.kubectl("wait --for=condition=Ready pod/unattended --timeout=60s"));
    stage.kubectl("-n tributary-system scale deployment/tributary-webhook --replicas=2")?;
    started?;
    let containers = stage.kubectl("get pod unattended -o jsonpath={.spec.initContainers}")?;
    ensure!(containers.is_empty(), "nobody could have added {containers}");
    stage.kubectl("delete pod unattended --wait=false")?;
    stage.kubectl("-n tributary-system rollout status deployment/tributary-webhook --timeout=60s")?;
    stage.eventually("the webhook answers again", Duration::from_secs(30), || {
        let warnings = stage.apply(&pod("attended", "{tributary.dev/stream: /logs/app.log}"))?;
        stage.kubectl("delete pod attended --wait=false")?;
        ensure!(warnings.contains("NoVolume"), "{warnings:?}");
        Ok(())
    })
}
