//! `cargo e2e records`: the record test. Nasty lines and the records that they become, as data in `e2e/records/`, whatever the engine;
//! a real agent reads the lines as it would on a node, and what arrives is compared with what should.

mod backend;
mod comparison;
mod report;
mod run;
mod set;
mod text;

use anyhow::{Context as _, ensure};
use clap::{Parser, ValueEnum};
use tributary_cluster::components::{Programs, ensure as build};
use tributary_cluster::{Component, Progress};

use crate::isolation;
use crate::node::Kubernetes;
use crate::tested::{Choice, Tested};
use backend::Backends;

/// What `cargo e2e records` can be told.
#[derive(Parser, Debug)]
#[command(name = "cargo e2e records", no_binary_name = true)]
pub struct Options {
    #[command(flatten)]
    engine: Choice,
    /// Where the records go: every one of these when none is given.
    #[arg(long)]
    output: Vec<Output>,
    /// Only sets whose names contain this.
    #[arg(long, default_value = "")]
    set: String,
}

/// A kind of output, whose backend is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// `file`.
    File,
    /// `loki`.
    Loki,
    /// `elasticsearch`.
    Elasticsearch,
}

impl Output {
    const ALL: [Self; 3] = [Self::File, Self::Loki, Self::Elasticsearch];

    /// As a policy names it, and the output's own name in it.
    fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Loki => "loki",
            Self::Elasticsearch => "elasticsearch",
        }
    }
}

/// Runs the test; an error when something is not as expected.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let outputs = if options.output.is_empty() {
        Output::ALL.to_vec()
    } else {
        options.output.clone()
    };
    let runtime = tokio::runtime::Runtime::new().context("starting the runtime")?;
    let programs = runtime.block_on(build(&components(options, &outputs), &Progress::stderr()))?;
    let tested = options.engine.tested(&programs)?;
    if isolation::is_within() {
        runtime.block_on(within(options, &outputs, &programs, &tested))
    } else {
        isolation::enter()
    }
}

fn components(options: &Options, outputs: &[Output]) -> Vec<Component> {
    let mut wanted = vec![Component::KubeApiserver, Component::Etcd, Component::Kubectl];
    wanted.extend(options.engine.component());
    if outputs.contains(&Output::Loki) {
        wanted.push(Component::Loki);
    }
    wanted
}

async fn within(
    options: &Options,
    outputs: &[Output],
    programs: &Programs,
    tested: &Tested,
) -> anyhow::Result<()> {
    let sets = set::all(tested.engine)?;
    let wanted: Vec<_> = sets
        .into_iter()
        .filter(|set| set.name.contains(&options.set))
        .collect();
    ensure!(!wanted.is_empty(), "no set's name contains {:?}", options.set);
    let kubernetes = Kubernetes::start(programs).await?;
    kubernetes.create_namespace(set::NAMESPACE, &[]).await?;
    let backends = Backends::start(outputs, programs).await?;
    let mut rows = Vec::new();
    for set in &wanted {
        if set.is_refused {
            println!(
                "set {} is not run: {} refuses its policy",
                set.name,
                tested.engine.as_str()
            );
            continue;
        }
        if set.is_ended {
            println!(
                "set {} is not run: one of its lines ends {}",
                set.name,
                tested.engine.as_str()
            );
            continue;
        }
        rows.extend(
            run::set(&kubernetes, &backends, tested, set)
                .await
                .with_context(|| format!("set {:?}", set.name))?,
        );
    }
    report::print(tested.engine, &rows)
}
