//! `cargo demo`: a real Kubernetes on this machine, Tributary on it, the documentation's pods, and a table of what arrived.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use tributary_cluster::cluster::{self, Options};
use tributary_cluster::{Component, Progress};
use tributary_e2e::environment::Environment;
use tributary_e2e::kubectl::Kubectl;
use tributary_e2e::patterns::{self, SAMPLES, STREAMS};
use tributary_e2e::tally::Tally;
use tributary_e2e::{installation, table};

/// How long lines may take from the application to the backend.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a pod may take to start.
const POD_TIMEOUT: &str = "--timeout=120s";

/// Starts a real Kubernetes on this machine, installs Tributary, runs the pods of Kubernetes' documentation and counts
/// their lines at the backend. Then goes on running until Ctrl-C.
#[derive(Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
struct Arguments {
    /// End after the table; succeed only if no line was lost or doubled.
    #[arg(long, conflicts_with = "down")]
    check: bool,
    /// Remove everything that a demo left, also after a crash.
    #[arg(long)]
    down: bool,
    /// Use this context of your kubeconfig instead of a cluster of our own.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// How long the pods write before their lines are counted.
    #[arg(long, value_name = "N", default_value_t = 12)]
    seconds: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("demo: lines were lost or doubled, or none were written");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: {error:#}\n`cargo demo --down` removes what is left of it.");
            ExitCode::FAILURE
        }
    }
}

/// Whether every line arrived exactly once.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    // One crypto provider, chosen before the first connection.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = Options::default();
    let progress = Progress::stderr();
    if arguments.down {
        take_down(arguments, &options, &progress).await?;
        return Ok(true);
    }
    let started = Instant::now();
    if arguments.context.is_none() {
        // Fails before the long builds where there is no root.
        cluster::prepare(&progress).await?;
    }
    let environment = match &arguments.context {
        Some(context) => Environment::existing(context, &progress).await?,
        None => Environment::own(&options, &progress).await?,
    };
    let kubectl = &environment.kubectl;
    progress
        .during(
            "installing Tributary and Loki",
            None,
            installation::install(kubectl),
        )
        .await?;
    progress
        .during("starting the documentation's pods", None, start_pods(kubectl))
        .await?;
    let writing = tokio::time::sleep(Duration::from_secs(arguments.seconds));
    progress
        .during(
            &format!("letting them write for {} s", arguments.seconds),
            None,
            writing,
        )
        .await;
    let exact = progress
        .during("counting lines in Loki", None, count(&environment))
        .await?;
    println!("\nfrom start to table: {} s", started.elapsed().as_secs());
    if arguments.check {
        take_down(arguments, &options, &progress).await?;
        return Ok(exact);
    }
    show_around(&environment);
    tokio::signal::ctrl_c().await?;
    take_down(arguments, &options, &progress).await?;
    Ok(exact)
}

async fn start_pods(kubectl: &Kubectl) -> anyhow::Result<()> {
    for sample in SAMPLES {
        let printed = installation::apply_manifest(kubectl, &format!("samples/{sample}")).await?;
        eprint!("{}", printed.stderr);
    }
    for waiting in patterns::STARTED {
        kubectl.run(&[waiting, &[POD_TIMEOUT]].concat()).await?;
    }
    Ok(())
}

/// Prints the table.
async fn count(environment: &Environment) -> anyhow::Result<bool> {
    let mut rows = Vec::new();
    let mut exact = true;
    for stream in STREAMS {
        let written = stream.written(&environment.kubectl).await?;
        let tally = stream.tally(&environment.client, written, PATIENCE).await?;
        exact &= tally.is_exact();
        let Tally {
            written,
            found,
            lost,
            doubled,
        } = tally;
        let pod = format!("{}/{}", stream.namespace, stream.pod);
        let numbers = [written, found, lost, doubled].map(|number| number.to_string());
        rows.push(
            [
                [stream.pattern.to_owned(), pod, stream.container.to_owned()].as_slice(),
                &numbers,
            ]
            .concat(),
        );
    }
    let header = [
        "PATTERN",
        "POD",
        "CONTAINER",
        "WRITTEN",
        "FOUND",
        "LOST",
        "DOUBLED",
    ];
    println!("\n{}", table::draw(&header, &rows));
    Ok(exact)
}

/// Lines to type in another terminal.
fn show_around(environment: &Environment) {
    let kubectl = environment.kubectl.shown();
    let logcli = environment.programs.path(Component::Logcli).display();
    println!(
        "Look around:\n\
         \x20 alias k='{kubectl}'\n\
         \x20 k get lp\n\
         \x20 k describe lp default\n\
         \x20 k logs two-files -c stream-1-log --tail=3\n\
         \x20 k get pod two-files -o jsonpath='{{.metadata.annotations.tributary\\.dev/result}}'\n\
         \x20 k -n logging port-forward service/loki 3100 &\n\
         \x20 {logcli} query '{{k8s_namespace_name=\"default\"}}' --limit=5\n\
         Ctrl-C ends the demo and removes everything."
    );
}

/// Removes the cluster, or from a cluster of the user's what the demo applied.
async fn take_down(arguments: &Arguments, options: &Options, progress: &Progress) -> anyhow::Result<()> {
    let Some(context) = &arguments.context else {
        progress
            .during("removing the cluster", None, cluster::down(&options.state))
            .await?;
        return Ok(());
    };
    let environment = Environment::existing(context, progress).await?;
    let samples = SAMPLES
        .iter()
        .chain(&["policy.yaml", "loki.yaml"])
        .map(|sample| format!("samples/{sample}"));
    for manifest in samples.chain(["install.yaml".to_owned()]) {
        let path = installation::manifest(&manifest);
        let arguments = ["delete", "--ignore-not-found", "-f", &path.to_string_lossy()];
        progress
            .during(
                &format!("deleting {manifest}"),
                None,
                environment.kubectl.run(&arguments),
            )
            .await?;
    }
    Ok(())
}
