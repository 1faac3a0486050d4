//! What a sidecar did to pods before it was known: each trap once, on a real node. Those of paths and volumes are in the zoo.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tributary_crds::annotation;
use tributary_e2e::loki::{self, Source};
use tributary_e2e::tally::{Numbering, Tally};
use tributary_e2e::zoo::outcome::Outcome;

use crate::stage::Stage;

const PATIENCE: Duration = Duration::from_secs(90);
/// The kubelet looks for pods to evict every ten seconds.
const EVICTION: Duration = Duration::from_secs(25);
/// How long a pod's end may take whose grace period is one second: the kubelet gives each container two at least, sidecars after the
/// application, and a busy machine takes its time.
const SHORT_END: Duration = Duration::from_secs(12);

/// A namespace, and a policy for agent sidecars that start after the pod's own; the stage's policy has the streaming sidecars.
const GROUNDS: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: traps}
---
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: traps}
spec:
  selector: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: traps}}}
  agentSidecar: {position: Last}
  outputs:
  - {name: loki, loki: {url: 'http://loki.logging:3100'}}
---
apiVersion: tributary.dev/v1alpha1
kind: LoggingPolicy
metadata: {name: traps-secretive}
spec:
  priority: 10
  selector: {podSelector: {matchLabels: {trap: secret}}}
  agentSidecar: {}
  outputs:
  - name: loki
    loki: {url: 'http://loki.logging:3100'}
    auth: {bearer: {tokenSecretRef: {name: nobody-made-it, key: token}}}
";

/// Lines that each application writes; it lives on then.
const LINES: u64 = 50;
const WRITE: &str = "i=0; while [ $i -lt 50 ]; do echo $i: line >> /logs/a.log; i=$((i+1)); done; sleep 600";

/// A pod with an annotation for `/logs/a.log` on an emptyDir. The other fields are of the pod's specification and of its container.
fn pod(name: &str, annotation: &str, script: &str, of_pod: &str, of_container: &str) -> String {
    format!(
        r"
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: traps, labels: {{trap: {name}}}, annotations: {{{annotation}: /logs/a.log}}}}
spec:
  {of_pod}
  containers:
  - name: app
    image: busybox:1.28
    args: [/bin/sh, -c, '{script}']
    volumeMounts: [{{name: logs, mountPath: /logs}}]
    {of_container}
  volumes: [{{name: logs, emptyDir: {{}}}}]
"
    )
}

pub fn on_a_node(stage: &Stage) -> anyhow::Result<()> {
    const GUARANTEED: &str = "resources: {limits: {cpu: 50m, memory: 32Mi}}";
    const MESH: &str =
        "initContainers: [{name: mesh, image: 'busybox:1.28', restartPolicy: Always, args: [sleep, '600']}]";
    let (stream, ship) = (annotation::STREAM, annotation::SHIP);
    // Without this policy such a pod does not find Services by name.
    let host = "hostNetwork: true\n  dnsPolicy: ClusterFirstWithHostNet";
    let fill = format!("dd if=/dev/zero of=/filling bs=1M count=60 2>/dev/null; {WRITE}");
    let pods = [
        pod("disk", stream, &fill, "", ""),
        pod("disk-shipped", ship, &fill, "", ""),
        pod("silent", stream, "sleep 600", "", ""),
        pod("silent-shipped", ship, "sleep 600", "", ""),
        pod("guaranteed", stream, WRITE, "", GUARANTEED),
        pod("guaranteed-shipped", ship, WRITE, "", GUARANTEED),
        pod("host-one", ship, WRITE, host, ""),
        pod("host-two", ship, WRITE, host, ""),
        pod("secret", ship, WRITE, "", ""),
        pod("mesh", ship, WRITE, MESH, ""),
        pod("brief", stream, WRITE, "", ""),
        pod(
            "brief-shipped",
            ship,
            WRITE,
            "terminationGracePeriodSeconds: 1",
            "",
        ),
    ];
    let names = pods.iter().map(|pod| name(pod));
    let names: Vec<&str> = names.collect::<Option<_>>().context("a pod without a name")?;
    stage.apply(GROUNDS)?;
    until_served(stage, &pods)?;
    let started = Instant::now();
    stage.apply(&pods.concat())?;
    stage.eventually("every pod Ready, with its sidecar", PATIENCE, || {
        names.iter().try_for_each(|name| is_well(&get(stage, name)?))
    })?;
    for name in ["guaranteed", "guaranteed-shipped"] {
        is_guaranteed(stage, name)?;
    }
    let mesh = get(stage, "mesh")?;
    let order: Vec<&str> = names_of(&mesh["spec"]["initContainers"]);
    ensure!(order == ["mesh", "tributary-agent"], "{order:?}");
    for name in ["disk", "guaranteed", "brief"] {
        stage.eventually(&format!("all lines of {name}"), PATIENCE, || {
            is_exact(&stage.kubectl(&format!("-n traps logs {name} -c stream-a-log"))?)
        })?;
    }
    for name in [
        "disk-shipped",
        "guaranteed-shipped",
        "host-one",
        "host-two",
        "mesh",
        "brief-shipped",
    ] {
        stage.eventually(&format!("all lines of {name} at the backend"), PATIENCE, || {
            is_shipped(stage, name)
        })?;
    }
    for name in ["brief", "brief-shipped"] {
        let asked = Instant::now();
        stage.kubectl(&format!(
            "-n traps delete pod {name} --grace-period=1 --timeout=60s"
        ))?;
        let took = asked.elapsed();
        println!("{name} ended in {took:.1?}");
        ensure!(took < SHORT_END, "{name} took {took:?} to end");
    }
    std::thread::sleep(EVICTION.saturating_sub(started.elapsed()));
    for name in names.iter().filter(|name| !name.starts_with("brief")) {
        is_well(&get(stage, name)?)?;
    }
    stage.kubectl("delete lp traps traps-secretive")?;
    stage.kubectl("delete namespace traps --wait=false").map(drop)
}

fn name(manifest: &str) -> Option<&str> {
    manifest.split_once("metadata: {name: ")?.1.split(',').next()
}

fn names_of(containers: &Value) -> Vec<&str> {
    let containers = containers.as_array().into_iter().flatten();
    containers
        .filter_map(|container| container["name"].as_str())
        .collect()
}

/// The webhook sees policies a moment after the API server has them.
fn until_served(stage: &Stage, pods: &[String]) -> anyhow::Result<()> {
    stage.eventually("the webhook knows the policies", Duration::from_secs(30), || {
        for manifest in pods.iter().filter(|pod| pod.contains(annotation::SHIP)) {
            let pod: Value =
                serde_json::from_str(&stage.run(stage.kubectl_client().dry_run(manifest))?.stdout)?;
            let by = pod["metadata"]["labels"]["tributary.dev/agent"].as_str();
            let expected = if pod["metadata"]["name"] == "secret" {
                "traps-secretive"
            } else {
                "traps"
            };
            ensure!(
                by == Some(expected),
                "{} is served by {by:?}",
                pod["metadata"]["name"]
            );
        }
        Ok(())
    })
}

fn get(stage: &Stage, pod: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(
        &stage.kubectl(&format!("-n traps get pod {pod} -o json"))?,
    )?)
}

/// Ready, with one sidecar of ours, and nothing was restarted or evicted.
fn is_well(pod: &Value) -> anyhow::Result<()> {
    let (name, outcome) = (&pod["metadata"]["name"], Outcome::of(pod));
    ensure!(outcome.is_ready, "{name}: {outcome}: {:?}", outcome.containers);
    let ours = |name: &str| name == "tributary-agent" || name == "stream-a-log";
    let sidecars: Vec<_> = outcome.containers.iter().filter(|(name, _)| ours(name)).collect();
    ensure!(sidecars.len() == 1, "{name} has the sidecars {sidecars:?}");
    for (container, state) in &outcome.containers {
        ensure!(
            state.is_running && state.restarts == 0,
            "{name}, container {container}: {state:?}"
        );
    }
    Ok(())
}

/// By its status, and by the control group that holds its containers.
fn is_guaranteed(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let pod = get(stage, name)?;
    let class = &pod["status"]["qosClass"];
    ensure!(*class == "Guaranteed", "{name} is {class}");
    let group = format!("pod{}", pod["metadata"]["uid"].as_str().unwrap_or_default());
    let mut find = stage.cluster().node_command("find");
    find.args(["/sys/fs/cgroup", "-type", "d", "-name", &group]);
    let found = stage.run(async { find.output().await })?;
    let found = String::from_utf8_lossy(&found.stdout).into_owned();
    ensure!(
        !found.is_empty()
            && found
                .lines()
                .all(|path| path.ends_with(&format!("/kubepods/{group}"))),
        "{name} has the control groups {found:?}"
    );
    Ok(())
}

fn is_exact(printed: &str) -> anyhow::Result<()> {
    let numbers = printed.lines().filter_map(|line| Numbering::Leading.number(line));
    let tally = Tally::count(LINES, numbers);
    ensure!(tally.is_exact(), "{tally:?}");
    Ok(())
}

fn is_shipped(stage: &Stage, pod: &str) -> anyhow::Result<()> {
    let source = Source {
        namespace: "traps",
        pod,
        container: "app",
    };
    is_exact(
        &stage
            .run(loki::lines(&stage.environment().client, &source))?
            .join("\n"),
    )
}

/// Containers have a least, a most and a ratio; the second namespace has room for the application to the byte.
const LIMITS: &str = r"
apiVersion: v1
kind: Namespace
metadata: {name: ranged}
---
apiVersion: v1
kind: LimitRange
metadata: {name: range, namespace: ranged}
spec:
  limits:
  - type: Container
    min: {cpu: 20m, memory: 24Mi}
    max: {cpu: 400m, memory: 256Mi}
    default: {cpu: 100m, memory: 64Mi}
    defaultRequest: {cpu: 50m, memory: 32Mi}
    maxLimitRequestRatio: {cpu: '2', memory: '2'}
---
apiVersion: v1
kind: Namespace
metadata: {name: exact}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: quota, namespace: exact}
spec:
  hard: {requests.cpu: 30m, requests.memory: 32Mi, limits.cpu: 60m, limits.memory: 64Mi}
";

pub fn limits(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(LIMITS)?;
    let resources = "resources: {requests: {cpu: 30m, memory: 32Mi}, limits: {cpu: 60m, memory: 64Mi}}";
    let in_namespace = |namespace: &str| {
        let pod = pod("limited", annotation::STREAM, WRITE, "", resources);
        pod.replace("namespace: traps", &format!("namespace: {namespace}"))
    };
    for namespace in ["ranged", "exact"] {
        // The quota's controller counts before anything is admitted, and the webhook sees limits a moment after the API server.
        let expected = if namespace == "exact" {
            "QuotaTight"
        } else {
            "stream-a-log"
        };
        let pod = in_namespace(namespace);
        stage.eventually(
            &format!("a pod that fits namespace {namespace}"),
            Duration::from_secs(30),
            || {
                let admitted: Value =
                    serde_json::from_str(&stage.run(stage.kubectl_client().dry_run(&pod))?.stdout)?;
                let result = &admitted["metadata"]["annotations"][annotation::RESULT];
                ensure!(
                    result.as_str().is_some_and(|result| result.contains(expected)),
                    "{result}"
                );
                Ok(())
            },
        )?;
        stage.apply(&pod)?;
    }
    for namespace in ["ranged", "exact"] {
        let show = || {
            stage
                .kubectl(&format!("-n {namespace} describe pod limited"))
                .unwrap_or_default()
        };
        stage
            .kubectl(&format!(
                "-n {namespace} wait --for=condition=Ready pod/limited --timeout=90s"
            ))
            .with_context(show)?;
    }
    stage.eventually("all lines of the pod in a range", PATIENCE, || {
        is_exact(&stage.kubectl("-n ranged logs limited -c stream-a-log")?)
    })?;
    let containers = stage.kubectl("-n exact get pod limited -o jsonpath={.spec.initContainers}")?;
    ensure!(containers.is_empty(), "there was no room for {containers}");
    stage
        .kubectl("delete namespace ranged exact --wait=false")
        .map(drop)
}
