//! `cargo e2e`: what takes longer than a test may.
//!
//! `cargo e2e [FILTER...]` runs the tests that need a node, with the arguments of `cargo test`; `cargo e2e bench webhook` measures
//! the webhook; `cargo e2e fuzz [SECONDS]` fuzzes what reads other people's bytes; `cargo e2e records` compares what a real agent makes
//! of nasty lines, and `cargo e2e rotation` counts lines while logs are rotated and backends are away. The last two say with `--help` what
//! they can be told.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use tributary_e2e::{cargo, fuzzing, records, rotation};

/// Options, or the end of the program with what is wrong with them.
fn parsed<T: Parser>(arguments: &[OsString]) -> anyhow::Result<T> {
    T::try_parse_from(arguments).map_err(|error| error.exit())
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = arguments
        .iter()
        .map(|argument| argument.to_str().unwrap_or_default())
        .collect();
    let ended = match words.as_slice() {
        ["bench", "webhook"] => {
            let bench = [
                "bench",
                "--quiet",
                "--package",
                "tributary-webhook",
                "--bench",
                "serving",
            ];
            cargo::run(&mut cargo::command(&bench))
        }
        ["bench", ..] => Err(anyhow::anyhow!("there is one bench: cargo e2e bench webhook")),
        ["fuzz"] => fuzzing::run(fuzzing::SECONDS),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzzing::run(seconds),
            Err(_) => Err(anyhow::anyhow!(
                "{seconds:?} is no number of seconds: cargo e2e fuzz 60"
            )),
        },
        ["rotation", ..] => parsed(&arguments[1..]).and_then(|options| rotation::run(&options)),
        ["records", ..] => parsed(&arguments[1..]).and_then(|options| records::run(&options)),
        _ => {
            let tests = [
                "test",
                "--package",
                "tributary-e2e",
                "--features",
                "node",
                "--test",
                "node",
                "--",
            ];
            cargo::run(cargo::command(&tests).args(&arguments))
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cargo e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}
