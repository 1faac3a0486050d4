//! `cargo e2e records`: the record test. Nasty lines and the records that they become, as data in `e2e/records/`, whatever the engine;
//! a real agent reads the lines as it would on a node, and what arrives is compared with what should.

mod backend;
mod comparison;
mod report;
mod run;
mod set;
mod text;

use std::path::PathBuf;

use anyhow::{Context as _, bail, ensure};
use clap::{Parser, ValueEnum};
use tributary_cluster::components::{Programs, ensure as build};
use tributary_cluster::{Component, Progress};
use tributary_crds::engine::Engine;

use crate::isolation;
use crate::node::Kubernetes;
use backend::Backends;

/// What `cargo e2e records` can be told.
#[derive(Parser, Debug)]
#[command(name = "cargo e2e records", no_binary_name = true)]
pub struct Options {
    /// The engine, as a policy names it, or in lower case, with dashes or without.
    #[arg(long, default_value = "OpenTelemetryCollector", value_parser = engine)]
    engine: Engine,
    /// The engine's program. The default engine's is built when none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
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

fn engine(text: &str) -> Result<Engine, String> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let found = Engine::ALL
        .into_iter()
        .find(|engine| plain(engine.as_str()) == plain(text));
    found.ok_or_else(|| format!("one of {}", Engine::ALL.map(Engine::as_str).join(", ")))
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
    let binary = binary(options, &programs)?;
    if isolation::is_within() {
        runtime.block_on(within(options, &outputs, &programs, binary))
    } else {
        isolation::enter()
    }
}

fn components(options: &Options, outputs: &[Output]) -> Vec<Component> {
    let mut wanted = vec![Component::KubeApiserver, Component::Etcd, Component::Kubectl];
    if options.binary.is_none() && options.engine == Engine::OpenTelemetryCollector {
        wanted.push(Component::Otelcol);
    }
    if outputs.contains(&Output::Loki) {
        wanted.push(Component::Loki);
    }
    wanted
}

fn binary(options: &Options, programs: &Programs) -> anyhow::Result<PathBuf> {
    if let Some(binary) = &options.binary {
        return std::path::absolute(binary).context("finding the engine's program");
    }
    match options.engine {
        Engine::OpenTelemetryCollector => Ok(programs.path(Component::Otelcol).to_owned()),
        Engine::FluentBit | Engine::Fluentd | Engine::Vector => bail!(
            "{} is not built here: say where its program is, cargo e2e records --engine {} --binary PATH",
            options.engine.as_str(),
            options.engine.as_str().to_lowercase()
        ),
    }
}

async fn within(
    options: &Options,
    outputs: &[Output],
    programs: &Programs,
    binary: PathBuf,
) -> anyhow::Result<()> {
    let sets = set::all(options.engine)?;
    let wanted: Vec<_> = sets
        .into_iter()
        .filter(|set| set.name.contains(&options.set))
        .collect();
    ensure!(!wanted.is_empty(), "no set's name contains {:?}", options.set);
    let kubernetes = Kubernetes::start(programs).await?;
    kubernetes.create_namespace(run::NAMESPACE, &[]).await?;
    let backends = Backends::start(outputs, programs).await?;
    let engine = run::Engine {
        engine: options.engine,
        binary,
    };
    let mut rows = Vec::new();
    for set in &wanted {
        rows.extend(
            run::set(&kubernetes, &backends, &engine, set)
                .await
                .with_context(|| format!("set {:?}", set.name))?,
        );
    }
    report::print(options.engine, &rows)
}
