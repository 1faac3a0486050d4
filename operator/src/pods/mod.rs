//! What annotated pods got: counted in the policies' statuses, told to their authors by Events. Nothing here changes a pod.
//!
//! There is no way to ask the API server for annotated pods alone, and a watch of all pods would hold them all in memory or
//! receive each of their changes. So all pods' metadata is listed now and then, and added up as it arrives.

pub mod announce;
pub mod census;
pub mod judgement;
pub mod listing;
pub mod metadata;
pub mod pattern;
pub mod publish;
pub mod result;
pub mod serving;
pub mod summary;
pub mod troubles;
pub mod workload;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::core::DeserializeGuard;
use kube::runtime::events::Recorder;
use kube::{Client, Resource as _, ResourceExt as _};
use tokio::time::{Instant, sleep_until};
use tributary_crds::LoggingPolicy;

use crate::context::Policies;
use crate::error::Error;
use crate::metrics::Metrics;
use census::Census;
use judgement::Judge;
use metadata::Listed;
use serving::{Namespaces, Serving};
use troubles::Troubles;

/// Pods that have not come to their end.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// A change of the policies is noticed so soon, once there may be a look again.
const NOTICED: Duration = Duration::from_secs(5);

/// How often all pods are listed.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The time between two looks at few pods, and the shortest there is.
    pub few: Duration,
    /// The time between two looks at many pods, unless a policy changes.
    pub many: Duration,
    /// So many are few.
    pub limit: usize,
}

impl Default for Pace {
    /// A pod costs a look about 2.7 KB from the API server's cache (`cargo test --test api thousand` prints it) and 12 us of the
    /// operator's CPU; 20,000 pods took 22 MB of memory at most, 2,000 took 19 MB. So looks take at most some 0.5 MB/s and 0.3 %
    /// of a core at 5,000 pods, and ten times that at 200,000.
    fn default() -> Self {
        Self {
            few: Duration::from_secs(30),
            many: Duration::from_secs(120),
            limit: 5_000,
        }
    }
}

impl Pace {
    /// Always the same.
    pub fn every(period: Duration) -> Self {
        Self {
            few: period,
            many: period,
            ..Self::default()
        }
    }

    /// The time from the beginning of one look to that of the next, while no policy changes.
    fn period(&self, pods: usize) -> Duration {
        if pods <= self.limit { self.few } else { self.many }
    }
}

/// Looks at pods, and remembers what was told of them.
pub struct Watchdog {
    client: Client,
    recorder: Recorder,
    metrics: Metrics,
    clock: fn() -> Timestamp,
    troubles: Troubles,
}

/// Looks for as long as it is polled; it never ends by itself.
pub async fn run(mut watchdog: Watchdog, policies: Policies, pace: Pace) -> Infallible {
    if policies.wait_until_ready().await.is_err() {
        // The controller has ended, and with it the process.
        std::future::pending::<()>().await;
    }
    loop {
        let begun = Instant::now();
        let seen = generations(&policies);
        let pods = match watchdog.look(&readable(&policies)).await {
            Ok(pods) => pods,
            Err(error) => {
                watchdog.metrics.failed(error.label());
                tracing::warn!(%error, "cannot look at the pods; trying again");
                0
            }
        };
        sleep_until(begun + pace.few).await;
        let next = begun + pace.period(pods);
        while Instant::now() < next && generations(&policies) == seen {
            sleep_until(next.min(Instant::now() + NOTICED)).await;
        }
    }
}

/// The policies that this version can read and that stay.
fn readable(policies: &Policies) -> Vec<LoggingPolicy> {
    let state = policies.state();
    let readable = state.iter().filter_map(|policy| policy.0.as_ref().ok());
    let staying = readable.filter(|policy| policy.metadata.deletion_timestamp.is_none());
    staying.cloned().collect()
}

/// The revision of the configuration that pods made now would get for their agent sidecars. `None` where they would get none.
fn revision(policy: &LoggingPolicy) -> Option<String> {
    policy.spec.agent_sidecar.as_ref()?;
    let sidecar = tributary_agents::compile_sidecar(&policy.name_any(), &policy.spec).ok()?;
    Some(sidecar.revision().to_owned())
}

/// What changes when a policy comes, goes or asks for something else.
fn generations(policies: &Policies) -> BTreeMap<String, (Option<String>, Option<i64>)> {
    let generation = |policy: Arc<DeserializeGuard<LoggingPolicy>>| {
        let metadata = policy.meta();
        (policy.name_any(), (metadata.uid.clone(), metadata.generation))
    };
    policies.state().into_iter().map(generation).collect()
}

impl Watchdog {
    /// One that has told nothing yet.
    pub fn new(client: Client, recorder: Recorder, metrics: Metrics, clock: fn() -> Timestamp) -> Self {
        Self {
            client,
            recorder,
            metrics,
            clock,
            troubles: Troubles::default(),
        }
    }

    /// Lists all pods once, and says what is so. Returns how many there are.
    pub async fn look(&mut self, policies: &[LoggingPolicy]) -> Result<usize, Error> {
        let measured = self.metrics.looking();
        let census = self.count(policies).await?;
        drop(measured);
        self.metrics.pods_unserved(&census.unserved);
        if !census.unserved.is_empty() {
            tracing::info!(unserved = ?census.unserved, "annotated pods that no policy serves");
        }
        let mut failed = None;
        let tallies = census.tallies();
        for policy in policies {
            let part = publish::part(
                policy,
                tallies.get(policy.name_any().as_str()).copied(),
                (self.clock)(),
            );
            if publish::says(policy, &part) {
                continue;
            }
            match publish::write(&self.client, policy, &part).await {
                Ok(()) => self.metrics.status_written(),
                Err(error) => failed = Some(error),
            }
        }
        let pods = census.pods;
        self.troubles = census.troubles;
        self.tell().await;
        failed.map_or(Ok(pods), Err)
    }

    async fn count(&self, policies: &[LoggingPolicy]) -> Result<Census, Error> {
        let parameters = ListParams::default().match_any();
        let namespaces = listing::fold(
            &self.client,
            &Namespace::url_path(&(), None),
            &parameters,
            "the namespaces",
            Namespaces::new(),
            |namespaces, Listed { metadata }| {
                namespaces.insert(metadata.name, metadata.labels);
            },
        )
        .await?;
        let serving = Serving::new(policies.iter().collect(), revision);
        // A copy: what was told is to be known also when this look fails.
        let mut troubles = self.troubles.clone();
        troubles.begin(Instant::now());
        listing::fold(
            &self.client,
            &Pod::url_path(&(), None),
            &parameters.fields(RUNNING),
            "the pods",
            Census::new(Judge::new(serving, namespaces), troubles),
            Census::add,
        )
        .await
    }

    async fn tell(&mut self) {
        if self.troubles.left > 0 {
            tracing::info!(
                pods = self.troubles.left,
                "more pods have troubles than Events are written at once"
            );
        }
        for trouble in self.troubles.tell(Instant::now()) {
            if let Err(source) = announce::announce(&self.client, &self.recorder, &trouble).await {
                // Not tried again soon: a namespace that refuses Events must not use up what others may be told.
                let error = Error::write(format!("an Event about {}", trouble.workload))(source);
                self.metrics.failed(error.label());
                tracing::warn!(%error, "cannot tell an author");
            }
        }
    }
}
