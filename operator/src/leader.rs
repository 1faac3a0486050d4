//! Leadership by a `Lease`: of several operators, one writes.
//!
//! Every write of the Lease carries the `resourceVersion` that was read, so of two candidates for an expired Lease one gets a
//! conflict. A candidate judges expiry by its own monotonic clock (how long it has seen the Lease unchanged), never by
//! comparing wall clocks. The holder gives up [`Timing::renew_deadline`] after its last renewal, which is before any candidate
//! may take over, and then the process ends.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::PostParams;
use tokio::time::{Instant, sleep, timeout};

/// The name of the operator's Lease in `tributary-system`.
pub const LEASE: &str = "tributary-operator";

/// How long things take. The defaults are those of Kubernetes' own components.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A candidate takes over after it has seen the Lease unchanged for so long.
    pub duration: Duration,
    /// The holder gives up when it could not renew for so long. Shorter than `duration`.
    pub renew_deadline: Duration,
    /// The time between two attempts.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew_deadline: Duration::from_secs(10),
            retry: Duration::from_secs(2),
        }
    }
}

/// An operator that would like to lead.
pub struct Candidate {
    api: Api<Lease>,
    identity: String,
    timing: Timing,
    seen: Option<Seen>,
}

/// A version of the Lease and when this process first saw it.
struct Seen {
    version: Option<String>,
    since: Instant,
}

/// The operator that leads.
pub struct Leadership {
    api: Api<Lease>,
    identity: String,
    timing: Timing,
    lease: Lease,
    renewed: Instant,
}

impl Candidate {
    /// A candidate named `identity`, which must differ between processes (the pod's name).
    pub fn new(api: Api<Lease>, identity: String, timing: Timing) -> Self {
        Self {
            api,
            identity,
            timing,
            seen: None,
        }
    }

    /// Waits until this process leads. `contact` is called whenever the API server answered.
    pub async fn acquire(mut self, contact: impl Fn()) -> Leadership {
        loop {
            let asked = Instant::now();
            match self.attempt().await {
                Ok(Some(lease)) => {
                    contact();
                    return Leadership {
                        api: self.api,
                        identity: self.identity,
                        timing: self.timing,
                        lease,
                        renewed: asked,
                    };
                }
                Ok(None) => contact(),
                Err(error) => tracing::warn!(%error, lease = LEASE, "cannot take part in the election"),
            }
            sleep(self.timing.retry).await;
        }
    }

    /// Takes the Lease when it is free. `None` when somebody else has it, or was faster.
    pub async fn attempt(&mut self) -> Result<Option<Lease>, kube::Error> {
        let Some(lease) = self.api.get_opt(LEASE).await? else {
            let metadata = ObjectMeta {
                name: Some(LEASE.to_owned()),
                ..ObjectMeta::default()
            };
            let lease = Lease {
                metadata,
                spec: Some(held(None, &self.identity, self.timing)),
            };
            return unless_conflict(self.api.create(&PostParams::default(), &lease).await);
        };
        if !self.is_free(&lease) {
            return Ok(None);
        }
        let lease = Lease {
            spec: Some(held(lease.spec.as_ref(), &self.identity, self.timing)),
            ..lease
        };
        unless_conflict(self.api.replace(LEASE, &PostParams::default(), &lease).await)
    }

    fn is_free(&mut self, lease: &Lease) -> bool {
        match holder(lease) {
            // A container that was started again in the same pod: its forerunner is dead.
            Some(name) if name == self.identity => return true,
            Some(_) => {}
            None => return true,
        }
        let version = lease.metadata.resource_version.clone();
        match &self.seen {
            Some(seen) if seen.version == version => seen.since.elapsed() >= self.timing.duration,
            _ => {
                self.seen = Some(Seen {
                    version,
                    since: Instant::now(),
                });
                false
            }
        }
    }
}

impl Leadership {
    /// Renews until leadership is lost.
    pub async fn keep(&mut self) {
        loop {
            sleep(self.timing.retry).await;
            let asked = Instant::now();
            let left = self.timing.renew_deadline.saturating_sub(self.renewed.elapsed());
            match timeout(left, self.renew()).await {
                Ok(Ok(true)) => self.renewed = asked,
                Ok(Ok(false)) => return,
                Ok(Err(error)) => tracing::warn!(%error, lease = LEASE, "cannot renew the lease"),
                Err(_) => {}
            }
            if self.renewed.elapsed() >= self.timing.renew_deadline {
                return;
            }
        }
    }

    /// One renewal. `false` when somebody else holds the Lease.
    pub async fn renew(&mut self) -> Result<bool, kube::Error> {
        let lease = Lease {
            spec: Some(held(self.lease.spec.as_ref(), &self.identity, self.timing)),
            ..self.lease.clone()
        };
        if let Some(lease) = unless_conflict(self.api.replace(LEASE, &PostParams::default(), &lease).await)? {
            self.lease = lease;
            return Ok(true);
        }
        // Somebody wrote it. That somebody may have been a person who set a label: then it is still ours.
        let lease = self.api.get(LEASE).await?;
        if holder(&lease) != Some(self.identity.as_str()) {
            return Ok(false);
        }
        let renewed = Lease {
            spec: Some(held(lease.spec.as_ref(), &self.identity, self.timing)),
            ..lease
        };
        match unless_conflict(self.api.replace(LEASE, &PostParams::default(), &renewed).await)? {
            Some(lease) => {
                self.lease = lease;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Lets the Lease go, so that the next operator need not wait for it to expire.
    pub async fn vacate(mut self) {
        if let Some(spec) = &mut self.lease.spec {
            spec.holder_identity = None;
        }
        if let Err(error) = self.api.replace(LEASE, &PostParams::default(), &self.lease).await {
            tracing::warn!(%error, lease = LEASE, "cannot vacate the lease; the next operator waits until it expires");
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    lease
        .spec
        .as_ref()?
        .holder_identity
        .as_deref()
        .filter(|name| !name.is_empty())
}

/// The content of the Lease when `identity` holds it from now on.
fn held(before: Option<&LeaseSpec>, identity: &str, timing: Timing) -> LeaseSpec {
    let now = MicroTime(Timestamp::now());
    let before = before.cloned().unwrap_or_default();
    let same = before.holder_identity.as_deref() == Some(identity);
    LeaseSpec {
        holder_identity: Some(identity.to_owned()),
        lease_duration_seconds: i32::try_from(timing.duration.as_secs()).ok(),
        acquire_time: before.acquire_time.filter(|_| same).or_else(|| Some(now.clone())),
        renew_time: Some(now),
        lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(!same)),
        ..before
    }
}

/// `None` when the write came too late: another was first.
fn unless_conflict(result: Result<Lease, kube::Error>) -> Result<Option<Lease>, kube::Error> {
    match result {
        Ok(lease) => Ok(Some(lease)),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
        Err(error) => Err(error),
    }
}
