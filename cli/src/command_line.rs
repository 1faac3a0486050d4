//! What the command line says.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::{DONE, UNUSABLE, check, inject, render};

/// The prefix of a kubectl plugin's file name.
const PLUGIN: &str = "kubectl-";

/// `tributary`
#[derive(Debug, Parser)]
#[command(
    name = "tributary",
    version,
    about = "Says what Tributary makes of pods and policies, without a cluster."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say everything that is wrong with policies, also by the engine's own judgement.
    Check(check::Options),
    /// Print the exact pods that admission would make.
    Inject(inject::Options),
    /// Print the exact files and objects of policies' node agents.
    Render(render::Options),
}

impl CommandLine {
    /// Reads the arguments, of which the first is the program's name. As `kubectl-tributary` it is called `kubectl tributary` in
    /// its messages.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let program = arguments.first().and_then(|name| Path::new(name).file_stem());
        let is_plugin = program.is_some_and(|name| name.to_string_lossy().starts_with(PLUGIN));
        let command = Self::command().bin_name(if is_plugin {
            "kubectl tributary"
        } else {
            "tributary"
        });
        let matches = command.try_get_matches_from(arguments)?;
        Self::from_arg_matches(&matches)
    }
}

/// Shows what the reader of the command line has to say: help, the version, or what is wrong. Returns the exit status.
pub fn show(message: &clap::Error, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8 {
    // Where this fails there is nobody else to tell.
    if message.use_stderr() {
        let _ = write!(stderr, "{message}");
        UNUSABLE
    } else {
        let _ = write!(stdout, "{message}");
        DONE
    }
}
