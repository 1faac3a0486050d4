//! `tributary-webhook`.

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tributary_webhook::error::Error;
use tributary_webhook::run::{Options, Webhook};

#[tokio::main]
async fn main() -> ExitCode {
    // First: a second provider anywhere in the program would otherwise be noticed at the first handshake. It fails only when
    // one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options::parse();
    start_logging(options.log_json);
    match start(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the webhook ends");
            ExitCode::FAILURE
        }
    }
}

async fn start(options: Options) -> Result<(), Error> {
    let client = kube::Client::try_default()
        .await
        .map_err(|source| Error::Connect(Box::new(source)))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Webhook::bind(options).await?.serve(client, shutdown).await
}

fn start_logging(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let format = tracing_subscriber::fmt().with_env_filter(filter);
    if json { format.json().init() } else { format.init() }
}
