//! Tells the authors of workloads, by Events, what their pods did not get.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::Api;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Client, ResourceExt as _};
use tributary_crds::Reason;

use super::troubles::Trouble;

/// How many bytes a note may have (the API server's limit).
const NOTE: usize = 1024;

/// Writes one Event about what made the pod.
pub async fn announce(client: &Client, recorder: &Recorder, trouble: &Trouble) -> Result<(), kube::Error> {
    let event = Event {
        type_: EventType::Warning,
        reason: trouble.reason.to_string(),
        note: Some(note(trouble)),
        action: "Inject".to_owned(),
        secondary: None,
    };
    let object = regarding(client, trouble).await?;
    recorder.publish(&event, &object).await
}

/// What is so, what to do, and where to read on.
fn note(trouble: &Trouble) -> String {
    let Trouble { reason, pod, .. } = trouble;
    let to_do = match reason {
        Reason::NotSeen | Reason::Outdated => format!("To renew it: {}.", trouble.workload.renewal()),
        reason => reason.remedy().to_owned(),
    };
    let link = format!(
        " See docs/reference/reasons.md#{}",
        reason.as_str().to_ascii_lowercase()
    );
    let text = format!("pod {pod}: {}. {to_do}", trouble.message);
    let room = NOTE - link.len();
    let end = (0..=room.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at));
    format!("{}{link}", &text[..end.unwrap_or_default()])
}

/// The object that `kubectl describe` of the workload shows Events of: what made the pod; a `ReplicaSet`'s `Deployment`.
async fn regarding(client: &Client, trouble: &Trouble) -> Result<ObjectReference, kube::Error> {
    let reference = |api_version: &str, kind: &str, name: &str, uid: &str| ObjectReference {
        api_version: Some(api_version.to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some(trouble.namespace.clone()),
        uid: Some(uid.to_owned()),
        ..ObjectReference::default()
    };
    let pod = reference("v1", "Pod", &trouble.pod, &trouble.uid);
    let Some(owner) = &trouble.owner else {
        return Ok(pod);
    };
    let claimed = reference(&owner.api_version, &owner.kind, &owner.name, &owner.uid);
    if owner.kind != "ReplicaSet" || owner.api_version != "apps/v1" {
        return Ok(claimed);
    }
    let replica_sets: Api<ReplicaSet> = Api::namespaced(client.clone(), &trouble.namespace);
    let Some(replica_set) = replica_sets.get_metadata_opt(&owner.name).await? else {
        return Ok(pod);
    };
    if replica_set.uid().as_ref() != Some(&owner.uid) {
        return Ok(pod);
    }
    let mut owners = replica_set.metadata.owner_references.iter().flatten();
    let deployment = owners.find(|owner| owner.controller == Some(true) && owner.kind == "Deployment");
    Ok(deployment.map_or(claimed, |owner| {
        reference(&owner.api_version, &owner.kind, &owner.name, &owner.uid)
    }))
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::super::metadata::Metadata;
    use super::super::troubles::Troubles;
    use super::*;

    fn note_of(reason: Reason, message: &str) -> String {
        let pod: Metadata =
            serde_json::from_value(serde_json::json!({"namespace": "shop", "name": "x", "uid": "u"}))
                .unwrap();
        let mut troubles = Troubles::default();
        troubles.add(&pod, reason, message);
        note(&troubles.tell(Instant::now())[0])
    }

    #[test]
    fn a_note_fits_and_always_has_its_link() {
        assert_eq!(
            note_of(Reason::Outdated, "it is old"),
            "pod x: it is old. To renew it: create pod/x of namespace shop again. See docs/reference/reasons.md#outdated"
        );
        for length in 900..1100 {
            let note = note_of(Reason::NoVolume, &"\u{e9}".repeat(length));
            assert!(note.len() <= NOTE, "{}", note.len());
            assert!(
                note.ends_with(" See docs/reference/reasons.md#novolume"),
                "{note}"
            );
        }
    }
}
