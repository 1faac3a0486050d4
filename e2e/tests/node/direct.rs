//! Applications that push for themselves: what their containers really see.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::stage::Stage;

const MANIFEST: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: pushing}
---
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: pushing}
spec:
  selector: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: pushing}}}
  direct: {endpoint: 'http://collector.logging:4317', protocol: Grpc}
";

/// The second container has its own protocol, and a name for itself that uses what it is given.
const DEPLOYMENT: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: {name: cart, namespace: pushing}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata:
      labels: {app: cart, app.kubernetes.io/name: shop-cart}
      annotations: {tributary.dev/direct: 'true'}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: app, image: 'busybox:1.28', args: [sleep, '600']}
      - name: worker
        image: busybox:1.28
        args: [sleep, '600']
        env:
        - {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: http/json}
        - {name: OTEL_SERVICE_NAME, value: worker-of-$(TRIBUTARY_POD_NAME)}
        - {name: OWN, value: kept}
";

pub fn environment(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(MANIFEST)?;
    stage.eventually("the webhook knows the policy", Duration::from_secs(30), || {
        stage.apply(DEPLOYMENT)?;
        let words =
            "-n pushing get pod -l app=cart -o jsonpath={.items[*].metadata.labels.tributary\\.dev/direct}";
        let policies = stage.kubectl(words)?;
        if policies != "pushing" {
            stage.kubectl("-n pushing delete deployment cart --cascade=foreground --timeout=20s")?;
        }
        ensure!(policies == "pushing", "its pods are served by {policies:?}");
        Ok(())
    })?;
    stage
        .kubectl("-n pushing wait --for=condition=Ready pod -l app=cart --timeout=60s")
        .with_context(|| {
            stage
                .kubectl("-n pushing describe pod -l app=cart")
                .unwrap_or_default()
        })?;
    let field = |path: &str| {
        stage.kubectl(&format!(
            "-n pushing get pod -l app=cart -o jsonpath={{.items[0].{path}}}"
        ))
    };
    let (name, uid, node) = (
        field("metadata.name")?,
        field("metadata.uid")?,
        field("spec.nodeName")?,
    );

    let app = variables(stage, "app")?;
    let expect = |variables: &BTreeMap<String, String>, expected: &[(&str, &str)]| {
        for &(name, value) in expected {
            let found = variables.get(name).map(String::as_str);
            ensure!(found == Some(value), "{name} is {found:?}, not {value:?}");
        }
        Ok(())
    };
    expect(
        &app,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.logging:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ],
    )?;
    let attributes = attributes(&app)?;
    expect(
        &attributes,
        &[
            ("k8s.namespace.name", "pushing"),
            ("k8s.pod.name", &name),
            ("k8s.pod.uid", &uid),
            ("k8s.node.name", &node),
            ("k8s.container.name", "app"),
            ("service.name", "shop-cart"),
        ],
    )?;

    let worker = variables(stage, "worker")?;
    let service = format!("worker-of-{name}");
    expect(
        &worker,
        &[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.logging:4317"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_SERVICE_NAME", &service),
            ("OWN", "kept"),
        ],
    )?;
    stage.kubectl("delete lp pushing")?;
    stage.kubectl("delete namespace pushing --wait=false").map(drop)
}

/// What a process of the container sees.
fn variables(stage: &Stage, container: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let printed = stage.kubectl(&format!("-n pushing exec deployment/cart -c {container} -- env"))?;
    let pairs = printed.lines().filter_map(|line| line.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

fn attributes(variables: &BTreeMap<String, String>) -> anyhow::Result<BTreeMap<String, String>> {
    let attributes = variables
        .get("OTEL_RESOURCE_ATTRIBUTES")
        .context("OTEL_RESOURCE_ATTRIBUTES is not set")?;
    let pairs = attributes.split(',').filter_map(|pair| pair.split_once('='));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}
