//! `LimitRange`s and `ResourceQuota`s: the real plugins that enforce them admit a pod with its sidecars wherever they admit it
//! without.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{LimitRange as CoreLimitRange, ResourceQuota};
use kube::api::{Api, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use tributary_crds::quantity::ExactQuantity;
use tributary_crds::selection::Labels;
use tributary_e2e::corpus;
use tributary_webhook::limits::limit_range::LimitRange;
use tributary_webhook::limits::quota::Quota;
use tributary_webhook::limits::{Limit as _, NamespaceLimits};
use tributary_webhook::policies::{Namespace, PolicyIndex};
use tributary_webhook::{Config, Decision, inject};

use super::stage::{Admission, IMAGE, Stage};
use crate::fixture::eventually;

/// Every pod of the corpus in every namespace of the corpus that has limits.
pub async fn no_pod_is_refused_because_of_its_sidecars(stage: &Stage) -> anyhow::Result<()> {
    let namespaces = corpus::namespaces()?;
    let policies = corpus::policies()?.into_iter();
    let stored = policies.map(|policy| (policy.metadata.name.clone().unwrap_or_default(), Ok(policy)));
    let policies = PolicyIndex::compile(&stored.collect::<BTreeMap<_, _>>());
    let mut limits = BTreeMap::new();
    for (name, objects) in &namespaces {
        limits.insert(
            name.as_str(),
            make(stage, name, objects).await.context(name.clone())?,
        );
    }
    let (mut tried, mut with_sidecars, mut left_out) = (0, 0, 0);
    for (name, pod) in corpus::pods()? {
        for (&namespace, limits) in &limits {
            let mut pod = pod.clone();
            pod["metadata"]["namespace"] = namespace.into();
            let plain = stage.create(&corpus::unannotated(pod.clone()), false).await?;
            if !plain.admitted {
                continue;
            }
            tried += 1;
            let decision = decide(&pod, namespace, limits, &policies)?;
            let admission = check(stage, &pod, &plain, &decision)
                .await
                .with_context(|| format!("{name} in {namespace}"))?;
            with_sidecars += usize::from(!admission.sidecars().is_empty());
            left_out += usize::from(
                decision
                    .warnings
                    .iter()
                    .any(|warning| is_for_want_of_room(warning)),
            );
        }
    }
    println!("{tried} pods, {with_sidecars} with sidecars, {left_out} that had no room for all");
    ensure!(tried >= 400 && with_sidecars >= 150 && left_out >= 100);
    Ok(())
}

fn is_for_want_of_room(warning: &str) -> bool {
    ["LimitRangeConflict", "QuotaTight", "PodResourcesTooSmall"]
        .iter()
        .any(|reason| warning.contains(reason))
}

/// Makes a namespace with its limits, counted as a controller would.
async fn make(stage: &Stage, name: &str, objects: &Value) -> anyhow::Result<NamespaceLimits> {
    stage.control_plane.create_namespace(name, &[]).await?;
    let mut limits = NamespaceLimits::default();
    let (ranges, quotas): (Api<CoreLimitRange>, Api<ResourceQuota>) = (
        Api::namespaced(stage.client(), name),
        Api::namespaced(stage.client(), name),
    );
    let objects = |field: &str| objects[field].as_array().cloned().unwrap_or_default();
    for object in objects("limitRanges") {
        let made = ranges
            .create(&PostParams::default(), &serde_json::from_value(object)?)
            .await?;
        limits.set(
            made.metadata.name.as_deref().unwrap_or_default(),
            Some(LimitRange::read(&made)),
        );
    }
    for object in objects("resourceQuotas") {
        let quota: ResourceQuota = serde_json::from_value(object.clone())?;
        let quota_name = quota.metadata.name.clone().unwrap_or_default();
        quotas.create(&PostParams::default(), &quota).await?;
        let status = json!({"status": object["status"]});
        let made = quotas
            .patch_status(&quota_name, &PatchParams::default(), &Patch::Merge(status))
            .await?;
        limits.set(&quota_name, Some(Quota::read(&made)));
    }
    Ok(limits)
}

/// What the webhook's library says about a pod as the API server shows it to webhooks.
fn decide(
    pod: &Value,
    name: &str,
    limits: &NamespaceLimits,
    policies: &PolicyIndex,
) -> anyhow::Result<Decision> {
    let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
    let config = Config {
        streamer_image: IMAGE.to_owned(),
    };
    let namespace = Namespace {
        name,
        labels: &labels,
        limits,
    };
    Ok(inject(&pod.to_string(), namespace, policies, &config)?)
}

/// The pod is admitted with our annotations too, in its class, and gets what the library says, now and when it is admitted again.
async fn check(
    stage: &Stage,
    pod: &Value,
    plain: &Admission,
    decision: &Decision,
) -> anyhow::Result<Admission> {
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    let expected = set(&decision.warnings);
    // The webhook and the API server notice the namespace's limits after a moment.
    let admission = eventually(&format!("the warnings {expected:#?}"), async || {
        let admission = stage.create(pod, false).await?;
        let as_expected = admission.admitted && set(&admission.warnings) == expected;
        Ok(as_expected.then_some(admission))
    })
    .await?;
    let (before, after) = (plain.quality_of_service(), admission.quality_of_service());
    ensure!(
        before.is_some() && before == after,
        "was {before:?} and is {after:?}"
    );

    let again = stage.create(&super::created_anew(&admission.pod), false).await?;
    ensure!(again.admitted, "not admitted again: {}", again.pod["message"]);
    ensure!(
        again.pod["spec"] == admission.pod["spec"],
        "changes when it is admitted again"
    );
    Ok(admission)
}

/// The API server takes quantities for what we take them for.
pub async fn quantities_are_read_as_the_api_server_reads_them(stage: &Stage) -> anyhow::Result<()> {
    let name = "quantities";
    stage.control_plane.create_namespace(name, &[]).await?;
    let quotas: Api<ResourceQuota> = Api::namespaced(stage.client(), name);
    let texts = [
        "1.5Gi",
        "0.5Ki",
        "0.3Ki",
        "1500m",
        "1.0",
        "1e3",
        "12e6",
        ".5",
        "1024Ki",
        "2048Mi",
        "0.1m",
        "1.1n",
        "8Ei",
        "9Ei",
        "1.0000000001Ki",
        "123456789012345678901234567890e-12",
        "0.12345678901234567890Gi",
        "100k",
        "1000k",
        "1000Mi",
    ];
    for text in texts {
        let quota = serde_json::from_value(
            json!({"metadata": {"name": name}, "spec": {"hard": {"requests.memory": text}}}),
        )?;
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let made = quotas.create(&dry_run, &quota).await.context(text)?;
        let hard = made.spec.and_then(|spec| spec.hard).unwrap_or_default();
        let ours = text.parse::<ExactQuantity>()?.rounded_up().to_string();
        ensure!(
            hard["requests.memory"].0 == ours,
            "{text}: {} there, {ours} here",
            hard["requests.memory"].0
        );
    }
    for text in ["1MiB", "1 Gi", "--1", "1.2.3", "1e", "1K", "1mi", "1e3k"] {
        let quota = json!({"metadata": {"name": name}, "spec": {"hard": {"requests.memory": text}}});
        let refused = quotas
            .create(&PostParams::default(), &serde_json::from_value(quota)?)
            .await;
        ensure!(
            refused.is_err() && text.parse::<ExactQuantity>().is_err(),
            "{text}"
        );
    }
    Ok(())
}
