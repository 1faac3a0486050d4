//! Builds programs into the cache ahead of their use, for CI and before a demonstration.

use std::process::ExitCode;

use clap::{Parser, builder::PossibleValuesParser};
use tributary_cluster::{
    Component, Error, Progress,
    components::{self, cache_root},
};

/// Build programs of a cluster into the cache and print where each lies.
#[derive(Parser)]
struct Arguments {
    /// Which programs; `all` for every one.
    #[arg(required = true, value_parser = PossibleValuesParser::new(names()))]
    programs: Vec<String>,
}

fn names() -> Vec<&'static str> {
    std::iter::once("all")
        .chain(Component::ALL.iter().map(|component| component.name()))
        .collect()
}

async fn run(arguments: &Arguments) -> Result<(), Error> {
    let asked = |name: &str| arguments.programs.iter().any(|program| program == name);
    let wanted: Vec<Component> = Component::ALL
        .into_iter()
        .filter(|component| asked("all") || asked(component.name()))
        .collect();
    eprintln!("programs are kept in {}", cache_root()?.display());
    let programs = components::ensure(&wanted, &Progress::stderr()).await?;
    for component in wanted {
        println!("{}", programs.path(component).display());
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
