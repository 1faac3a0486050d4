//! Applications that push for themselves: what their containers really see.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use crate::deployment::Deployment;
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
const CART: Deployment<'_> = Deployment {
    namespace: "pushing",
    name: "cart",
    metadata: "{labels: {app: cart, app.kubernetes.io/name: shop-cart}, annotations: {tributary.dev/direct: 'true'}}",
    spec: r"
      containers:
      - {name: app, image: 'busybox:1.28', args: [sleep, '600']}
      - name: worker
        image: busybox:1.28
        args: [sleep, '600']
        env:
        - {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: http/json}
        - {name: OTEL_SERVICE_NAME, value: worker-of-$(TRIBUTARY_POD_NAME)}
        - {name: OWN, value: kept}
",
};

pub fn environment(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(MANIFEST)?;
    CART.until_served(stage, "tributary.dev/direct")?;
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
    Ok(pairs(printed.lines()))
}

fn attributes(variables: &BTreeMap<String, String>) -> anyhow::Result<BTreeMap<String, String>> {
    let attributes = variables
        .get("OTEL_RESOURCE_ATTRIBUTES")
        .context("OTEL_RESOURCE_ATTRIBUTES is not set")?;
    Ok(pairs(attributes.split(',')))
}

/// What stands before and after the first `=` of each part that has one.
fn pairs<'p>(parts: impl Iterator<Item = &'p str>) -> BTreeMap<String, String> {
    let pairs = parts.filter_map(|part| part.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
