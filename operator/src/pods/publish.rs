//! Writes what was found into the policies' statuses.
//!
//! By a field manager of its own: what the reconciliation says of a policy and what is said here of its pods have different
//! sources and different times, and neither must wait for the other, or take back what it says.

use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use tributary_crds::LoggingPolicy;
use tributary_crds::status::{LoggingPolicyStatus, condition_type};

use super::census::Tally;
use super::pattern::Pattern;
use super::summary;
use crate::condition::find;
use crate::error::Error;

/// The manager of the fields about pods.
pub const FIELD_MANAGER: &str = "tributary-pods";

/// What the status is to say of pods, and no more than that: nothing, for a policy that gives pods nothing.
pub fn part(policy: &LoggingPolicy, tally: Option<&Tally>, now: Timestamp) -> LoggingPolicyStatus {
    let gives = Pattern::ALL.iter().any(|pattern| pattern.is_on(&policy.spec));
    let Some(tally) = tally.filter(|_| gives) else {
        return LoggingPolicyStatus::default();
    };
    let before = policy.status.clone().unwrap_or_default();
    let served = summary::served(tally).map(|finding| {
        finding.condition(
            condition_type::PODS_SERVED,
            policy.metadata.generation,
            &before,
            now,
        )
    });
    LoggingPolicyStatus {
        conditions: served.into_iter().collect(),
        injection: Some(summary::injection(tally)),
        ..LoggingPolicyStatus::default()
    }
}

/// Whether the policy's status says it already.
pub fn says(policy: &LoggingPolicy, part: &LoggingPolicyStatus) -> bool {
    let before = policy.status.clone().unwrap_or_default();
    before.injection == part.injection
        && find(&before, condition_type::PODS_SERVED) == find(part, condition_type::PODS_SERVED)
}

/// Writes the part. One of a policy that is gone meanwhile is no trouble.
pub async fn write(client: &Client, policy: &LoggingPolicy, part: &LoggingPolicyStatus) -> Result<(), Error> {
    let name = policy.name_any();
    let resource = ApiResource::erase::<LoggingPolicy>(&());
    let patch = json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        // The uid: never the status of one policy on another of the same name.
        "metadata": {"name": name, "uid": policy.uid()},
        "status": Value::from_iter(fields(part)),
    });
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let parameters = PatchParams::apply(FIELD_MANAGER).force();
    match api.patch_status(&name, &parameters, &Patch::Apply(&patch)).await {
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        result => result
            .map(drop)
            .map_err(Error::write(format!("the status of LoggingPolicy {name}"))),
    }
}

/// The fields that are set: a field that is not written is given up.
fn fields(part: &LoggingPolicyStatus) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    if !part.conditions.is_empty() {
        fields.push(("conditions".to_owned(), json!(part.conditions)));
    }
    if let Some(injection) = &part.injection {
        fields.push(("injection".to_owned(), json!(injection)));
    }
    fields
}
