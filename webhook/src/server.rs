//! HTTP/1.1 over TLS: takes connections, bounds them, and ends without cutting a request off.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::head_deadline::{HeadDeadline, RequestClock};
use crate::lifecycle::{self, Phase};
use crate::metrics::Metrics;

/// How long to wait when no connection can be taken, as when file descriptors run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once; those beyond are closed at once.
    pub at_once: usize,
    /// Longest time for a TLS handshake.
    pub handshake: Duration,
    /// Longest time from the first byte of a request's head to its last.
    pub head: Duration,
    /// Longest time without a request. The API server closes idle connections after 90 seconds; it must be the one to do so.
    pub idle: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            at_once: 2048,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(5),
            idle: Duration::from_secs(150),
        }
    }
}

/// Everything that a connection needs.
#[derive(Clone)]
struct Connections {
    tls: TlsAcceptor,
    router: Router,
    limits: ConnectionLimits,
    metrics: Metrics,
    phase: watch::Receiver<Phase>,
}

/// Serves `router` on `listener` until the phase is [`Phase::Draining`] and requests under way are answered, or until
/// `drain` has passed then.
pub async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    router: Router,
    limits: ConnectionLimits,
    metrics: Metrics,
    phase: watch::Receiver<Phase>,
    drain: Duration,
) {
    let slots = Arc::new(Semaphore::new(limits.at_once));
    let mut draining = phase.clone();
    let connections = Connections {
        tls: TlsAcceptor::from(Arc::new(tls)),
        router,
        limits,
        metrics,
        phase,
    };
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = lifecycle::draining(&mut draining) => break,
            // Finished ones have to be taken out, or they would be kept for ever.
            Some(_) = tasks.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match Arc::clone(&slots).try_acquire_owned() {
                    Ok(slot) => { tasks.spawn(connections.clone().serve(stream, slot)); }
                    Err(_) => connections.metrics.connection_refused(),
                },
                Err(error) => {
                    tracing::warn!(%error, "taking a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    let finished = async { while tasks.join_next().await.is_some() {} };
    if timeout(drain, finished).await.is_err() {
        tracing::warn!("requests were still under way after {drain:?}; they are cut off");
    }
}

impl Connections {
    async fn serve(mut self, stream: TcpStream, _slot: OwnedSemaphorePermit) {
        // Answers are small and complete; waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection ended before it began");
            return;
        }
        let stream = match timeout(self.limits.handshake, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "TLS handshake");
                return self.metrics.handshake_failed();
            }
            Err(_) => return self.metrics.handshake_failed(),
        };
        let clock = RequestClock::default();
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(|request: Request<Incoming>| {
            clock.begin();
            let answer = hyper::service::Service::call(&router, request);
            let clock = clock.clone();
            async move {
                let answer = answer.await;
                clock.end();
                answer
            }
        });
        let io = TokioIo::new(HeadDeadline::new(stream, clock.clone(), self.limits.head));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .serve_connection(io, service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = lifecycle::draining(&mut self.phase) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended");
        }
    }
}
