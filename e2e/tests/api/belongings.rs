//! One policy and what belongs to it.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetStatus};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};
use tributary_crds::LoggingPolicy;
use tributary_crds::names::{AGENTS_NAMESPACE, label, node_agent};

use crate::fixture::{Fixture, eventually};

/// One policy and what belongs to it, as an administrator sees it.
pub struct Belongings {
    pub name: String,
    pub policies: Api<LoggingPolicy>,
    pub daemon_sets: Api<DaemonSet>,
    pub config_maps_api: Api<ConfigMap>,
    secrets: Api<Secret>,
    events: Api<Event>,
}

impl Belongings {
    pub fn of(fixture: &Fixture, name: &str) -> Self {
        let client: Client = fixture.admin();
        Self {
            name: name.to_owned(),
            policies: Api::all(client.clone()),
            daemon_sets: Api::namespaced(client.clone(), AGENTS_NAMESPACE),
            config_maps_api: Api::namespaced(client.clone(), AGENTS_NAMESPACE),
            secrets: Api::namespaced(client.clone(), AGENTS_NAMESPACE),
            events: Api::namespaced(client, "default"),
        }
    }

    /// Applies the policy, with a selector of its own unless it has one: policies of other tests must not overlap it.
    pub async fn apply(&self, mut spec: Value) -> anyhow::Result<LoggingPolicy> {
        if spec.get("selector").is_none() {
            spec["selector"] = json!({"podSelector": {"matchLabels": {"test": self.name}}});
        }
        let policy = json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy", "metadata": {"name": self.name}, "spec": spec});
        Ok(self
            .policies
            .patch(
                &self.name,
                &PatchParams::apply("test").force(),
                &Patch::Apply(policy),
            )
            .await?)
    }

    /// A change that asks nothing new of the operator.
    pub async fn nudge(&self) -> anyhow::Result<()> {
        let label = json!({"metadata": {"annotations": {"example.com/nudge": "yes"}}});
        self.policies
            .patch(&self.name, &PatchParams::default(), &Patch::Merge(label))
            .await?;
        Ok(())
    }

    pub async fn daemon_set(&self) -> anyhow::Result<Option<DaemonSet>> {
        Ok(self.daemon_sets.get_opt(&node_agent(&self.name)).await?)
    }

    pub async fn config_maps(&self) -> anyhow::Result<Vec<ConfigMap>> {
        let ours = ListParams::default().labels(&format!("{}={}", label::POLICY, self.name));
        Ok(self.config_maps_api.list(&ours).await?.items)
    }

    pub async fn pretend_rollout(&self, desired: i32, available: i32) -> anyhow::Result<()> {
        let daemon_set = self.daemon_set().await?.context("no DaemonSet")?;
        let status = DaemonSetStatus {
            observed_generation: daemon_set.metadata.generation,
            desired_number_scheduled: desired,
            current_number_scheduled: desired,
            number_ready: available,
            number_available: Some(available),
            updated_number_scheduled: Some(available),
            ..DaemonSetStatus::default()
        };
        let patch = Patch::Merge(json!({"status": status}));
        self.daemon_sets
            .patch_status(&node_agent(&self.name), &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    pub async fn write_secret(&self, key: &str, value: &str) -> anyhow::Result<()> {
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                ..ObjectMeta::default()
            },
            data: Some(BTreeMap::from([(
                key.to_owned(),
                ByteString(value.as_bytes().to_vec()),
            )])),
            ..Secret::default()
        };
        self.secrets
            .patch(
                &self.name,
                &PatchParams::apply("test").force(),
                &Patch::Apply(secret),
            )
            .await?;
        Ok(())
    }

    /// Waits until the condition has this reason, in a status that is about the newest generation.
    pub async fn condition(&self, kind: &str, reason: &str) -> anyhow::Result<LoggingPolicy> {
        self.until(|policy| {
            let observed = policy
                .status
                .as_ref()
                .and_then(|status| status.observed_generation);
            observed == policy.metadata.generation
                && find(policy, kind).is_some_and(|(_, found, _)| found == reason)
        })
        .await
        .with_context(|| format!("{kind} with reason {reason}"))
    }

    pub async fn until(&self, holds: impl Fn(&LoggingPolicy) -> bool) -> anyhow::Result<LoggingPolicy> {
        let result = eventually("the status", async || {
            Ok(Some(self.policies.get(&self.name).await?).filter(&holds))
        })
        .await;
        match result {
            Ok(policy) => Ok(policy),
            Err(error) => {
                let status = self.policies.get(&self.name).await?.status;
                Err(error.context(format!("the status is {status:#?}")))
            }
        }
    }

    pub async fn event(&self, reason: &str) -> anyhow::Result<()> {
        eventually("the Event", async || {
            let events = self.events.list(&ListParams::default()).await?;
            let about = |event: &Event| {
                event.regarding.as_ref().and_then(|object| object.name.as_deref()) == Some(self.name.as_str())
            };
            Ok(events
                .iter()
                .any(|event| about(event) && event.reason.as_deref() == Some(reason))
                .then_some(()))
        })
        .await
    }

    /// The versions of everything that the operator writes for the policy; the policy's own changes when it is nudged.
    pub async fn versions(&self) -> anyhow::Result<(Vec<Option<String>>, Value)> {
        let daemon_set = self.daemon_set().await?.and_then(|d| d.resource_version());
        let config_maps = self.config_maps().await?;
        let versions = config_maps
            .iter()
            .map(kube::ResourceExt::resource_version)
            .chain([daemon_set])
            .collect();
        let policy = self.policies.get(&self.name).await?;
        // A write of the same content changes the time at which the operator's fields were written.
        let status_writes = policy
            .managed_fields()
            .iter()
            .filter(|entry| entry.subresource.as_deref() == Some("status"));
        Ok((versions, serde_json::to_value(status_writes.collect::<Vec<_>>())?))
    }
}

/// Status, reason and message of a condition.
pub fn find(policy: &LoggingPolicy, kind: &str) -> Option<(String, String, String)> {
    let condition = policy
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)?;
    Some((
        condition.status.clone(),
        condition.reason.clone(),
        condition.message.clone(),
    ))
}

pub fn nodes(policy: &LoggingPolicy) -> Option<String> {
    Some(policy.status.as_ref()?.node_agent.as_ref()?.nodes.clone())
}

pub fn secret_versions(daemon_set: &DaemonSet) -> Option<String> {
    let annotations = daemon_set
        .spec
        .as_ref()?
        .template
        .metadata
        .as_ref()?
        .annotations
        .as_ref()?;
    annotations.get("tributary.dev/secret-versions").cloned()
}
