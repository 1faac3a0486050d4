//! Which engine a test with a pretended node runs, and where its program is.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use tributary_cluster::Component;
use tributary_cluster::components::Programs;
use tributary_crds::engine::Engine;

/// An engine that is run.
#[derive(Clone, Debug)]
pub struct Tested {
    /// The engine.
    pub engine: Engine,
    /// Its program.
    pub binary: PathBuf,
}

/// The engine, as the command line has it.
#[derive(Args, Clone, Debug)]
pub struct Choice {
    /// The engine, as a policy names it, or in lower case, with dashes or without.
    #[arg(long, default_value = "OpenTelemetryCollector", value_parser = engine)]
    engine: Engine,
    /// The engine's program. The default engine's is built when none is given.
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Choice {
    /// What has to be built: the collector, when no program is given.
    pub fn component(&self) -> Option<Component> {
        let is_built = self.binary.is_none() && self.engine == Engine::OpenTelemetryCollector;
        is_built.then_some(Component::Otelcol)
    }

    /// The engine with its program. `programs` has [`Choice::component`].
    ///
    /// # Errors
    /// When the program is neither given nor built.
    pub fn tested(&self, programs: &Programs) -> anyhow::Result<Tested> {
        let binary = match (&self.binary, self.engine) {
            (Some(binary), _) => std::path::absolute(binary).context("finding the engine's program")?,
            (None, Engine::OpenTelemetryCollector) => programs.path(Component::Otelcol).to_owned(),
            (None, Engine::FluentBit | Engine::Fluentd | Engine::Vector) => bail!(
                "{engine} is not built here: say where its program is, --engine {engine} --binary PATH",
                engine = self.engine.as_str()
            ),
        };
        Ok(Tested {
            engine: self.engine,
            binary,
        })
    }
}

fn engine(text: &str) -> Result<Engine, String> {
    let plain = |text: &str| text.replace(['-', '_'], "").to_lowercase();
    let found = Engine::ALL
        .into_iter()
        .find(|engine| plain(engine.as_str()) == plain(text));
    found.ok_or_else(|| format!("one of {}", Engine::ALL.map(Engine::as_str).join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_found_by_any_spelling() {
        for text in ["FluentBit", "fluent-bit", "fluent_bit", "fluentbit"] {
            assert_eq!(engine(text), Ok(Engine::FluentBit));
        }
        assert!(engine("fluentb").unwrap_err().contains("Vector"));
    }
}
