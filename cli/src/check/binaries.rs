//! Which program is asked for which engine.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::str::FromStr;

use tributary_crds::engine::Engine;

use super::validator::{self, Validator};
use crate::error::Error;

/// What `--engine-binary` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineBinary {
    engine: Option<Engine>,
    program: PathBuf,
}

impl FromStr for EngineBinary {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once('=').and_then(|(name, program)| {
            let engine = Engine::ALL.into_iter().find(|engine| engine.as_str() == name)?;
            Some((Some(engine), program))
        });
        let (engine, program) = named.unwrap_or((None, text));
        if program.is_empty() {
            return Err("write the path of a program, such as /usr/bin/otelcol-contrib".to_owned());
        }
        Ok(Self {
            engine,
            program: PathBuf::from(program),
        })
    }
}

/// The programs that are asked.
#[derive(Debug, Default)]
pub struct Binaries {
    by_engine: BTreeMap<Engine, Validator>,
}

impl Binaries {
    /// Those of the engines that policies use: what the command line says, else what is on the `PATH`. What is wrong with a
    /// policy may hide that it has an engine: then a program may be for that one.
    ///
    /// # Errors
    /// For a program on the command line that is none, or that no policy has a use for.
    pub fn new(
        demanded: &[EngineBinary],
        used: BTreeSet<Engine>,
        are_all_right: bool,
        path: Option<&OsStr>,
    ) -> Result<Self, Error> {
        let mut by_engine = BTreeMap::new();
        for binary in demanded {
            let engine = match (binary.engine, used.iter().collect::<Vec<_>>().as_slice()) {
                (Some(engine), _) if used.contains(&engine) => engine,
                (None, [engine]) => **engine,
                _ if !are_all_right => continue,
                (named, _) => {
                    return Err(Error::EngineBinary {
                        program: binary.program.display().to_string(),
                        problem: unused(named, &used),
                    });
                }
            };
            if !validator::is_program(&binary.program) {
                return Err(Error::EngineBinary {
                    program: binary.program.display().to_string(),
                    problem: "is no program; write the path of an executable file".to_owned(),
                });
            }
            // Relative to where it is looked for, not to where it runs.
            let program = std::path::absolute(&binary.program)?;
            let is_demanded = true;
            by_engine.insert(engine, Validator { program, is_demanded });
        }
        for engine in used {
            if let Some(program) = validator::find(engine, path) {
                let is_demanded = false;
                by_engine
                    .entry(engine)
                    .or_insert(Validator { program, is_demanded });
            }
        }
        Ok(Self { by_engine })
    }

    /// The program of an engine, if there is one.
    pub fn of(&self, engine: Engine) -> Option<&Validator> {
        self.by_engine.get(&engine)
    }
}

fn unused(asked: Option<Engine>, used: &BTreeSet<Engine>) -> String {
    let names: Vec<&str> = used.iter().map(|engine| engine.as_str()).collect();
    match (asked, names.as_slice()) {
        (_, []) => "has nothing to read: no policy has an agent".to_owned(),
        (Some(engine), _) => format!(
            "is for engine {}, and the policies use {}",
            engine.as_str(),
            names.join(", ")
        ),
        (None, _) => format!(
            "is for one engine, and the policies use {}; write which: {}=PATH",
            names.join(", "),
            names[0]
        ),
    }
}
