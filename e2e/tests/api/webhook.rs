//! The webhook as the real API server calls it: with the shipped registration, under the shipped rights.

mod inject;
mod limits;
mod stage;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Namespace as CoreNamespace, ResourceQuota, ServiceAccount};
use kube::api::{Api, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::OnceCell;
use tributary_crds::names::SYSTEM_NAMESPACE;
use tributary_crds::selection::Labels;
use tributary_e2e::corpus;
use tributary_webhook::limits::NO_LIMITS;
use tributary_webhook::policies::{Namespace, PolicyIndex};
use tributary_webhook::{Config, Decision, inject};

use crate::fixture::{Fixture, eventually};
use stage::{Admission, IMAGE, Stage};

/// The stage is made by the first test that needs it, and ends after the last.
type SharedStage = Arc<OnceCell<Stage>>;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    let shared = SharedStage::default();
    let trial = |name: &str, test: for<'s> fn(&'s Stage) -> Test<'s>| {
        let shared = Arc::clone(&shared);
        fixture.trial(name, move |_| async move {
            test(shared.get_or_try_init(Stage::start).await?).await
        })
    };
    vec![
        trial("webhook::corpus_under_restricted", |stage| {
            Box::pin(corpus_under_restricted(stage))
        }),
        trial("webhook::corpus_without_pod_security", |stage| {
            Box::pin(corpus_without_pod_security(stage))
        }),
        trial("webhook::a_quota_is_met", |stage| Box::pin(a_quota_is_met(stage))),
        trial("webhook::only_pods_that_ask_are_reviewed", |stage| {
            Box::pin(only_pods_that_ask_are_reviewed(stage))
        }),
        trial("webhook::offline_is_as_admitted", |stage| {
            Box::pin(inject::offline_is_as_admitted(stage))
        }),
        trial("webhook::offline_is_as_admitted_under_limits", |stage| {
            Box::pin(inject::offline_is_as_admitted_under_limits(stage))
        }),
        trial("webhook::authors_are_told_what_pods_will_get", |stage| {
            Box::pin(templates::authors_are_told_what_pods_will_get(stage))
        }),
        trial(
            "webhook::limits::no_pod_is_refused_because_of_its_sidecars",
            |stage| Box::pin(limits::no_pod_is_refused_because_of_its_sidecars(stage)),
        ),
        trial(
            "webhook::limits::quantities_are_read_as_the_api_server_reads_them",
            |stage| Box::pin(limits::quantities_are_read_as_the_api_server_reads_them(stage)),
        ),
        trial("webhook::a_webhook_that_is_down_stops_no_pod", |stage| {
            Box::pin(a_webhook_that_is_down_stops_no_pod(stage))
        }),
    ]
}

type Test<'s> = std::pin::Pin<Box<dyn Future<Output = anyhow::Result<()>> + 's>>;

const RESTRICTED: (&str, &str) = ("pod-security.kubernetes.io/enforce", "restricted");

async fn corpus_under_restricted(stage: &Stage) -> anyhow::Result<()> {
    stage
        .control_plane
        .create_namespace("restricted", &[RESTRICTED])
        .await?;
    let admitted = check_corpus(stage, |pod| corpus::restricted(pod, "restricted"), "restricted").await?;
    ensure!(
        admitted >= 30,
        "only {admitted} pods of the corpus could be tried"
    );
    Ok(())
}

async fn corpus_without_pod_security(stage: &Stage) -> anyhow::Result<()> {
    stage.control_plane.create_namespace("free", &[]).await?;
    let in_namespace = |mut pod: Value| {
        pod["metadata"]["namespace"] = "free".into();
        pod
    };
    let admitted = check_corpus(stage, in_namespace, "free").await?;
    ensure!(
        admitted >= 35,
        "only {admitted} pods of the corpus could be tried"
    );
    Ok(())
}

/// Tries every pod that the API server takes without our annotations. Returns how many those are.
async fn check_corpus(
    stage: &Stage,
    prepare: impl Fn(Value) -> Value,
    namespace: &str,
) -> anyhow::Result<usize> {
    let policies = corpus::policies()?.into_iter();
    let stored = policies.map(|policy| (policy.metadata.name.clone().unwrap_or_default(), Ok(policy)));
    let index = PolicyIndex::compile(&stored.collect::<BTreeMap<_, _>>());
    let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), namespace.to_owned())]);
    let config = Config {
        streamer_image: IMAGE.to_owned(),
    };
    let namespace = Namespace {
        name: namespace,
        labels: &labels,
        limits: &NO_LIMITS,
    };

    stage
        .until_called(&prepare(corpus::pods()?["sub-path"].clone()))
        .await?;
    let mut tried = 0;
    for (name, pod) in corpus::pods()? {
        let pod = prepare(pod);
        let plain = stage.create(&corpus::unannotated(pod.clone()), false).await?;
        if plain.admitted {
            tried += 1;
            let expected = inject(&pod.to_string(), namespace, &index, &config)?;
            let admission = check_pod(stage, &pod, &expected).await.context(name.clone())?;
            let (before, after) = (plain.quality_of_service(), admission.quality_of_service());
            ensure!(
                before.is_some() && before == after,
                "{name} was {before:?} and is {after:?}"
            );
        }
    }
    Ok(tried)
}

/// The API server takes the pod with our annotations too, and what comes out is what the webhook's library says; taken
/// again, it does not change.
async fn check_pod(stage: &Stage, pod: &Value, expected: &Decision) -> anyhow::Result<Admission> {
    let admission = stage.create(pod, false).await?;
    ensure!(
        admission.admitted,
        "not admitted with our annotations: {}",
        admission.pod["message"]
    );

    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let (warned, expected_warnings) = (set(&admission.warnings), set(&expected.warnings));
    ensure!(
        warned == expected_warnings,
        "warned {warned:#?}, expected {expected_warnings:#?}"
    );

    let expected: BTreeSet<&str> = expected
        .result
        .files
        .iter()
        .filter_map(|file| file.sidecar.as_deref())
        .collect();
    let found: BTreeSet<&str> = admission.sidecars().into_iter().collect();
    ensure!(found == expected, "sidecars {found:?}, expected {expected:?}");

    let again = stage.create(&created_anew(&admission.pod), false).await?;
    ensure!(again.admitted, "not admitted again: {}", again.pod["message"]);
    ensure!(
        again.pod["spec"] == admission.pod["spec"],
        "changes when it is admitted again"
    );
    Ok(admission)
}

/// A pod as it came out of admission, to be created once more.
fn created_anew(pod: &Value) -> Value {
    let metadata = &pod["metadata"];
    let kept = json!({
        "name": "again", "namespace": metadata["namespace"], "labels": metadata["labels"],
        "annotations": metadata["annotations"]
    });
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": pod["spec"]})
}

/// The sidecar has requests and limits, so a quota takes it.
async fn a_quota_is_met(stage: &Stage) -> anyhow::Result<()> {
    let name = "quota";
    stage.control_plane.create_namespace(name, &[RESTRICTED]).await?;
    let hard = json!({"requests.cpu": "1", "requests.memory": "1Gi", "limits.cpu": "2", "limits.memory": "2Gi", "pods": "9"});
    let quota: ResourceQuota =
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": {"hard": hard}}))?;
    let quotas: Api<ResourceQuota> = Api::namespaced(stage.client(), name);
    quotas.create(&PostParams::default(), &quota).await?;
    // What a controller does in a whole cluster.
    let used = json!({"requests.cpu": "0", "requests.memory": "0", "limits.cpu": "0", "limits.memory": "0", "pods": "0"});
    let status = json!({"status": {"hard": hard, "used": used}});
    quotas
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await?;

    let pod = corpus::restricted(corpus::pods()?["restricted-deployment"].clone(), name);
    stage.until_called(&pod).await?;
    let admission = stage.create(&pod, true).await?;
    ensure!(admission.admitted, "{}", admission.pod["message"]);
    ensure!(
        admission.sidecars() == ["stream-access-log"],
        "{:?}",
        admission.sidecars()
    );
    let used = quotas
        .get_status(name)
        .await?
        .status
        .and_then(|status| status.used)
        .context("the quota is counted")?;
    ensure!(
        used["limits.memory"].0 == "96Mi" && used["requests.cpu"].0 == "15m",
        "{used:?}"
    );
    Ok(())
}

/// Pods without the annotation, and pods in our own namespaces, never leave the API server: whoever is registered as the
/// webhook is not even connected to.
async fn only_pods_that_ask_are_reviewed(stage: &Stage) -> anyhow::Result<()> {
    let name = "counting";
    stage
        .control_plane
        .create_namespace(name, &[("webhook", name)])
        .await?;
    let namespaces: Api<CoreNamespace> = Api::all(stage.client());
    let label = json!({"metadata": {"labels": {"webhook": name}}});
    namespaces
        .patch(SYSTEM_NAMESPACE, &PatchParams::default(), &Patch::Merge(label))
        .await?;
    let account: ServiceAccount = serde_json::from_value(json!({"metadata": {"name": "default"}}))?;
    Api::namespaced(stage.client(), SYSTEM_NAMESPACE)
        .create(&PostParams::default(), &account)
        .await?;

    let connections = count_connections(stage, name).await?;
    let mut asks = corpus::pods()?["sub-path"].clone();
    asks["metadata"]["namespace"] = name.into();
    eventually("the API server to notice the registration", async || {
        ensure!(stage.create(&asks, false).await?.admitted);
        Ok((connections.load(Ordering::SeqCst) > 0).then_some(()))
    })
    .await?;

    let before = connections.load(Ordering::SeqCst);
    for number in 0..20 {
        let mut plain = corpus::unannotated(asks.clone());
        plain["metadata"]["name"] = format!("plain-{number}").into();
        ensure!(stage.create(&plain, true).await?.admitted);
    }
    let ours = corpus::restricted(asks.clone(), SYSTEM_NAMESPACE);
    ensure!(stage.create(&ours, false).await?.admitted);
    let after = connections.load(Ordering::SeqCst);
    ensure!(
        after == before,
        "{} connections for pods that do not ask",
        after - before
    );
    ensure!(stage.create(&asks, false).await?.admitted);
    ensure!(
        connections.load(Ordering::SeqCst) > after,
        "and one that asks is sent"
    );
    Ok(())
}

/// Registers a listener as the webhook of the namespaces labelled with `name`. It closes each connection and counts it.
async fn count_connections(stage: &Stage, name: &str) -> anyhow::Result<Arc<AtomicUsize>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    stage
        .register(name, &format!("https://{}/mutate", listener.local_addr()?))
        .await?;
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    Ok(connections)
}

/// Logging never stops a workload.
async fn a_webhook_that_is_down_stops_no_pod(stage: &Stage) -> anyhow::Result<()> {
    stage
        .control_plane
        .create_namespace("down", &[("webhook", "nobody")])
        .await?;
    // Nothing listens on this port: it was given back a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    stage
        .register("nobody", &format!("https://127.0.0.1:{port}/mutate"))
        .await?;
    let mut pod = corpus::pods()?["sub-path"].clone();
    pod["metadata"]["namespace"] = "down".into();
    for _ in 0..10 {
        ensure!(stage.create(&pod, false).await?.admitted);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    Ok(())
}
