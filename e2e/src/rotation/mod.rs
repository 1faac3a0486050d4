//! `cargo e2e rotation`: numbered lines in a log that is rotated as the kubelet does it, while the backend is away, and the agent is
//! killed or stopped. None may be lost that the node still holds, and few may be doubled.

mod case;
mod check;
mod receiver;
mod writer;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use tributary_cluster::components::{Programs, ensure as build};
use tributary_cluster::{Component, Progress};

use crate::isolation;
use crate::node::Kubernetes;
use crate::table;
use crate::tested::{Choice, Tested};
use case::Case;

/// The namespace of the pod that writes.
const NAMESPACE: &str = "shop";

/// What `cargo e2e rotation` can be told.
#[derive(Parser, Debug)]
#[command(name = "cargo e2e rotation", no_binary_name = true)]
pub struct Options {
    #[command(flatten)]
    engine: Choice,
    /// How long lines are written, in each case.
    #[arg(long, default_value_t = 0.25)]
    minutes: f64,
    /// How long a log is written until the kubelet rotates it, in seconds. An engine that reads no compressed files needs more than the
    /// time for which its agent is away.
    #[arg(long, default_value_t = 2.5)]
    rotation: f64,
    /// Only cases whose names contain this.
    #[arg(long, default_value = "")]
    case: String,
}

/// Runs all cases; an error when lines are lost, or too many doubled.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let mut wanted = vec![Component::KubeApiserver, Component::Etcd, Component::Kubectl];
    wanted.extend(options.engine.component());
    let programs = runtime.block_on(build(&wanted, &Progress::stderr()))?;
    let tested = options.engine.tested(&programs)?;
    if isolation::is_within() {
        runtime.block_on(within(options, &programs, &tested))
    } else {
        isolation::enter()
    }
}

async fn within(options: &Options, programs: &Programs, tested: &Tested) -> anyhow::Result<()> {
    let duration = Duration::from_secs_f64(options.minutes * 60.0);
    let rotation = Duration::from_secs_f64(options.rotation);
    ensure!(
        duration >= case::LEAST,
        "a case needs {} s at least: --minutes 0.25",
        case::LEAST.as_secs()
    );
    let cases: Vec<Case> = Case::ALL
        .into_iter()
        .filter(|case| case.name().contains(&options.case))
        .collect();
    ensure!(!cases.is_empty(), "no case's name contains {:?}", options.case);
    let kubernetes = Kubernetes::start(programs).await?;
    kubernetes.create_namespace(NAMESPACE, &[]).await?;
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    for case in cases {
        let outcome = case
            .run(&kubernetes, tested, duration, rotation)
            .await
            .with_context(|| format!("case {:?}", case.name()))?;
        wrong.extend(outcome.complaint());
        rows.push(outcome.cells());
    }
    println!(
        "{}, lines at {} a second, the log rotated every {} s, {} s a case:\n",
        tested.engine.as_str(),
        writer::LINES_PER_SECOND,
        options.rotation,
        duration.as_secs()
    );
    print!("{}", table::draw(&case::HEADER, &rows));
    ensure!(wrong.is_empty(), "{}", wrong.join("; "));
    Ok(())
}
