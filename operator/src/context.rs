//! What every reconciliation shares: the client, and the little that is remembered between two of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::mpsc;
use k8s_openapi::jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::Store;
use kube::{Client, ResourceExt as _};
use tokio::time::Instant;
use tributary_crds::LoggingPolicy;

use crate::metrics::Metrics;

/// The shortest time between the beginnings of two reconciliations of one policy. A rollout changes its `DaemonSet` many times
/// a second; the controller's own debouncing would wait for a pause, and there may be none for an hour.
pub const PACE: Duration = Duration::from_millis(500);

/// Policies as the watch has them; one that cannot be read does not stop it.
pub type Policies = Store<DeserializeGuard<LoggingPolicy>>;

/// Everything that a reconciliation needs besides its policy.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// Counters.
    pub metrics: Metrics,
    /// Events; shared, so that repeated ones become a series.
    pub recorder: Recorder,
    /// All policies.
    pub policies: Policies,
    /// The image that agents of policies with `streamingSidecar` pull in advance. `None`: none.
    pub streamer_image: Option<String>,
    /// How long a rollout may stand still before the operator looks for the nodes that hold it.
    pub patience: Duration,
    /// The time of day.
    pub clock: fn() -> Timestamp,
    /// Asks for a reconciliation of every policy.
    nudge: Mutex<mpsc::Sender<()>>,
    memory: Mutex<BTreeMap<String, Memory>>,
}

/// What is remembered of one policy. Losing it costs a request or a wait, never correctness.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// When the last reconciliation began.
    pub begun: Option<Instant>,
    /// Reconciliations that failed since the last that did not.
    pub failures: u32,
    /// The rollout as it last changed.
    pub progress: Option<(Instant, Progress)>,
}

/// What changes when a rollout moves on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The `DaemonSet`'s generation.
    pub generation: i64,
    /// Nodes with a pod of that generation.
    pub updated: i32,
    /// Nodes with an available pod.
    pub available: i32,
    /// Nodes that should have one.
    pub desired: i32,
}

impl Context {
    /// A context, and the stream of wishes to reconcile every policy.
    pub fn new(
        client: Client,
        metrics: Metrics,
        policies: Policies,
        streamer_image: Option<String>,
    ) -> (Self, mpsc::Receiver<()>) {
        let reporter = Reporter {
            controller: "tributary-operator".to_owned(),
            instance: std::env::var("POD_NAME").ok(),
        };
        // One wish in the channel is enough: it is for all policies.
        let (nudge, wishes) = mpsc::channel(0);
        let context = Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            metrics,
            policies,
            streamer_image,
            patience: Duration::from_secs(120),
            clock: Timestamp::now,
            nudge: Mutex::new(nudge),
            memory: Mutex::default(),
        };
        (context, wishes)
    }

    /// Has every policy reconciled soon.
    pub fn nudge(&self) {
        // Full: somebody else has wished it and it has not happened yet.
        let _ = lock(&self.nudge).try_send(());
    }

    /// Begins a reconciliation, or tells how long to wait with it.
    pub fn pace(&self, policy: &str) -> Option<Duration> {
        let now = Instant::now();
        let wait = self
            .recall(policy)
            .begun
            .and_then(|begun| PACE.checked_sub(now.duration_since(begun)));
        let wait = wait.filter(|wait| !wait.is_zero());
        if wait.is_none() {
            self.remember(policy, |memory| memory.begun = Some(now));
        }
        wait
    }

    /// What is remembered of a policy.
    pub fn recall(&self, policy: &str) -> Memory {
        lock(&self.memory).get(policy).cloned().unwrap_or_default()
    }

    /// Changes what is remembered of a policy.
    pub fn remember(&self, policy: &str, change: impl FnOnce(&mut Memory)) {
        let mut memory = lock(&self.memory);
        change(memory.entry(policy.to_owned()).or_default());
        if memory.len() > self.policies.len() + 100 {
            let present = self.policies.state();
            let names: BTreeSet<_> = present.iter().map(|policy| policy.name_any()).collect();
            memory.retain(|name, _| names.contains(name));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole at every moment, also when a thread panicked.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
