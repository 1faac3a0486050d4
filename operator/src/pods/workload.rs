//! What made a pod, and how to have it made again.

use std::fmt;

use super::metadata::{Metadata, OwnerReference};

/// The label by which a `Deployment` tells its `ReplicaSet`s apart; their names end with its value.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// What somebody has to touch to change a pod. Ordered by namespace, then by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Workload {
    namespace: String,
    kind: Kind,
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// One that `kubectl rollout restart` takes, by its name there.
    Restartable(&'static str),
    /// One whose pods nobody but its author can have made again, in lower case.
    Other(String),
}

impl Workload {
    /// What made the pod, as far as its metadata tells. Where that cannot be a name, the pod itself.
    pub fn of(pod: &Metadata) -> Self {
        let (kind, name) = controller(pod)
            .and_then(|owner| kind_and_name(owner, pod))
            .unwrap_or_else(|| (Kind::Other("pod".to_owned()), pod.name.clone()));
        Self {
            namespace: pod.namespace.clone(),
            kind,
            name,
        }
    }

    /// What to do so that its pods are made again: a command where there is one.
    pub fn renewal(&self) -> String {
        let Self {
            namespace,
            kind,
            name,
        } = self;
        match kind {
            Kind::Restartable(kind) => format!("`kubectl -n {namespace} rollout restart {kind}/{name}`"),
            Kind::Other(kind) => format!("create {kind}/{name} of namespace {namespace} again"),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Restartable(kind) => kind,
            Kind::Other(kind) => kind.as_str(),
        };
        write!(f, "{kind}/{} of namespace {}", self.name, self.namespace)
    }
}

/// The object that made the pod, unless what stands there could not be an object. The pod's author writes it, and it gets into
/// commands that people copy.
pub fn controller(pod: &Metadata) -> Option<&OwnerReference> {
    let owner = pod.owner_references.iter().find(|owner| owner.controller)?;
    let is_kind = owner.kind.len() <= 63 && owner.kind.chars().all(|c| c.is_ascii_alphanumeric());
    // A node owns the mirrors of its static pods; it is not in the pod's namespace.
    (is_kind && owner.kind != "Node" && is_name(&owner.name)).then_some(owner)
}

fn kind_and_name(owner: &OwnerReference, pod: &Metadata) -> Option<(Kind, String)> {
    let apps = owner.api_version.starts_with("apps/");
    let kind = match owner.kind.as_str() {
        "ReplicaSet" if apps => {
            if let Some(name) = deployment(&owner.name, pod) {
                return Some((Kind::Restartable("deployment"), name));
            }
            Kind::Other("replicaset".to_owned())
        }
        "StatefulSet" if apps => Kind::Restartable("statefulset"),
        "DaemonSet" if apps => Kind::Restartable("daemonset"),
        "" => return None,
        other => Kind::Other(other.to_ascii_lowercase()),
    };
    Some((kind, owner.name.clone()))
}

/// The name of the `Deployment` that made a `ReplicaSet`.
fn deployment(replica_set: &str, pod: &Metadata) -> Option<String> {
    let hash = pod.labels.get(TEMPLATE_HASH)?;
    let name = replica_set.strip_suffix(hash.as_str())?.strip_suffix('-')?;
    is_name(name).then(|| name.to_owned())
}

/// Whether this can be an object's name (RFC 1123 subdomain), which no shell takes for anything else.
fn is_name(name: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    bytes.len() <= 253 && bytes.iter().all(|&b| inner(b)) && ends(bytes.first()) && ends(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_by(api_version: &str, kind: &str, name: &str, hash: Option<&str>) -> String {
        let pod: Metadata = serde_json::from_value(serde_json::json!({
            "namespace": "shop", "name": "web-1", "labels": hash.map(|hash| [(TEMPLATE_HASH, hash)]).into_iter().flatten()
                .collect::<std::collections::BTreeMap<_, _>>(),
            "ownerReferences": [{"apiVersion": api_version, "kind": kind, "name": name, "uid": "u", "controller": true}],
        }))
        .unwrap();
        Workload::of(&pod).renewal()
    }

    #[test]
    fn each_owner_has_its_command() {
        let restart = |what: &str| format!("`kubectl -n shop rollout restart {what}`");
        let again = |what: &str| format!("create {what} of namespace shop again");
        for (api_version, kind, name, hash, expected) in [
            (
                "apps/v1",
                "ReplicaSet",
                "web-abc",
                Some("abc"),
                restart("deployment/web"),
            ),
            (
                "apps/v1",
                "ReplicaSet",
                "web-abc",
                None,
                again("replicaset/web-abc"),
            ),
            (
                "apps/v1",
                "ReplicaSet",
                "web-abc",
                Some("xyz"),
                again("replicaset/web-abc"),
            ),
            ("apps/v1", "ReplicaSet", "-abc", Some("abc"), again("pod/web-1")),
            ("apps/v1", "StatefulSet", "db", None, restart("statefulset/db")),
            ("apps/v1", "DaemonSet", "agent", None, restart("daemonset/agent")),
            (
                "apps.kruise.io/v1",
                "StatefulSet",
                "db",
                None,
                again("statefulset/db"),
            ),
            ("batch/v1", "Job", "tally-28", None, again("job/tally-28")),
            ("v1", "Node", "n1", None, again("pod/web-1")),
        ] {
            assert_eq!(made_by(api_version, kind, name, hash), expected, "{kind} {name}");
        }
        let bare: Metadata =
            serde_json::from_value(serde_json::json!({"namespace": "shop", "name": "x"})).unwrap();
        assert_eq!(Workload::of(&bare).renewal(), again("pod/x"));
    }

    #[test]
    fn nothing_that_a_shell_would_run_gets_into_a_command() {
        for name in [
            "x; rm -rf /",
            "$(id)",
            "x`id`",
            "-n",
            "a b",
            "A",
            "",
            "x\n",
            &"x".repeat(254),
        ] {
            assert_eq!(
                made_by("apps/v1", "StatefulSet", name, None),
                "create pod/web-1 of namespace shop again",
                "{name:?}"
            );
        }
        assert_eq!(
            made_by("x/v1", "Sneaky;Kind", "x", None),
            "create pod/web-1 of namespace shop again"
        );
    }
}
