//! How the webhook ends without failing an admission.

use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Everything is served.
    Serving,
    /// Not ready any more, so that no new connection is sent here; what comes is served, and each connection closed after it.
    Leaving,
    /// Nothing new is taken; what is under way is finished.
    Draining,
}

/// How long the end takes.
#[derive(Clone, Copy, Debug)]
pub struct EndTimes {
    /// Time for everybody to notice that this replica is not ready.
    pub leaving: Duration,
    /// Longest time for requests under way.
    pub draining: Duration,
}

impl Default for EndTimes {
    fn default() -> Self {
        Self {
            leaving: Duration::from_secs(5),
            draining: Duration::from_secs(10),
        }
    }
}

/// Waits for `shutdown`, then leads the phases on.
pub async fn lead(phase: &watch::Sender<Phase>, times: EndTimes, shutdown: impl Future<Output = ()>) {
    shutdown.await;
    tracing::info!(
        "asked to end: not ready any more, serving on for {:?}",
        times.leaving
    );
    phase.send_replace(Phase::Leaving);
    tokio::time::sleep(times.leaving).await;
    phase.send_replace(Phase::Draining);
}

/// Waits until nothing new is to be taken. A sender that is gone means the same.
pub async fn draining(phase: &mut watch::Receiver<Phase>) {
    let _ = phase.wait_for(|phase| *phase == Phase::Draining).await;
}
