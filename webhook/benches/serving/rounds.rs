//! Webhook and rival in turn, so that whatever else the machine does meets both.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tributary_webhook_load::Error;
use tributary_webhook_load::client::Answer;
use tributary_webhook_load::load::Load;
use tributary_webhook_load::process::WebhookProcess;
use tributary_webhook_load::review::Review;
use tributary_webhook_load::usage::cpu_time;

use crate::rival::{self, Rival};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(1);
/// Enough that a server with one core is never idle.
const MANY: usize = 8;

/// What a server does with a kind of load. Each number is the median of the rounds.
pub struct Measured {
    /// Bytes of a pod.
    pub pod_bytes: usize,
    /// Bytes of a review.
    pub review_bytes: usize,
    /// Reviews that the webhook answered, each checked.
    pub checked: usize,
    /// Reviews a second.
    pub per_second: f64,
    /// Half of the answers took no longer, as the client sees it: network, TLS and handler.
    pub p50: Duration,
    /// All but one in a hundred took no longer.
    pub p99: Duration,
    /// CPU time of the webhook for one, in microseconds.
    pub webhook_micros: f64,
    /// CPU time of the rival for one, in microseconds.
    pub rival_micros: f64,
    /// The first by the second, of each round.
    pub ratio: f64,
}

/// Both servers and who calls them.
pub struct Contest<'c> {
    /// The webhook.
    pub webhook: &'c WebhookProcess,
    /// Its rival.
    pub rival: &'c Rival,
    /// Whom to trust.
    pub tls: &'c Arc<ClientConfig>,
}

impl Contest<'_> {
    /// As many reviews as one core can take.
    pub fn many_at_once(&self, pod_bytes: usize, reviews: &[Review]) -> anyhow::Result<Measured> {
        self.measure(MANY, pod_bytes, reviews)
    }

    /// One review after the other.
    pub fn one_at_a_time(&self, pod_bytes: usize, reviews: &[Review]) -> anyhow::Result<Measured> {
        self.measure(1, pod_bytes, reviews)
    }

    fn measure(&self, connections: usize, pod_bytes: usize, reviews: &[Review]) -> anyhow::Result<Measured> {
        let load = |address| Load {
            address,
            tls: Arc::clone(self.tls),
            connections,
            duration: ROUND,
        };
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (webhook, rival) = (self.webhook, self.rival);
            ours.push(Round::run(
                &load(webhook.address()),
                webhook.id(),
                reviews,
                Review::check,
            )?);
            theirs.push(Round::run(
                &load(rival.address()),
                rival.id(),
                reviews,
                rival::check,
            )?);
        }
        let of = |number: fn(&Round) -> f64| median(ours.iter().map(number).collect());
        Ok(Measured {
            pod_bytes,
            review_bytes: reviews.first().map_or(0, Review::body_length),
            checked: ours.iter().map(|round| round.answered).sum(),
            per_second: of(|round| round.per_second),
            p50: Duration::from_secs_f64(of(|round| round.p50.as_secs_f64())),
            p99: Duration::from_secs_f64(of(|round| round.p99.as_secs_f64())),
            webhook_micros: of(|round| round.micros),
            rival_micros: median(theirs.iter().map(|round| round.micros).collect()),
            ratio: median(
                ours.iter()
                    .zip(&theirs)
                    .map(|(us, them)| us.micros / them.micros)
                    .collect(),
            ),
        })
    }
}

struct Round {
    answered: usize,
    per_second: f64,
    p50: Duration,
    p99: Duration,
    /// CPU time of the server for one answer.
    micros: f64,
}

impl Round {
    fn run(
        load: &Load,
        process: u32,
        reviews: &[Review],
        check: impl Fn(&mut Review, u64, &Answer<'_>) -> Result<(), Error> + Sync,
    ) -> Result<Self, Error> {
        let before = cpu_time(process)?;
        let outcome = load.send(reviews, check)?;
        let used = cpu_time(process)?.saturating_sub(before);
        let answered = outcome.latencies.len();
        #[expect(clippy::cast_precision_loss, reason = "a few ten thousand")]
        let count = answered.max(1) as f64;
        Ok(Self {
            answered,
            per_second: count / outcome.took.as_secs_f64(),
            p50: outcome.quantile(0.5),
            p99: outcome.quantile(0.99),
            micros: used.as_secs_f64() * 1e6 / count,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
