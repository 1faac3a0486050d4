//! `tributary-webhook`.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use tributary_webhook::error::Error;
use tributary_webhook::run::{Options, Webhook};

/// A review asks for memory more than a hundred times, each a moment.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tributary_process::start(options.log_json);
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
    let shutdown = tributary_process::asked_to_end().map_err(Error::Signal)?;
    Webhook::bind(options).await?.serve(client, shutdown).await
}
