//! Brings a cluster up and takes it down again, for work by hand.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use tributary_cluster::{
    Cluster, Error, Progress,
    cluster::{self, Options},
    components::{self, Component},
    images::catalog,
};

/// A Kubernetes with one node on this machine; needs root.
#[derive(Parser)]
struct Arguments {
    /// Where everything that the cluster writes lies; `target/cluster` of the checkout if not given.
    #[arg(long)]
    state: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start a cluster, after clearing away an earlier one, and leave it running.
    Up {
        /// Build the OpenTelemetry Collector and Loki too, and add their images.
        #[arg(long)]
        backends: bool,
    },
    /// End the cluster and remove what it made; the logs stay.
    Down,
}

async fn up(options: &Options, backends: bool) -> Result<(), Error> {
    let progress = Progress::stderr();
    let cluster = Cluster::start(options, &progress).await?;
    if backends {
        let programs = components::ensure(
            &[Component::Otelcol, Component::Loki, Component::Logcli],
            &progress,
        )
        .await?;
        for image in [
            catalog::otelcol(programs.path(Component::Otelcol)),
            catalog::loki(programs.path(Component::Loki)),
        ] {
            let adding = cluster.add_image(&image);
            progress
                .during(&format!("adding the image {}", image.name()), None, adding)
                .await?;
        }
    }
    println!("export KUBECONFIG={}", cluster.kubeconfig().display());
    println!("alias kubectl={}", cluster.kubectl_program().display());
    Ok(())
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut options = Options::default();
    if let Some(state) = arguments.state {
        options.state = state;
    }
    match arguments.action {
        Action::Up { backends } => up(&options, backends).await,
        Action::Down => cluster::down(&options.state).await,
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
