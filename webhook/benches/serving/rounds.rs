//! Webhook and rival in turn, so that whatever else the machine does meets both.

use std::net::SocketAddr;
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
const ROUND: Duration = Duration::from_millis(1500);
/// Enough that a server with one core is never idle.
const CONNECTIONS: usize = 8;

/// What a server does with all the load that it can take. Each number is the median of the rounds.
pub struct Throughput {
    /// Bytes of a pod.
    pub pod_bytes: usize,
    /// Bytes of a review.
    pub review_bytes: usize,
    /// Reviews that the webhook answered, each checked.
    pub checked: usize,
    /// Reviews a second.
    pub per_second: f64,
    /// CPU time of the webhook for one, in microseconds.
    pub webhook_micros: f64,
    /// CPU time of the rival for one, in microseconds.
    pub rival_micros: f64,
    /// The first by the second, of each round.
    pub ratio: f64,
}

impl Throughput {
    /// Measures.
    pub fn measure(
        pod_bytes: usize,
        webhook: &WebhookProcess,
        rival: &Rival,
        tls: &Arc<ClientConfig>,
        reviews: &[Review],
    ) -> anyhow::Result<Self> {
        let (mut per_second, mut webhooks, mut rivals, mut ratios) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut checked = 0;
        let load = |address| load(address, tls);
        for _ in 0..ROUNDS {
            let ours = Round::run(&load(webhook.address()), webhook.id(), reviews, Review::check)?;
            let theirs = Round::run(&load(rival.address()), rival.id(), reviews, rival::check)?;
            checked += ours.answered;
            per_second.push(ours.per_second);
            webhooks.push(ours.micros);
            rivals.push(theirs.micros);
            ratios.push(ours.micros / theirs.micros);
        }
        Ok(Self {
            pod_bytes,
            review_bytes: reviews.first().map_or(0, Review::body_length),
            checked,
            per_second: median(per_second),
            webhook_micros: median(webhooks),
            rival_micros: median(rivals),
            ratio: median(ratios),
        })
    }
}

fn load(address: SocketAddr, tls: &Arc<ClientConfig>) -> Load {
    Load {
        address,
        tls: Arc::clone(tls),
        connections: CONNECTIONS,
        duration: ROUND,
    }
}

struct Round {
    answered: usize,
    per_second: f64,
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
            micros: used.as_secs_f64() * 1e6 / count,
        })
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
