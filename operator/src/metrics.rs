//! What the operator counts. Labels come from short fixed lists, never from names of objects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;
use tributary_crds::Reason;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Failure {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Transition {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Unserved {
    reason: &'static str,
}

/// The operator's metrics. Clones count into the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reconcile_seconds: Histogram,
    failures: Family<Failure, Counter>,
    transitions: Family<Transition, Counter>,
    status_writes: Counter,
    look_seconds: Histogram,
    pods_unserved: Family<Unserved, Gauge>,
    leading: Gauge,
    certificate_not_after: Gauge<f64, AtomicU64>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tributary_operator");
        // From a reconciliation that only looks (some requests) to one that waits for a slow API server.
        let buckets = [
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ];
        let metrics = Self {
            registry: Arc::default(),
            reconcile_seconds: Histogram::new(buckets),
            failures: Family::default(),
            transitions: Family::default(),
            status_writes: Counter::default(),
            look_seconds: Histogram::new(buckets),
            pods_unserved: Family::default(),
            leading: Gauge::default(),
            certificate_not_after: Gauge::default(),
        };
        registry.register_with_unit(
            "reconcile_duration",
            "Time of one reconciliation of a policy",
            Unit::Seconds,
            metrics.reconcile_seconds.clone(),
        );
        registry.register(
            "failures",
            "What could not be done, by what it was",
            metrics.failures.clone(),
        );
        registry.register(
            "transitions",
            "Changes of a policy's Ready condition, by its new reason",
            metrics.transitions.clone(),
        );
        registry.register(
            "status_writes",
            "Writes of a policy's status",
            metrics.status_writes.clone(),
        );
        registry.register_with_unit(
            "look_duration",
            "Time of listing and counting all pods once",
            Unit::Seconds,
            metrics.look_seconds.clone(),
        );
        registry.register(
            "pods_unserved",
            "Annotated pods that no policy serves, as of the last look, by reason",
            metrics.pods_unserved.clone(),
        );
        registry.register(
            "leading",
            "1 when this operator holds the lease",
            metrics.leading.clone(),
        );
        registry.register(
            "webhook_certificate_not_after_timestamp",
            "When the webhook's certificate ends, in seconds since 1970; 0 when there is none",
            metrics.certificate_not_after.clone(),
        );
        Self {
            registry: Arc::new(registry),
            ..metrics
        }
    }
}

impl Metrics {
    /// Measures one reconciliation, until the answer is dropped.
    pub fn reconciling(&self) -> Measurement {
        Measurement {
            histogram: self.reconcile_seconds.clone(),
            started: Instant::now(),
        }
    }

    /// Measures one look at all pods, until the answer is dropped.
    pub fn looking(&self) -> Measurement {
        Measurement {
            histogram: self.look_seconds.clone(),
            started: Instant::now(),
        }
    }

    /// So many pods are served by no policy, by reason. What is not among them is no longer so.
    pub fn pods_unserved(&self, counts: &BTreeMap<Reason, i64>) {
        self.pods_unserved.clear();
        for (reason, count) in counts {
            let reason = reason.as_str();
            self.pods_unserved.get_or_create(&Unserved { reason }).set(*count);
        }
    }

    /// Something failed. `what` is one of the labels of [`crate::error::Error`].
    pub fn failed(&self, what: &'static str) {
        self.failures.get_or_create(&Failure { what }).inc();
    }

    /// A policy's `Ready` condition changed to this reason.
    pub fn changed(&self, reason: Reason) {
        self.transitions
            .get_or_create(&Transition {
                reason: reason.as_str(),
            })
            .inc();
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.status_writes.inc();
    }

    /// Whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.leading.set(i64::from(leads));
    }

    /// When the webhook's certificate ends.
    pub fn certificate_ends(&self, moment: Option<Timestamp>) {
        let seconds = moment.map_or(Duration::ZERO, |moment| {
            Duration::try_from(moment.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
        });
        self.certificate_not_after.set(seconds.as_secs_f64());
    }

    /// Everything, in the `OpenMetrics` text format.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// A running measurement; its end is its drop.
pub struct Measurement {
    histogram: Histogram,
    started: Instant,
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.histogram.observe(self.started.elapsed().as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_runbook() {
        let metrics = Metrics::default();
        drop(metrics.reconciling());
        drop(metrics.looking());
        metrics.pods_unserved(&[(Reason::NoVolume, 1)].into());
        metrics.pods_unserved(&[(Reason::NoPolicy, 7)].into());
        metrics.failed("read");
        metrics.changed(Reason::PolicyReady);
        metrics.status_written();
        metrics.leads(true);
        metrics.certificate_ends(Some(Timestamp::constant(1_800_000_000, 0)));
        let text = metrics.text().unwrap();
        for line in [
            "tributary_operator_reconcile_duration_seconds_count 1",
            "tributary_operator_failures_total{what=\"read\"} 1",
            "tributary_operator_transitions_total{reason=\"PolicyReady\"} 1",
            "tributary_operator_status_writes_total 1",
            "tributary_operator_look_duration_seconds_count 1",
            "tributary_operator_pods_unserved{reason=\"NoPolicy\"} 7",
            "tributary_operator_leading 1",
            "tributary_operator_webhook_certificate_not_after_timestamp 1800000000.0",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "{line} is not in:\n{text}"
            );
        }
        assert!(
            !text.contains("NoVolume"),
            "what is no longer so is still told:\n{text}"
        );
    }
}
