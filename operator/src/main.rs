//! `tributary-operator`.

use std::process::ExitCode;

use clap::Parser as _;
use tributary_operator::error::Error;
use tributary_operator::run::{Options, run};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    tributary_process::start(options.log_json);
    match start(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the operator ends");
            ExitCode::FAILURE
        }
    }
}

async fn start(options: Options) -> Result<(), Error> {
    let client = kube::Client::try_default()
        .await
        .map_err(|source| Error::Connect(Box::new(source)))?;
    let shutdown = tributary_process::asked_to_end().map_err(Error::Signal)?;
    run(client, options, shutdown).await
}
