//! The command line of Tributary, without a cluster: what would become of the objects in these files?
//!
//! [`run`] is the whole program; its streams are arguments, so that tests and other programs can be its terminal.

mod check;
mod command_line;
mod documents;
mod error;
mod format;
mod inject;
mod lines;
mod origin;
mod policies;
mod render;
mod schema;

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};

use command_line::{Command, CommandLine};
use error::Error;

/// Everything that was asked for is given, or nothing was asked for.
pub const DONE: u8 = 0;
/// The command line or a file cannot be understood; nothing was done.
pub const UNUSABLE: u8 = 1;
/// Something that was asked for is not given; what can be is.
pub const NOT_GIVEN: u8 = 2;

/// Runs the program. The first argument is its name. Returns its exit status: [`DONE`], [`UNUSABLE`] or [`NOT_GIVEN`].
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8 {
    let command = match CommandLine::read(arguments) {
        Ok(CommandLine { command }) => command,
        Err(message) => return command_line::show(&message, stdout, stderr),
    };
    let finished = match command {
        Command::Check(options) => check::run(&options, stdin, stdout, stderr),
        Command::Inject(options) => inject::run(&options, stdin, stdout, stderr),
        Command::Render(options) => render::run(&options, stdin, stdout, stderr),
    };
    finished.unwrap_or_else(|error| match error {
        // The reader of a pipe has seen enough.
        Error::Write(error) if error.kind() == ErrorKind::BrokenPipe => DONE,
        error => {
            // Where this fails there is nobody else to tell.
            let _ = writeln!(stderr, "error: {error}");
            UNUSABLE
        }
    })
}
