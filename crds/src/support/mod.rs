//! Which engine can do what: the one table behind the rules of the resource's schema, the compiler's refusals,
//! `docs/reference/support.md` and the tests. Its rows are in `outputs.rs` and `abilities.rs`, and each engine's column is a file.

mod abilities;
mod fluent_bit;
mod fluentd;
mod misfit;
mod open_telemetry_collector;
mod outputs;
mod page;
mod refusal;
mod rules;
mod vector;

pub use abilities::{Abilities, PATTERNS, PROCESSORS, SOURCES, TEMPLATES};
pub use misfit::{Misfit, Thing, misfits};
pub use outputs::*;
pub use page::page;
pub use refusal::{Deed, Refusal};
pub use rules::{add_engine_rules, add_output_rules, compression_deeds, placeholder_deeds};

use crate::buffer::WhenFull;
use crate::compression::Compression;
use crate::engine::Engine;

/// What holds for one kind of destination, whatever the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputSupport {
    /// The field of an output that asks for it.
    pub field: &'static str,
    /// What to write for an engine that cannot, besides another engine; may be empty.
    pub instead: &'static str,
    /// What to write in place of an `auth` that no engine can use.
    pub instead_of_auth: &'static str,
    /// Where the policy says whether the connection is encrypted.
    pub encryption: Encryption,
}

/// Where a policy says whether a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// There is no connection.
    NoNetwork,
    /// The scheme of the URL in this field of the destination.
    Scheme(&'static str),
    /// The presence of `tls`.
    Tls,
    /// It always is.
    Always,
    /// In the destination's own settings, and `tls` has nothing to add.
    Own,
}

/// A method of `auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthMethod {
    /// `auth.basic`.
    Basic,
    /// `auth.bearer`.
    Bearer,
    /// `auth.apiKey`.
    ApiKey,
}

impl AuthMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Bearer, Self::ApiKey];

    /// The field of `auth`.
    pub fn field(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Bearer => "bearer",
            Self::ApiKey => "apiKey",
        }
    }
}

/// What can happen when a buffer is full.
pub const WHEN_FULL: [WhenFull; 3] = [WhenFull::Block, WhenFull::DropOldest, WhenFull::DropNewest];

/// The column of an engine.
pub const fn of(engine: Engine) -> &'static Abilities {
    match engine {
        Engine::OpenTelemetryCollector => &open_telemetry_collector::ABILITIES,
        Engine::FluentBit => &fluent_bit::ABILITIES,
        Engine::Fluentd => &fluentd::ABILITIES,
        Engine::Vector => &vector::ABILITIES,
    }
}

/// The engines that can.
fn able(can: impl Fn(&Abilities) -> bool) -> Vec<Engine> {
    Engine::ALL
        .into_iter()
        .filter(|engine| can(of(*engine)))
        .collect()
}

impl OutputSupport {
    /// The engines that can send there.
    pub fn engines(&self) -> Vec<Engine> {
        able(|abilities| abilities.output(self.field).is_some())
    }

    /// The engines that can use a method of `auth` here.
    pub fn auth(&self, method: AuthMethod) -> Vec<Engine> {
        able(|abilities| {
            abilities
                .output(self.field)
                .is_some_and(|methods| methods.contains(&method))
        })
    }

    /// Sending there.
    pub fn deed(&self) -> Deed {
        Deed {
            what: format!("send to {}", self.field),
            able: self.engines(),
            instead: self.instead.to_owned(),
        }
    }

    /// Why a method of `auth` is none for this destination, whatever the engine, and what to write.
    pub fn auth_misfit(&self, method: AuthMethod) -> Option<Refusal> {
        if !self.auth(method).is_empty() {
            return None;
        }
        let other = AuthMethod::ALL
            .into_iter()
            .find(|other| !self.auth(*other).is_empty());
        Some(Refusal {
            problem: match other {
                Some(_) => format!("{} takes no auth.{}", self.field, method.field()),
                None => format!("{} takes no auth", self.field),
            },
            remedy: match other {
                Some(other) => format!("write auth.{}", other.field()),
                None => self.instead_of_auth.to_owned(),
            },
        })
    }

    /// Why `tls` is nothing for this destination, and what to write, or `None` when it has a meaning.
    pub fn tls_misfit(&self) -> Option<Refusal> {
        (self.encryption == Encryption::Own).then(|| Refusal {
            problem: format!("{} takes no tls", self.field),
            remedy: "remove tls: the authorities of the agent's image check the server".to_owned(),
        })
    }

    /// The ways in which at least one engine can compress what goes there.
    pub fn compressions(&self) -> Vec<Compression> {
        let known = |way: &Compression| !self.compressing(*way).is_empty();
        Compression::ALL.into_iter().filter(known).collect()
    }

    /// The engines that can compress in one way what goes there.
    pub fn compressing(&self, way: Compression) -> Vec<Engine> {
        able(|abilities| abilities.compression(self.field).contains(&way))
    }

    /// Why a way to compress is none for this destination, whatever the engine, and what to write.
    pub fn compression_misfit(&self, way: Compression) -> Option<Refusal> {
        let known = self.compressions();
        if known.contains(&way) {
            return None;
        }
        let names: Vec<&str> = known.into_iter().map(Compression::as_str).collect();
        Some(if names.is_empty() {
            Refusal {
                problem: format!("{} takes no compression", self.field),
                remedy: "remove compression".to_owned(),
            }
        } else {
            Refusal {
                problem: format!("{} takes no compression: {}", self.field, way.as_str()),
                remedy: format!("write compression: {}", names.join(" or ")),
            }
        })
    }

    /// Using a method of `auth` that only some of the engines that send there can use.
    pub fn auth_deed(&self, method: AuthMethod) -> Option<Deed> {
        let using = self.auth(method);
        let unable = self
            .engines()
            .into_iter()
            .find(|engine| !using.contains(engine))?;
        let instead = AuthMethod::ALL
            .into_iter()
            .find(|other| self.auth(*other).contains(&unable));
        (!using.is_empty()).then(|| Deed {
            what: format!("send auth.{} to {}", method.field(), self.field),
            able: using,
            instead: instead
                .map(|other| format!("auth.{}", other.field()))
                .unwrap_or_default(),
        })
    }
}

/// Doing something when a buffer is full.
pub fn when_full_deed(when_full: WhenFull) -> Deed {
    Deed {
        what: format!("do whenFull: {when_full:?}"),
        able: able(|abilities| abilities.when_full.contains(&when_full)),
        instead: format!("whenFull: {:?}", WhenFull::Block),
    }
}

/// Compressing in one way what goes to some outputs, whose `fields` are given.
pub fn compression_deed(way: Compression, fields: &str, able: Vec<Engine>) -> Deed {
    Deed {
        what: format!("use compression: {} for {fields}", way.as_str()),
        able,
        instead: "another compression".to_owned(),
    }
}

/// The engines that can put values of each record into one of [`TEMPLATES`].
pub fn filling(template: &str) -> Vec<Engine> {
    able(|abilities| abilities.placeholders.contains(&template))
}

/// Putting values of each record into some of [`TEMPLATES`], whose `names` are given.
pub fn placeholder_deed(names: &str, able: Vec<Engine>) -> Deed {
    Deed {
        what: format!("put placeholders into {names}"),
        able,
        instead: "a name without braces".to_owned(),
    }
}

/// Running a processor.
pub fn processor_deed(name: &str) -> Deed {
    Deed {
        what: format!("do {name}"),
        able: able(|abilities| abilities.processors.contains(&name)),
        instead: String::new(),
    }
}

/// Collecting from a source.
pub fn source_deed(name: &str) -> Deed {
    Deed {
        what: format!("collect {name}"),
        able: able(|abilities| abilities.sources.contains(&name)),
        instead: String::new(),
    }
}

/// Serving a pattern.
pub fn pattern_deed(name: &str) -> Deed {
    Deed {
        what: format!("run as {name}"),
        able: able(|abilities| abilities.patterns.contains(&name)),
        instead: String::new(),
    }
}

/// The names of all destinations, for messages.
pub fn destinations() -> String {
    OUTPUTS
        .iter()
        .map(|output| output.field)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_column_has_a_row_that_the_table_has_not() {
        for engine in Engine::ALL {
            let abilities = of(engine);
            for (field, _) in abilities.outputs {
                assert!(OUTPUTS.iter().any(|output| output.field == *field), "{field}");
            }
            for (known, able) in [
                (PROCESSORS, abilities.processors),
                (SOURCES, abilities.sources),
                (PATTERNS, abilities.patterns),
                (TEMPLATES, abilities.placeholders),
            ] {
                for name in able {
                    assert!(known.contains(name), "{name}");
                }
            }
            for (field, _) in abilities.compression {
                assert!(abilities.output(field).is_some(), "{field}");
            }
            for template in abilities.placeholders {
                let (output, _) = template.split_once('.').unwrap();
                assert!(abilities.output(output).is_some(), "{template}");
            }
        }
    }
}
