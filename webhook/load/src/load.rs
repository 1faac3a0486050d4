//! Puts a load on a server: several connections, each with one request at a time, each answer checked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::ClientConfig;

use crate::Error;
use crate::client::{Answer, Connection};
use crate::review::Review;

/// What to send, and how.
#[derive(Clone)]
pub struct Load {
    /// Where to.
    pub address: SocketAddr,
    /// Whom to trust.
    pub tls: Arc<ClientConfig>,
    /// Connections at once.
    pub connections: usize,
    /// How long.
    pub duration: Duration,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The time of each exchange, from the first byte sent to the last byte read; in ascending order.
    pub latencies: Vec<Duration>,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Outcome {
    /// The latency that this share of the exchanges did not exceed.
    pub fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into a list of a few million"
        )]
        let index = (self.latencies.len() as f64 * share) as usize;
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(index.min(last)).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends these reviews in turn, on every connection; `check` looks at each answer.
    ///
    /// # Errors
    /// At the first connection that fails and the first answer that is wrong.
    ///
    /// # Panics
    /// When `check` does.
    pub fn send(
        &self,
        reviews: &[Review],
        check: impl Fn(&mut Review, u64, &Answer<'_>) -> Result<(), Error> + Sync,
    ) -> Result<Outcome, Error> {
        let mut connections = Vec::new();
        for _ in 0..self.connections {
            connections.push(Connection::open(self.address, &self.tls)?);
        }
        let numbers = AtomicU64::new(1);
        let started = Instant::now();
        let end = started + self.duration;
        let each: Vec<Result<Vec<Duration>, Error>> = thread::scope(|scope| {
            let running: Vec<_> = connections
                .into_iter()
                .map(|connection| {
                    scope.spawn(|| keep_sending(connection, reviews.to_vec(), &numbers, end, &check))
                })
                .collect();
            running
                .into_iter()
                .map(|thread| thread.join().expect("only the check can panic"))
                .collect()
        });
        let took = started.elapsed();
        let mut latencies = Vec::new();
        for one in each {
            latencies.append(&mut one?);
        }
        latencies.sort_unstable();
        Ok(Outcome { latencies, took })
    }
}

/// One connection until the end. The time of checking is not part of a latency.
fn keep_sending(
    mut connection: Connection,
    mut reviews: Vec<Review>,
    numbers: &AtomicU64,
    end: Instant,
    check: &impl Fn(&mut Review, u64, &Answer<'_>) -> Result<(), Error>,
) -> Result<Vec<Duration>, Error> {
    let mut latencies = Vec::new();
    loop {
        for review in &mut reviews {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let begun = Instant::now();
            if begun >= end {
                return Ok(latencies);
            }
            let answer = connection.exchange(review.request(number))?;
            latencies.push(begun.elapsed());
            check(review, number, &answer)?;
        }
    }
}
