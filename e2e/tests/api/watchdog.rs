//! What the operator says of annotated pods, under its shipped `ServiceAccount`.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::Request;
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Resource as _, ResourceExt as _};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tributary_cluster::ControlPlane;
use tributary_crds::annotation::{RESULT, SHIP, STREAM};
use tributary_crds::names::{SYSTEM_NAMESPACE, label};
use tributary_crds::status::InjectionStatus;
use tributary_operator::metrics::Metrics;
use tributary_operator::pods::Watchdog;

use crate::belongings::{Belongings, find};
use crate::fixture::{Fixture, eventually};
use crate::install;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial(
            "watchdog::says_what_pods_got_and_tells_the_owners_of_those_that_got_nothing",
            says_what_pods_got,
        ),
        fixture.trial(
            "watchdog::counts_outdated_agents_until_they_are_renewed",
            counts_outdated_agents,
        ),
        fixture.trial(
            "watchdog::looks_at_a_thousand_pods_in_one_list",
            looks_at_a_thousand_pods,
        ),
    ]
}

/// A namespace, its policy and its pods.
struct Shop {
    policy: Belongings,
    namespace: String,
    pods: Api<Pod>,
    events: Api<Event>,
    client: Client,
}

impl Shop {
    async fn open(fixture: &Fixture, name: &str) -> anyhow::Result<Self> {
        fixture.control_plane().create_namespace(name, &[]).await?;
        let client = fixture.admin();
        Ok(Self {
            policy: Belongings::of(fixture, name),
            namespace: name.to_owned(),
            pods: Api::namespaced(client.clone(), name),
            events: Api::namespaced(client.clone(), name),
            client,
        })
    }

    /// The policy serves the pods of this namespace.
    async fn apply(&self, mut spec: Value) -> anyhow::Result<()> {
        let ours = json!({"matchLabels": {"kubernetes.io/metadata.name": self.namespace}});
        spec["selector"] = json!({"namespaceSelector": ours});
        self.policy.apply(spec).await?;
        Ok(())
    }

    /// A Deployment and its `ReplicaSet`, as its controller would make it. Returns the reference for a pod of it.
    async fn deployment(&self, name: &str, hash: &str) -> anyhow::Result<Value> {
        let labels = json!({"app": name});
        let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "example.com/c"}]}});
        let spec = json!({"selector": {"matchLabels": labels}, "template": template});
        let deployment: Deployment =
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = deployments.create(&PostParams::default(), &deployment).await?;
        let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": made.uid(), "controller": true});
        let replica_set: ReplicaSet = serde_json::from_value(json!({
            "metadata": {"name": format!("{name}-{hash}"), "ownerReferences": [owner]}, "spec": spec
        }))?;
        let replica_sets: Api<ReplicaSet> = Api::namespaced(self.client.clone(), &self.namespace);
        let made = replica_sets.create(&PostParams::default(), &replica_set).await?;
        Ok(
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": made.name_any(), "uid": made.uid(), "controller": true}),
        )
    }

    async fn pod(&self, name: &str, owner: &Value, labels: Value, annotations: Value) -> anyhow::Result<()> {
        let owners: Vec<&Value> = Some(owner).filter(|owner| !owner.is_null()).into_iter().collect();
        let pod = json!({
            "metadata": {"name": name, "labels": labels, "annotations": annotations, "ownerReferences": owners},
            "spec": {"containers": [{"name": "c", "image": "example.com/c"}]}
        });
        self.pods
            .create(&PostParams::default(), &serde_json::from_value(pod)?)
            .await?;
        Ok(())
    }

    /// Waits until the status says this.
    async fn injection(&self, expected: Value) -> anyhow::Result<()> {
        let expected: InjectionStatus = serde_json::from_value(expected)?;
        let status = |policy: &tributary_crds::LoggingPolicy| policy.status.clone()?.injection;
        self.policy
            .until(|policy| status(policy).as_ref() == Some(&expected))
            .await
            .with_context(|| format!("waiting for {expected:?}"))?;
        Ok(())
    }

    /// Waits until the condition has this reason; its message.
    async fn served(&self, reason: &str) -> anyhow::Result<String> {
        let policy = self
            .policy
            .until(|policy| find(policy, "PodsServed").is_some_and(|found| found.1 == reason))
            .await?;
        Ok(find(&policy, "PodsServed").context("no condition")?.2)
    }

    /// The Events about pods of this namespace, when there are as many: `REASON KIND/NAME`, and the notes.
    async fn events(&self, count: usize) -> anyhow::Result<Vec<(String, String)>> {
        let mut found = eventually("the Events", async || {
            let events = self.events.list(&ListParams::default()).await?.items;
            Ok((events.len() >= count).then_some(events))
        })
        .await?
        .into_iter()
        .map(|event| {
            let regarding = event.regarding.unwrap_or_default();
            let (kind, name) = (
                regarding.kind.unwrap_or_default(),
                regarding.name.unwrap_or_default(),
            );
            let reason = event.reason.unwrap_or_default();
            (
                format!("{reason} {kind}/{name} {}", regarding.uid.is_some()),
                event.note.unwrap_or_default(),
            )
        })
        .collect::<Vec<_>>();
        found.sort();
        Ok(found)
    }
}

async fn says_what_pods_got(fixture: Fixture) -> anyhow::Result<()> {
    let shop = Shop::open(&fixture, "watched").await?;
    let web = shop.deployment("web", "abc").await?;
    let asks = json!({STREAM: "/var/log/x.log"});
    let explained = json!({STREAM: "/x", RESULT: json!({
        "files": [{"file": "/x", "container": "c", "reason": "NoVolume", "message": "no volume covers /x; mount one"}]
    }).to_string()});
    let label = json!({label::STREAMING: "watched"});
    shop.pod("served", &Value::Null, label, asks.clone()).await?;
    shop.pod(
        "web-abc-1",
        &web,
        json!({"pod-template-hash": "abc"}),
        asks.clone(),
    )
    .await?;
    shop.pod(
        "web-abc-2",
        &web,
        json!({"pod-template-hash": "abc"}),
        asks.clone(),
    )
    .await?;
    shop.pod("web-abc-3", &web, json!({"pod-template-hash": "abc"}), explained)
        .await?;
    shop.pod("silent", &Value::Null, json!({}), json!({})).await?;
    shop.pod("done", &Value::Null, json!({}), asks.clone()).await?;
    let done = json!({"status": {"phase": "Succeeded"}});
    shop.pods
        .patch_status("done", &PatchParams::default(), &Patch::Merge(done))
        .await?;
    shop.apply(json!({"streamingSidecar": {}})).await?;

    let skipped = json!([
        {"reason": "NotSeen", "count": 2, "pods": ["watched/web-abc-1", "watched/web-abc-2"]},
        {"reason": "NoVolume", "count": 1, "pods": ["watched/web-abc-3"]},
    ]);
    shop.injection(json!({"pods": "1/4", "streaming": 1, "skipped": skipped}))
        .await?;
    let message = shop.served("SomeNotServed").await?;
    ensure!(
        message.contains("`kubectl -n watched rollout restart deployment/web`"),
        "{message}"
    );
    ensure!(message.contains("NoVolume: 1 pod of deployment/web"), "{message}");
    // It does not hold the policy.
    shop.policy.condition("Ready", "PolicyReady").await?;

    // One Event for each reason, about the Deployment, with the uid by which `kubectl describe` finds it.
    let events = shop.events(2).await?;
    let about: Vec<&str> = events.iter().map(|(about, _)| about.as_str()).collect();
    ensure!(
        about == ["NoVolume Deployment/web true", "NotSeen Deployment/web true"],
        "{events:?}"
    );
    ensure!(
        events[0].1.contains("no volume covers /x; mount one"),
        "{}",
        events[0].1
    );
    ensure!(
        events[1].1.ends_with("See docs/reference/reasons.md#notseen"),
        "{}",
        events[1].1
    );

    // Renewed: nothing is left to say, and the Events stay those two.
    for name in ["web-abc-1", "web-abc-2", "web-abc-3"] {
        shop.pods
            .delete(name, &DeleteParams::default().grace_period(0))
            .await?;
    }
    shop.injection(json!({"pods": "1/1", "streaming": 1})).await?;
    ensure!(shop.served("AllServed").await? == "1 pod has what it asks for");
    ensure!(shop.events(2).await?.len() == 2);
    // No block any more: nothing is said of pods.
    shop.apply(json!({"nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]}))
        .await?;
    shop.policy
        .until(|policy| {
            let gone = policy
                .status
                .as_ref()
                .is_some_and(|status| status.injection.is_none());
            gone && find(policy, "PodsServed").is_none()
        })
        .await?;
    Ok(())
}

async fn counts_outdated_agents(fixture: Fixture) -> anyhow::Result<()> {
    let shop = Shop::open(&fixture, "aging").await?;
    let spec = |url: &str| json!({"agentSidecar": {}, "outputs": [{"name": "out", "loki": {"url": url}}]});
    shop.apply(spec("http://loki:3100")).await?;
    let policy = shop.policy.policies.get("aging").await?;
    let now = tributary_agents::compile_sidecar("aging", &policy.spec)?
        .revision()
        .to_owned();
    let labels = json!({label::AGENT: "aging", label::AGENT_REVISION: now});
    shop.pod("a", &Value::Null, labels, json!({SHIP: "/x"})).await?;
    shop.injection(json!({"pods": "1/1", "agent": 1})).await?;
    shop.served("AllServed").await?;

    shop.apply(spec("http://other:3100")).await?;
    shop.injection(json!({"pods": "1/1", "agent": 1, "outdated": 1}))
        .await?;
    let message = shop.served("Outdated").await?;
    ensure!(
        message.contains("create pod/a of namespace aging again"),
        "{message}"
    );
    let events = shop.events(1).await?;
    ensure!(events[0].0 == "Outdated Pod/a true", "{events:?}");

    shop.apply(spec("http://loki:3100")).await?;
    shop.served("AllServed").await?;
    Ok(())
}

/// Prints what a look costs: the figures of docs/runbook.md.
async fn looks_at_a_thousand_pods(_: Fixture) -> anyhow::Result<()> {
    const PODS: usize = 1000;
    const MAKERS: usize = 20;
    let control_plane = ControlPlane::start().await?;
    let admin = control_plane.client();
    install::apply(&admin).await?;
    control_plane.create_namespace("many", &[]).await?;
    let mut makers = JoinSet::new();
    for maker in 0..MAKERS {
        let pods: Api<Pod> = Api::namespaced(admin.clone(), "many");
        makers.spawn(async move {
            for number in (maker..PODS).step_by(MAKERS) {
                make_typical_pod(&pods, number).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(made) = makers.join_next().await {
        made??;
    }
    let account = control_plane
        .client_as_service_account(SYSTEM_NAMESPACE, "tributary-operator")
        .await?;
    let reporter = Reporter {
        controller: "test".to_owned(),
        instance: None,
    };
    let recorder = Recorder::new(account.clone(), reporter);
    let mut watchdog = Watchdog::new(
        account,
        recorder,
        Metrics::default(),
        k8s_openapi::jiff::Timestamp::now,
    );
    watchdog.look(&[]).await?;
    let started = Instant::now();
    let seen = watchdog.look(&[]).await?;
    let took = started.elapsed();
    ensure!(seen == PODS, "{seen} pods");

    let request = Request::new(Pod::url_path(&(), None)).list_metadata(&ListParams::default().match_any())?;
    let bytes = admin.request_text(request).await?.len();
    println!(
        "one look at {PODS} pods: {} ms, {} bytes a pod",
        took.as_millis(),
        bytes / PODS
    );
    Ok(())
}

/// With labels, annotations and field managers as running pods of Deployments have them.
async fn make_typical_pod(pods: &Api<Pod>, number: usize) -> anyhow::Result<()> {
    let labels = json!({"app.kubernetes.io/name": "web", "app.kubernetes.io/instance": "web-1", "pod-template-hash": "5d4f8c7b9"});
    let owner = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d4f8c7b9",
        "uid": "0b0c7b8e-0000-4000-8000-000000000000", "controller": true});
    let container = json!({"name": "c", "image": "example.com/c", "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "b"}], "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}}});
    let name = format!("web-5d4f8c7b9-{number:05}");
    let pod = json!({
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner],
            "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "80"}},
        "spec": {"containers": [container]}
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?)
        .await?;
    let condition =
        |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let kinds = [
        "PodReadyToStartContainers",
        "Initialized",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ];
    let status = json!({"phase": "Running", "hostIP": "10.0.0.1", "podIP": "10.0.0.2", "startTime": "2026-01-01T00:00:00Z",
        "hostIPs": [{"ip": "10.0.0.1"}], "podIPs": [{"ip": "10.0.0.2"}], "conditions": kinds.map(condition)});
    let kubelet = PatchParams {
        field_manager: Some("kubelet".to_owned()),
        ..PatchParams::default()
    };
    pods.patch_status(&name, &kubelet, &Patch::Strategic(json!({"status": status})))
        .await?;
    Ok(())
}
