//! The namespaces in which the zoo runs, and what its pods need there.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tributary_cluster::images::catalog;
use tributary_crds::LoggingPolicy;
use tributary_crds::policy::Engine;
use tributary_e2e::zoo::Files;
use tributary_e2e::zoo::belongings::Belongings;
use tributary_e2e::zoo::runnable::{self, runnable};
use tributary_e2e::{corpus, image};

use super::look::create;
use super::{BASELINE, ORDINARY, Pair, Place, namespaces};
use crate::stage::Stage;

/// Namespaces, policies, images and whatever the pods refer to.
pub fn prepare(stage: &Stage, place: Place, pairs: &[Pair]) -> anyhow::Result<()> {
    let busybox = stage.run(catalog::busybox())?;
    let of_a_user = busybox.user("1000:1000").named(runnable::BUSYBOX_OF_A_USER);
    stage.run(stage.cluster().add_image(&of_a_user))?;
    make_namespaces(stage, place)?;
    let gvisor = json!({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "gvisor"}, "handler": runnable::HANDLER});
    let mut objects = vec![gvisor];
    let mut directories = Vec::new();
    for belongings in belongings(pairs) {
        objects.extend(belongings.objects());
        directories.extend(belongings.directories());
    }
    for policy in policies()? {
        objects.push(serde_json::to_value(policy)?);
    }
    apply(stage, &objects)?;
    let mut shell = stage.cluster().node_command("sh");
    shell.args(["-ec", r#"for d; do mkdir -p "$d"; chmod 777 "$d"; done"#, "make"]);
    shell.args(directories);
    let made = stage.run(async { shell.output().await })?;
    ensure!(
        made.status.success(),
        "making directories on the node: {}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(())
}

pub fn make_namespaces(stage: &Stage, place: Place) -> anyhow::Result<()> {
    let enforced = place.enforced.unwrap_or("privileged");
    let names = BTreeSet::from([place.with.namespace, place.without.namespace]);
    let namespace = |name: &&str| {
        let labels = json!({"pod-security.kubernetes.io/enforce": enforced});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    };
    apply(stage, &names.iter().map(namespace).collect::<Vec<_>>())?;
    for name in names {
        stage.eventually("the namespace's service account", Duration::from_secs(30), || {
            stage.kubectl(&format!("-n {name} get serviceaccount default"))
        })?;
    }
    Ok(())
}

fn belongings(pairs: &[Pair]) -> [Belongings; 2] {
    let of = |pods: Vec<&Value>| {
        let namespace = pods.first().and_then(|pod| pod["metadata"]["namespace"].as_str());
        Belongings::of(namespace.unwrap_or_default(), pods)
    };
    [
        of(pairs.iter().map(|pair| &pair.with).collect()),
        of(pairs.iter().map(|pair| &pair.without).collect()),
    ]
}

/// The corpus' policies with programs that are there, and without those that the stage has in their place.
fn policies() -> anyhow::Result<Vec<LoggingPolicy>> {
    let mut policies = corpus::policies()?;
    policies.retain(|policy| policy.metadata.name.as_deref() != Some("default"));
    for policy in &mut policies {
        let spec = &mut policy.spec;
        if spec.node_agent.is_some() {
            // On no node: node agents have tests of their own.
            let nowhere = json!({"pod": {"nodeSelector": {"tributary.dev/nowhere": "true"}}});
            spec.node_agent = Some(serde_json::from_value(nowhere)?);
        }
        if let Some(streaming) = &mut spec.streaming_sidecar {
            streaming.image = streaming.image.as_ref().map(|_| image::NAME.to_owned());
            let mut resources = serde_json::to_value(&streaming.resources)?;
            runnable::scale_cpu(&mut resources);
            streaming.resources = serde_json::from_value(resources)?;
        }
        if let Some(agent) = &mut spec.agent_sidecar {
            agent.image = None;
            // The other engine cannot be had as an image here.
            agent.engine = Engine::OpenTelemetryCollector;
        }
    }
    Ok(policies)
}

fn apply(stage: &Stage, objects: &[Value]) -> anyhow::Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    stage.apply(&list.to_string()).map(drop)
}

/// The webhook sees policies a moment after the API server has them.
pub fn until_policies_are_known(stage: &Stage) -> anyhow::Result<()> {
    let pods = corpus::pods()?;
    for (name, label) in [
        ("ship", "agent"),
        ("combined-json-multiline", "streaming"),
        ("direct-and-stream", "direct"),
    ] {
        let pod = runnable(name, &pods[name], &Files::new(), ORDINARY.with);
        stage.eventually(
            "the webhook knows the corpus' policies",
            Duration::from_secs(30),
            || {
                let client = &stage.environment().client;
                let created = stage
                    .run(create(client, &pod, true))?
                    .map_err(anyhow::Error::msg)?;
                let label = &created["metadata"]["labels"][format!("tributary.dev/{label}")];
                let by = label.as_str().context("not served yet")?;
                ensure!(by != "default" || name == "direct-and-stream", "served by {by}");
                Ok(())
            },
        )?;
    }
    Ok(())
}

pub fn clear_away(stage: &Stage, pairs: [&[Pair]; 2]) -> anyhow::Result<()> {
    let names: Vec<String> = policies()?
        .into_iter()
        .filter_map(|policy| policy.metadata.name)
        .collect();
    stage.kubectl(&format!("delete lp {}", names.join(" ")))?;
    stage.kubectl("delete runtimeclass gvisor")?;
    let namespaces: Vec<&str> = namespaces().chain([BASELINE.with.namespace]).collect();
    stage.kubectl(&format!("delete namespace --wait=false {}", namespaces.join(" ")))?;
    let belongings = pairs.into_iter().flat_map(belongings);
    let volumes: Vec<String> = belongings
        .flat_map(|of| of.volumes().collect::<Vec<_>>())
        .collect();
    stage
        .kubectl(&format!("delete pv --wait=false {}", volumes.join(" ")))
        .map(drop)
}
