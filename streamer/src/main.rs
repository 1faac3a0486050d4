//! The command line of the streamer.

use std::io::{self, Write};
use std::process::ExitCode;

use tributary_streamer::arguments::{self, Command, Options};
use tributary_streamer::follow::follow;
use tributary_streamer::report::Reporter;
use tributary_streamer::signals::Signals;
use tributary_streamer::stdout::Stdout;
use tributary_streamer::tail::Tailer;
use tributary_streamer::usage::HELP;

/// The command line could not be understood.
const USAGE: u8 = 2;
/// Nobody reads standard output any more.
const CLOSED: u8 = 3;
/// The process could not be set up: no descriptor or no signal handler to be had.
const SETUP: u8 = 4;

fn main() -> ExitCode {
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Command::Follow(options)) => run(&options),
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(concat!("tributary-streamer ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(error) => {
            let mut reporter = Reporter::new(Box::new(io::stderr()));
            reporter.say(format_args!("{error} (--help says more)"));
            ExitCode::from(USAGE)
        }
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(CLOSED),
    }
}

fn run(options: &Options) -> ExitCode {
    let mut reporter = Reporter::new(Box::new(io::stderr()));
    let setup = Signals::install().and_then(|signals| {
        let stdout = Stdout::open()?;
        Ok((signals, stdout))
    });
    let (mut signals, stdout) = match setup {
        Ok(setup) => setup,
        Err(error) => {
            reporter.say(format_args!(
                "cannot set up standard output and signals ({error}): check the limits of the container"
            ));
            return ExitCode::from(SETUP);
        }
    };
    let mut tailer = Tailer::new(options, stdout, reporter);
    let ended = follow(&mut tailer, &mut signals, options.inotify, options.grace);
    if options.status || tailer.has_losses_or_lag() {
        tailer.report_status();
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            Reporter::new(Box::new(io::stderr())).say(format_args!("{error}"));
            ExitCode::from(CLOSED)
        }
    }
}
