//! What the operator and the webhook do alike as processes of a cluster: start, end, and tell their metrics.

use std::fmt;
use std::future::Future;
use std::io;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// The text format of `prometheus-client`.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Chooses the crypto provider and starts the log, as `RUST_LOG` says or from `info` on; to be called first in `main`.
///
/// # Panics
/// When it is called twice: a process has one log.
pub fn start(log_json: bool) {
    // A second provider anywhere in the program would otherwise be noticed at the first handshake. It fails only when one is
    // installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt().with_env_filter(filter);
    if log_json {
        format.json().init();
    } else {
        format.init();
    }
}

/// Resolves when the process is asked to end, by SIGTERM or SIGINT. From this call on neither ends it by itself.
pub fn asked_to_end() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// The answer to a scrape of `/metrics`.
pub fn scraped(metrics: Result<String, fmt::Error>) -> Response {
    match metrics {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
