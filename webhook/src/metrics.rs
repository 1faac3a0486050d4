//! What the webhook counts. Labels come from short fixed lists, never from names of objects.

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
use tributary_crds::Reason;

use crate::decide::Outcome;
use crate::limits::LimitKind;

const SECONDS_PER_DAY: f64 = 86_400.0;

/// How a review ended, as a metric says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReviewOutcome {
    /// A decision was made.
    Decided(Outcome),
    /// The review was not about the creation of a pod that can be read.
    Failed,
    /// There was too much to do.
    Overloaded,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UsableLabel {
    usable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabel {
    resource: &'static str,
}

/// The webhook's metrics. Clones count into the same.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    reviews: Family<OutcomeLabel, Counter>,
    template_reviews: Family<OutcomeLabel, Counter>,
    reasons: Family<ReasonLabel, Counter>,
    review_seconds: Histogram,
    refused_requests: Family<StatusLabel, Counter>,
    refused_connections: Counter,
    failed_handshakes: Counter,
    policies: Family<UsableLabel, Gauge>,
    namespaces: Gauge,
    limits_known: Family<ResourceLabel, Gauge>,
    certificate_days_left: Gauge<f64, AtomicU64>,
    certificate_errors: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("tributary_webhook");
        // From a review that finds nothing to do to one that an API server would not have waited for.
        let buckets = [
            0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
        ];
        let mut metrics = Self {
            registry: Arc::default(),
            reviews: Family::default(),
            template_reviews: Family::default(),
            reasons: Family::default(),
            review_seconds: Histogram::new(buckets),
            refused_requests: Family::default(),
            refused_connections: Counter::default(),
            failed_handshakes: Counter::default(),
            policies: Family::default(),
            namespaces: Gauge::default(),
            limits_known: Family::default(),
            certificate_days_left: Gauge::default(),
            certificate_errors: Counter::default(),
        };
        metrics.register(&mut registry);
        metrics.registry = Arc::new(registry);
        metrics
    }
}

impl Metrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "reviews",
            "Answered reviews of pods, by what came of them",
            self.reviews.clone(),
        );
        let help = "Answered reviews of workloads' templates, by what came of them";
        registry.register("template_reviews", help, self.template_reviews.clone());
        registry.register(
            "decisions",
            "Decisions about files and pods, by reason",
            self.reasons.clone(),
        );
        let help = "Time from a request's head to its answer";
        registry.register_with_unit(
            "review_duration",
            help,
            Unit::Seconds,
            self.review_seconds.clone(),
        );
        let help = "Requests that were no review, by HTTP status";
        registry.register("refused_requests", help, self.refused_requests.clone());
        let help = "Connections that were closed because there were too many";
        registry.register("refused_connections", help, self.refused_connections.clone());
        let help = "Connections that never became TLS";
        registry.register("failed_handshakes", help, self.failed_handshakes.clone());
        registry.register(
            "policies",
            "Policies, by whether they can be used",
            self.policies.clone(),
        );
        registry.register("namespaces", "Namespaces known", self.namespaces.clone());
        let help = "Whether LimitRanges and ResourceQuotas are watched (1), or may not be (0)";
        registry.register("limits_known", help, self.limits_known.clone());
        let help = "Days until the served certificate ends; 0 when there is none";
        registry.register("certificate_days_left", help, self.certificate_days_left.clone());
        let help = "Certificates that could not be used, while the one before was served on";
        registry.register("certificate_errors", help, self.certificate_errors.clone());
    }

    /// A workload's template was answered, with warnings or without.
    pub fn template_reviewed(&self, outcome: ReviewOutcome, warned: bool) {
        let outcome = match outcome {
            ReviewOutcome::Decided(_) if warned => "warned",
            ReviewOutcome::Decided(_) => "quiet",
            ReviewOutcome::Failed => "failed",
            ReviewOutcome::Overloaded => "overloaded",
        };
        self.template_reviews
            .get_or_create(&OutcomeLabel { outcome })
            .inc();
    }

    /// A review of a pod was answered.
    pub fn reviewed(&self, outcome: ReviewOutcome, reasons: &[Reason], took: Duration) {
        let outcome = match outcome {
            ReviewOutcome::Decided(Outcome::NotAsked) => "not_asked",
            ReviewOutcome::Decided(Outcome::Injected) => "injected",
            ReviewOutcome::Decided(Outcome::Unchanged) => "unchanged",
            ReviewOutcome::Decided(Outcome::Skipped) => "skipped",
            ReviewOutcome::Failed => "failed",
            ReviewOutcome::Overloaded => "overloaded",
        };
        self.reviews.get_or_create(&OutcomeLabel { outcome }).inc();
        for reason in reasons {
            self.reasons
                .get_or_create(&ReasonLabel {
                    reason: reason.as_str(),
                })
                .inc();
        }
        self.review_seconds.observe(took.as_secs_f64());
    }

    /// A request was refused with this HTTP status.
    pub fn refused(&self, status: u16) {
        self.refused_requests.get_or_create(&StatusLabel { status }).inc();
    }

    /// A connection was closed because there were too many.
    pub fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    /// A connection never became TLS.
    pub fn handshake_failed(&self) {
        self.failed_handshakes.inc();
    }

    /// So many policies there are, and so many of them cannot be used.
    pub fn policies(&self, all: usize, unusable: usize) {
        let set = |usable, count| {
            self.policies
                .get_or_create(&UsableLabel { usable })
                .set(i64::try_from(count).unwrap_or(i64::MAX));
        };
        set(true, all - unusable);
        set(false, unusable);
    }

    /// So many namespaces are known.
    pub fn namespaces(&self, known: usize) {
        self.namespaces.set(i64::try_from(known).unwrap_or(i64::MAX));
    }

    /// Whether the limits of this kind are known.
    pub fn limits_known(&self, kind: LimitKind, known: bool) {
        let resource = kind.as_str();
        self.limits_known
            .get_or_create(&ResourceLabel { resource })
            .set(known.into());
    }

    /// A certificate could not be used.
    pub fn certificate_failed(&self) {
        self.certificate_errors.inc();
    }

    /// Every metric in the text format of `OpenMetrics`. `certificate_ends` is of the certificate in use.
    pub fn text(
        &self,
        now: Timestamp,
        certificate_ends: Option<Timestamp>,
    ) -> Result<String, std::fmt::Error> {
        let left =
            certificate_ends.map_or(0.0, |end| end.duration_since(now).as_secs_f64() / SECONDS_PER_DAY);
        self.certificate_days_left.set(left);
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_happened_in_words_of_the_reasons() {
        let metrics = Metrics::default();
        let outcome = ReviewOutcome::Decided(Outcome::Injected);
        metrics.reviewed(
            outcome,
            &[Reason::Injected, Reason::NoVolume],
            Duration::from_micros(300),
        );
        metrics.policies(3, 1);
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let text = metrics.text(now, Some(now + Duration::from_hours(36))).unwrap();
        for line in [
            "tributary_webhook_reviews_total{outcome=\"injected\"} 1",
            "tributary_webhook_decisions_total{reason=\"NoVolume\"} 1",
            "tributary_webhook_review_duration_seconds_bucket{le=\"0.0005\"} 1",
            "tributary_webhook_policies{usable=\"true\"} 2",
            "tributary_webhook_certificate_days_left 1.5",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
