//! How far the node agent's rollout is, and which nodes hold it when it stands still.

use std::collections::BTreeSet;

use futures::TryStreamExt as _;
use futures::stream::{self, StreamExt as _};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Client;
use kube::api::{Api, ListParams};
use tokio::time::Instant;
use tributary_crds::names::{AGENTS_NAMESPACE, label};

use super::apply::Applied;
use super::view::View;
use crate::context::Context;
use crate::error::Error;

/// Of more nodes without an agent than this, the operator does not ask which are down: so many is an outage of its own.
const NODES_ASKED: usize = 100;
/// Requests for nodes at the same time.
const NODES_AT_ONCE: usize = 8;

/// Why a rollout stands still.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standstill {
    /// Nodes that are reachable and have no ready agent.
    pub lagging: BTreeSet<String>,
    /// Nodes that are down or gone: no agent can run there, whatever anybody does to the policy.
    pub down: BTreeSet<String>,
}

/// A rollout as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// The counts.
    pub view: View,
    /// Set when nothing has moved for as long as the operator's patience.
    pub standstill: Option<Standstill>,
}

impl Rollout {
    /// Whether every node that can run the agent runs this generation.
    pub fn is_ready(&self) -> bool {
        let missing = self.view.desired - self.view.updated.min(self.view.available);
        self.view.is_complete()
            || self.standstill.as_ref().is_some_and(|standstill| {
                let down = i32::try_from(standstill.down.len()).unwrap_or(i32::MAX);
                self.view.observed && standstill.lagging.is_empty() && missing <= down
            })
    }

    /// Whether nodes without an agent use up what `maxUnavailable` allows, while others wait for this generation.
    pub fn is_blocked(&self) -> bool {
        let unavailable = self.view.desired - self.view.available;
        self.view.updated < self.view.desired && unavailable >= self.view.budget
    }
}

/// Looks how far the rollout is. Costs nothing while it moves.
pub async fn look(context: &Context, policy: &str, applied: &Applied) -> Result<Option<Rollout>, Error> {
    let daemon_set = match applied {
        Applied::Current(daemon_set) => Some(daemon_set),
        Applied::LastGood(last_good) => last_good.as_ref(),
        Applied::Refused(refusal) => refusal.last_good.as_ref(),
        Applied::Nothing => None,
    };
    let Some(view) = daemon_set.map(|daemon_set| View::of(daemon_set)) else {
        return Ok(None);
    };
    let now = Instant::now();
    let progress = view.progress();
    let mut since = now;
    context.remember(policy, |memory| match &memory.progress {
        Some((moved, before)) if *before == progress => since = *moved,
        _ => memory.progress = Some((now, progress)),
    });
    let still = !view.is_complete() && view.observed && now.duration_since(since) >= context.patience;
    let standstill = if still {
        Some(standstill(&context.client, policy).await?)
    } else {
        None
    };
    Ok(Some(Rollout { view, standstill }))
}

async fn standstill(client: &Client, policy: &str) -> Result<Standstill, Error> {
    let nodes = nodes_without_agent(client, policy).await?;
    if nodes.len() > NODES_ASKED {
        return Ok(Standstill {
            lagging: nodes,
            down: BTreeSet::new(),
        });
    }
    let api: Api<Node> = Api::all(client.clone());
    let judged: Vec<(String, bool)> = stream::iter(nodes)
        .map(|name| {
            let api = api.clone();
            async move {
                let node = api
                    .get_opt(&name)
                    .await
                    .map_err(Error::read(format!("Node {name}")))?;
                Ok::<_, Error>((name, node.as_ref().is_none_or(is_down)))
            }
        })
        .buffer_unordered(NODES_AT_ONCE)
        .try_collect()
        .await?;
    let (down, lagging): (Vec<_>, Vec<_>) = judged.into_iter().partition(|(_, down)| *down);
    let names = |list: Vec<(String, bool)>| list.into_iter().map(|(name, _)| name).collect();
    Ok(Standstill {
        lagging: names(lagging),
        down: names(down),
    })
}

async fn nodes_without_agent(client: &Client, policy: &str) -> Result<BTreeSet<String>, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), AGENTS_NAMESPACE);
    let selector = format!(
        "{}={},{}={policy}",
        label::COMPONENT,
        label::COMPONENT_NODE_AGENT,
        label::POLICY
    );
    let mut nodes = BTreeSet::new();
    let mut page = ListParams::default().labels(&selector).limit(500);
    loop {
        let pods = api
            .list(&page)
            .await
            .map_err(Error::read(format!("the agents of policy {policy}")))?;
        nodes.extend(pods.items.iter().filter(|pod| !is_ready(pod)).filter_map(node_of));
        match pods.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(nodes),
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// The node that the pod runs on, or that it is meant for while it cannot be scheduled.
fn node_of(pod: &Pod) -> Option<String> {
    let spec = pod.spec.as_ref()?;
    if let Some(name) = &spec.node_name {
        return Some(name.clone());
    }
    let required = spec
        .affinity
        .as_ref()?
        .node_affinity
        .as_ref()?
        .required_during_scheduling_ignored_during_execution
        .as_ref()?;
    let fields = required
        .node_selector_terms
        .iter()
        .flat_map(|term| term.match_fields.iter().flatten());
    fields
        .into_iter()
        .find(|field| field.key == "metadata.name")?
        .values
        .as_ref()?
        .first()
        .cloned()
}

fn is_down(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    !conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout(
        desired: i32,
        updated: i32,
        available: i32,
        standstill: Option<(&[&str], &[&str])>,
    ) -> Rollout {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect();
        Rollout {
            view: View {
                engine: String::new(),
                config_hash: String::new(),
                generation: 1,
                observed: true,
                desired,
                updated,
                available,
                // 10 %, rounded up.
                budget: (desired + 9) / 10,
            },
            standstill: standstill.map(|(lagging, down)| Standstill {
                lagging: names(lagging),
                down: names(down),
            }),
        }
    }

    #[test]
    fn nodes_that_are_down_do_not_hold_ready_and_others_do() {
        for (situation, rollout, ready, blocked) in [
            ("complete", rollout(10, 10, 10, None), true, false),
            ("no nodes", rollout(0, 0, 0, None), true, false),
            ("moving", rollout(10, 4, 9, None), false, true),
            (
                "one down, the rest done",
                rollout(10, 9, 9, Some((&[], &["n1"]))),
                true,
                true,
            ),
            (
                "one down with a new pod",
                rollout(10, 10, 9, Some((&[], &["n1"]))),
                true,
                false,
            ),
            (
                "one down holds the others",
                rollout(10, 4, 9, Some((&[], &["n1"]))),
                false,
                true,
            ),
            ("one lags", rollout(10, 10, 9, Some((&["n1"], &[]))), false, false),
            (
                "one lags, one down",
                rollout(20, 20, 18, Some((&["n1"], &["n2"]))),
                false,
                false,
            ),
            (
                "no pod on one",
                rollout(10, 10, 9, Some((&[], &[]))),
                false,
                false,
            ),
        ] {
            assert_eq!(
                (rollout.is_ready(), rollout.is_blocked()),
                (ready, blocked),
                "{situation}"
            );
        }
        let mut unseen = rollout(10, 10, 10, None);
        unseen.view.observed = false;
        assert!(!unseen.is_ready(), "counts of an earlier generation");
    }

    #[test]
    fn a_pod_that_cannot_be_scheduled_names_its_node() {
        let pod: Pod = serde_json::from_value(
            serde_json::json!({"spec": {"containers": [], "affinity": {"nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["node7"]}]}]}}}}}),
        )
        .unwrap();
        assert_eq!(node_of(&pod).as_deref(), Some("node7"));
    }
}
