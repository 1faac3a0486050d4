//! The operator, run in this process under its shipped `ServiceAccount`.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, MutatingWebhookConfiguration, ValidatingWebhook, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::json;
use tributary_crds::LoggingPolicy;
use tributary_crds::engine::Engine;
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE, node_agent};

use crate::belongings::{Belongings, find, nodes, secret_versions};
use crate::fixture::{Fixture, eventually};
use crate::install;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial(
            "operator::makes_the_node_agent_and_says_how_far_it_is",
            makes_the_node_agent,
        ),
        fixture.trial(
            "operator::keeps_the_last_good_agent_while_a_secret_is_missing",
            keeps_the_last_good_agent,
        ),
        fixture.trial(
            "operator::switches_between_all_engines",
            switches_between_all_engines,
        ),
        fixture.trial(
            "operator::removes_what_is_no_longer_asked_for",
            removes_what_is_no_longer_asked_for,
        ),
        fixture.trial(
            "operator::repairs_what_somebody_changed",
            repairs_what_somebody_changed,
        ),
        fixture.trial(
            "operator::says_which_policies_overlap",
            says_which_policies_overlap,
        ),
        fixture.trial(
            "operator::publishes_the_webhooks_certificate",
            publishes_the_webhooks_certificate,
        ),
        fixture.trial(
            "operator::agents_are_restricted_but_for_the_nodes_files",
            agents_are_restricted,
        ),
    ]
}

async fn makes_the_node_agent(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "made");
    let policy = cluster
        .apply(json!({"nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]}))
        .await?;
    let daemon_set = eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    let owner = &daemon_set.owner_references()[0];
    ensure!(Some(&owner.uid) == policy.metadata.uid.as_ref() && owner.kind == "LoggingPolicy");
    let config_maps = cluster.config_maps().await?;
    ensure!(config_maps.len() == 1 && config_maps[0].immutable == Some(true));
    ensure!(config_maps[0].owner_references()[0].uid == owner.uid);

    let waiting = cluster.condition("Ready", "RolloutInProgress").await?;
    ensure!(find(&waiting, "Reconciling").is_some() && find(&waiting, "Stalled").is_none());

    // What the DaemonSet controller would say.
    cluster.pretend_rollout(2, 1).await?;
    let half = cluster
        .until(|policy| nodes(policy).as_deref() == Some("1/2"))
        .await?;
    ensure!(find(&half, "Ready").is_some_and(|ready| ready.0 == "False"));
    cluster.pretend_rollout(2, 2).await?;
    let done = cluster.condition("Ready", "PolicyReady").await?;
    ensure!(
        find(&done, "Reconciling").is_none() && find(&done, "NodeAgentReady").is_some_and(|c| c.0 == "True")
    );
    ensure!(done.status.as_ref().and_then(|status| status.observed_generation) == done.metadata.generation);
    cluster.event("PolicyReady").await?;

    // A new configuration: the old ConfigMap stays until every node has the new one.
    cluster
        .apply(json!({"nodeAgent": {}, "outputs": [{"name": "other", "stdout": {}}]}))
        .await?;
    eventually("both ConfigMaps", async || {
        Ok((cluster.config_maps().await?.len() == 2).then_some(()))
    })
    .await?;
    cluster.condition("Ready", "RolloutInProgress").await?;
    cluster.pretend_rollout(2, 2).await?;
    eventually("the old ConfigMap's end", async || {
        Ok((cluster.config_maps().await?.len() == 1).then_some(()))
    })
    .await?;

    // Nothing changes any more: nothing is written any more.
    cluster.condition("Ready", "PolicyReady").await?;
    let before = cluster.versions().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    cluster.nudge().await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = cluster.versions().await?;
    ensure!(
        before == after,
        "a reconciliation of what was so already wrote: {before:?} {after:?}"
    );
    Ok(())
}

async fn keeps_the_last_good_agent(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "secretive");
    cluster
        .apply(json!({"nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]}))
        .await?;
    let good = eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    let with_secret = json!({"nodeAgent": {}, "outputs": [{"name": "out", "loki": {"url": "http://loki:3100"},
        "auth": {"bearer": {"tokenSecretRef": {"name": "secretive", "key": "token"}}}}]});
    cluster.apply(with_secret).await?;
    let refused = cluster.condition("ConfigAccepted", "SecretMissing").await?;
    ensure!(
        find(&refused, "Stalled").is_some_and(|c| c.0 == "True")
            && find(&refused, "Ready").is_some_and(|c| c.0 == "False")
    );
    let kept = cluster
        .daemon_set()
        .await?
        .context("the last good agent is gone")?;
    ensure!(
        kept.resource_version() == good.resource_version(),
        "the last good agent was touched"
    );

    cluster.write_secret("other", "x").await?;
    cluster.condition("ConfigAccepted", "SecretKeyMissing").await?;
    cluster.write_secret("token", "x").await?;
    let accepted = cluster.condition("ConfigAccepted", "Accepted").await?;
    ensure!(find(&accepted, "Stalled").is_none());
    let first = eventually("the new agent", async || {
        Ok(cluster
            .daemon_set()
            .await?
            .and_then(|daemon_set| secret_versions(&daemon_set)))
    })
    .await?;
    // The Secret's content changes: agents must start again to read it.
    cluster.write_secret("token", "y").await?;
    eventually("the rollout of the changed Secret", async || {
        let now = cluster
            .daemon_set()
            .await?
            .and_then(|daemon_set| secret_versions(&daemon_set));
        Ok(now.filter(|now| *now != first).map(drop))
    })
    .await
}

/// One word of the policy is another, and the same `DaemonSet` runs another program.
async fn switches_between_all_engines(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "switching");
    let mut spec = json!({
        "nodeAgent": {},
        "processors": [
            {"redact": {"presets": ["Email"]}},
            {"parse": {"format": "Json"}},
            {"drop": {}, "where": [{"field": "level", "in": ["debug"]}]},
        ],
        "outputs": [
            {"name": "search", "elasticsearch": {"url": "https://search.logging:9200"}},
            {"name": "lines", "http": {"url": "https://lines.logging/logs"}},
        ],
    });
    let mut uids = BTreeSet::new();
    let mut images = BTreeSet::new();
    for engine in Engine::ALL {
        spec["nodeAgent"]["engine"] = json!(engine.as_str());
        cluster.apply(spec.clone()).await?;
        let found = eventually(engine.as_str(), async || {
            let daemon_set = cluster.daemon_set().await?;
            let is_switched = |d: &DaemonSet| {
                d.annotations()
                    .get("tributary.dev/engine")
                    .is_some_and(|e| e == engine.as_str())
            };
            Ok(daemon_set.filter(is_switched))
        })
        .await?;
        uids.insert(found.metadata.uid.clone());
        let pod = found.spec.and_then(|spec| spec.template.spec);
        images.extend(pod.and_then(|pod| pod.containers.into_iter().next()?.image));
    }
    ensure!(uids.len() == 1, "the DaemonSet was made anew");
    ensure!(
        images.len() == Engine::ALL.len(),
        "not every engine has its image: {images:?}"
    );
    Ok(())
}

async fn removes_what_is_no_longer_asked_for(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "shrinking");
    let both = json!({"nodeAgent": {}, "streamingSidecar": {}, "outputs": [{"name": "out", "stdout": {}}]});
    cluster.apply(both).await?;
    let first = eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    let pulls = first
        .spec
        .and_then(|spec| spec.template.spec?.init_containers)
        .unwrap_or_default();
    ensure!(pulls.len() == 1, "the streamer's image is not pulled in advance");
    // No agent.
    cluster.apply(json!({"streamingSidecar": {}})).await?;
    eventually("the DaemonSet's end", async || {
        Ok(cluster.daemon_set().await?.is_none().then_some(()))
    })
    .await?;
    eventually("the ConfigMaps' end", async || {
        Ok(cluster.config_maps().await?.is_empty().then_some(()))
    })
    .await?;
    let ready = cluster.condition("Ready", "PolicyReady").await?;
    ensure!(find(&ready, "NodeAgentReady").is_some_and(|c| c.1 == "NotRequested"));
    // Gone: nothing is made again.
    cluster
        .apply(json!({"nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]}))
        .await?;
    eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    cluster
        .policies
        .delete(&cluster.name, &DeleteParams::foreground())
        .await?;
    cluster
        .daemon_sets
        .delete(&node_agent(&cluster.name), &DeleteParams::background())
        .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    ensure!(
        cluster.daemon_set().await?.is_none(),
        "an agent was made for a policy that is being deleted"
    );
    Ok(())
}

/// Pod Security names everything in which an agent's pod exceeds the profile `restricted`.
async fn agents_are_restricted(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "profiled");
    let spec = json!({"nodeAgent": {}, "streamingSidecar": {}, "outputs": [{"name": "out", "stdout": {}}]});
    cluster.apply(spec).await?;
    let daemon_set = eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some("agent".to_owned()),
            ..ObjectMeta::default()
        },
        spec: daemon_set.spec.and_then(|spec| spec.template.spec),
        status: None,
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let agents: Api<Pod> = Api::namespaced(fixture.admin(), AGENTS_NAMESPACE);
    agents.create(&dry_run, &pod).await.context("where agents run")?;

    let enforced = [("pod-security.kubernetes.io/enforce", "restricted")];
    fixture
        .control_plane()
        .create_namespace("profiled", &enforced)
        .await?;
    let spec = pod.spec.as_mut().context("no spec")?;
    (spec.service_account_name, spec.service_account) = (None, None);
    let restricted: Api<Pod> = Api::namespaced(fixture.admin(), "profiled");
    let Err(kube::Error::Api(refusal)) = restricted.create(&dry_run, &pod).await else {
        anyhow::bail!("an agent was admitted as restricted");
    };
    let said = refusal.message;
    ensure!(
        said.contains("violates PodSecurity"),
        "refused for another reason: {said}"
    );
    for exceeded in [
        r#"restricted volume type "hostPath""#,
        "runAsNonRoot != true",
        "runAsUser=0",
    ] {
        ensure!(said.contains(exceeded), "{said}");
    }
    for other in [
        "allowPrivilegeEscalation",
        "capabilities",
        "seccompProfile",
        "host namespaces",
        "hostPort",
        "pull-streamer",
    ] {
        ensure!(!said.contains(other), "{said}");
    }
    Ok(())
}

async fn repairs_what_somebody_changed(fixture: Fixture) -> anyhow::Result<()> {
    let cluster = Belongings::of(&fixture, "repaired");
    cluster
        .apply(json!({"nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]}))
        .await?;
    eventually("the DaemonSet", async || cluster.daemon_set().await).await?;
    let name = node_agent(&cluster.name);
    let grace = |d: &DaemonSet| {
        d.spec
            .as_ref()?
            .template
            .spec
            .as_ref()?
            .termination_grace_period_seconds
    };
    let meddle = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}});
    cluster
        .daemon_sets
        .patch(&name, &PatchParams::default(), &Patch::Merge(meddle))
        .await?;
    eventually("the repair", async || {
        Ok(cluster
            .daemon_set()
            .await?
            .filter(|d| grace(d) == Some(60))
            .map(drop))
    })
    .await?;
    let config_map = cluster.config_maps().await?[0].name_any();
    cluster
        .config_maps_api
        .delete(&config_map, &DeleteParams::default())
        .await?;
    eventually("the ConfigMap's return", async || {
        Ok((cluster.config_maps().await?.len() == 1).then_some(()))
    })
    .await
}

async fn says_which_policies_overlap(fixture: Fixture) -> anyhow::Result<()> {
    let selecting = json!({"selector": {"podSelector": {"matchLabels": {"team": "overlapping"}}},
        "nodeAgent": {}, "outputs": [{"name": "out", "stdout": {}}]});
    let (one, two) = (
        Belongings::of(&fixture, "overlap-one"),
        Belongings::of(&fixture, "overlap-two"),
    );
    one.apply(selecting.clone()).await?;
    two.apply(selecting).await?;
    let named = |policy: &LoggingPolicy, name: &str| {
        find(policy, "Overlapping")
            .is_some_and(|(status, _, message)| status == "True" && message.contains(name))
    };
    one.until(|policy| named(policy, "overlap-two")).await?;
    two.until(|policy| named(policy, "overlap-one")).await?;
    Ok(())
}

async fn publishes_the_webhooks_certificate(fixture: Fixture) -> anyhow::Result<()> {
    let client = fixture.admin();
    let secrets: Api<Secret> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let mutating: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    let validating: Api<ValidatingWebhookConfiguration> = Api::all(client);
    let both = async || {
        let (mutating, validating) = (
            mutating.get("tributary").await?,
            validating.get("tributary").await?,
        );
        anyhow::Ok((
            mutating.webhooks.unwrap_or_default(),
            validating.webhooks.unwrap_or_default(),
        ))
    };
    let bundles = |(pods, templates): &(Vec<MutatingWebhook>, Vec<ValidatingWebhook>)| {
        let pods = pods.iter().map(|entry| &entry.client_config);
        let all = pods.chain(templates.iter().map(|entry| &entry.client_config));
        all.map(|config| config.ca_bundle.clone()).collect::<Vec<_>>()
    };
    let published = eventually("the caBundles", async || {
        let both = both().await?;
        Ok(bundles(&both).iter().all(Option::is_some).then_some(both))
    })
    .await?;
    // An upgrade applies the manifests again, which say nothing of the bundle.
    install::apply(&fixture.admin()).await?;
    let applied = both().await?;
    ensure!(
        applied == published,
        "applying the manifests again changed {published:?} to {applied:?}"
    );
    let leaf = eventually("the leaf", async || {
        Ok(secrets.get_opt("tributary-webhook-tls").await?)
    })
    .await?;
    ensure!(leaf.type_.as_deref() == Some("kubernetes.io/tls"));
    let authority = secrets
        .get("tributary-webhook-ca")
        .await?
        .data
        .unwrap_or_default()["ca.crt"]
        .clone();
    let trusted = bundles(&published);
    ensure!(trusted.len() == 3, "{} entries", trusted.len());
    ensure!(
        trusted.iter().all(|bundle| bundle.as_ref() == Some(&authority)),
        "something else is trusted"
    );
    Ok(())
}
