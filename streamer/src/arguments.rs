//! The command line.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::format::Format;

/// What `--help` prints.
pub const HELP: &str = "\
tributary-streamer: print growing files to standard output, losing nothing that the disk still holds

Usage: tributary-streamer [OPTION]... PATH_OR_GLOB...

Every byte of every file goes to standard output unchanged; with several files, whole lines take turns.
Files and directories need not exist yet. Rotation by rename or by copy and truncation is followed, and
rotations that happened in between are read from the rotated files (FILE.1, FILE-20260131, ...).
It runs until SIGTERM or SIGINT, then reads every file to its end and exits.

Globs: * and ? within a name, [a-z] and [!a-z], ** for directories of any depth, \\ before a character
that is meant literally. Quote them, or the shell expands them once and new files are not found.

Options:
  --checkpoint DIR          keep positions in DIR; after a restart, go on from there
  --existing beginning|end  where to start in files that are there at the first start without positions
                            (default: beginning); files that appear later are always read from the beginning
  --grace SECONDS           at most this long for reading to the end after SIGTERM (default: 25)
  --help                    print this and exit
  --version                 print the version and exit

Exit codes: 0 after SIGTERM or SIGINT, 2 command line not understood, 3 standard output closed by its reader.
Messages go to standard error.
";

/// Where to begin in a file that is there at the first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// At its first byte.
    Beginning,
    /// At its end: for volumes that outlive the pod.
    End,
}

/// What the streamer is asked to follow, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Paths and globs, as given; at least one.
    pub patterns: Vec<OsString>,
    /// The directory for positions.
    pub checkpoint: Option<PathBuf>,
    /// Where to begin in files that are there at the first start.
    pub existing: Existing,
    /// The longest that reading to the end may take after SIGTERM.
    pub grace: Duration,
    /// How lines leave.
    pub format: Format,
    /// A directory that is taken off the paths that are printed with lines.
    pub strip: Option<PathBuf>,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Follow files until told to stop.
    Follow(Options),
    /// Print [`HELP`].
    Help,
    /// Print the version.
    Version,
}

/// A command line that cannot be understood, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageError {
    /// No path.
    #[error("no file to follow: name at least one, as in `tributary-streamer /var/log/app.log`")]
    NoPath,
    /// An empty path, which is mostly an unset variable.
    #[error("an empty path was given: name the file, as in `tributary-streamer /var/log/app.log`")]
    EmptyPath,
    /// An option that does not exist.
    #[error(
        "there is no option {0:?}: the options are --checkpoint, --existing, --grace, --help and --version; \
         write `-- {0}` for a file of that name"
    )]
    UnknownOption(String),
    /// An option without its value.
    #[error("{0} needs a value: write `{1}`")]
    MissingValue(&'static str, &'static str),
    /// A value given to an option that takes none.
    #[error("{0} takes no value: write `{0}`")]
    UnexpectedValue(&'static str),
    /// A value that is not one of those possible.
    #[error("{option} cannot be {value:?}: write `{instead}`")]
    BadValue {
        /// The option.
        option: &'static str,
        /// The value given.
        value: String,
        /// A command line that works.
        instead: &'static str,
    },
}

const CHECKPOINT: (&str, &str) = ("--checkpoint", "--checkpoint /var/lib/streamer");
const EXISTING: (&str, &str) = ("--existing", "--existing beginning` or `--existing end");
const GRACE: (&str, &str) = ("--grace", "--grace 25");

/// Parses the arguments that follow the program's name.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let mut arguments = arguments.into_iter();
    let mut options = Options {
        patterns: Vec::new(),
        checkpoint: None,
        existing: Existing::Beginning,
        grace: Duration::from_secs(25),
        format: Format::Raw,
        strip: None,
    };
    let mut only_paths = false;
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_bytes();
        if only_paths || !bytes.starts_with(b"-") {
            options.patterns.push(argument);
            continue;
        }
        let (name, attached) = split_value(bytes);
        let mut value = |(option, instead): (&'static str, &'static str)| {
            attached
                .clone()
                .or_else(|| arguments.next())
                .filter(|value| !value.is_empty())
                .ok_or(UsageError::MissingValue(option, instead))
        };
        match name {
            b"--" if attached.is_none() => only_paths = true,
            b"--help" | b"-h" => return flag("--help", attached.as_deref(), Command::Help),
            b"--version" | b"-V" => return flag("--version", attached.as_deref(), Command::Version),
            b"--checkpoint" => options.checkpoint = Some(PathBuf::from(value(CHECKPOINT)?)),
            b"--existing" => options.existing = parse_existing(&value(EXISTING)?)?,
            b"--grace" => options.grace = parse_grace(&value(GRACE)?)?,
            _ => return Err(UsageError::UnknownOption(argument.to_string_lossy().into_owned())),
        }
    }
    if options.patterns.iter().any(|pattern| pattern.is_empty()) {
        return Err(UsageError::EmptyPath);
    }
    if options.patterns.is_empty() {
        return Err(UsageError::NoPath);
    }
    Ok(Command::Follow(options))
}

/// Splits `--option=value`.
fn split_value(argument: &[u8]) -> (&[u8], Option<OsString>) {
    match argument.iter().position(|&byte| byte == b'=') {
        Some(at) => (
            &argument[..at],
            Some(OsString::from_vec(argument[at + 1..].to_vec())),
        ),
        None => (argument, None),
    }
}

fn flag(name: &'static str, attached: Option<&OsStr>, command: Command) -> Result<Command, UsageError> {
    match attached {
        Some(_) => Err(UsageError::UnexpectedValue(name)),
        None => Ok(command),
    }
}

fn parse_existing(value: &OsStr) -> Result<Existing, UsageError> {
    match value.as_bytes() {
        b"beginning" => Ok(Existing::Beginning),
        b"end" => Ok(Existing::End),
        _ => Err(bad_value(EXISTING, value)),
    }
}

fn parse_grace(value: &OsStr) -> Result<Duration, UsageError> {
    let seconds = value.to_str().and_then(|text| text.parse::<u32>().ok());
    seconds
        .map(|seconds| Duration::from_secs(seconds.into()))
        .ok_or_else(|| bad_value(GRACE, value))
}

fn bad_value((option, instead): (&'static str, &'static str), value: &OsStr) -> UsageError {
    UsageError::BadValue {
        option,
        value: value.to_string_lossy().into_owned(),
        instead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Command, UsageError> {
        parse(words.iter().map(OsString::from))
    }

    fn followed(words: &[&str]) -> Options {
        match parse_words(words) {
            Ok(Command::Follow(options)) => options,
            other => panic!("expected to follow, got {other:?}"),
        }
    }

    #[test]
    fn paths_and_options_mix_in_any_order() {
        let options = followed(&[
            "/a.log",
            "--existing=end",
            "/b/*.log",
            "--checkpoint",
            "/state",
            "--grace=3",
            "--",
            "--x",
        ]);
        assert_eq!(options.patterns, ["/a.log", "/b/*.log", "--x"]);
        assert_eq!(options.existing, Existing::End);
        assert_eq!(options.checkpoint, Some(PathBuf::from("/state")));
        assert_eq!(options.grace, Duration::from_secs(3));
    }

    #[test]
    fn defaults_read_everything_and_keep_nothing() {
        let options = followed(&["/a.log"]);
        assert_eq!(options.existing, Existing::Beginning);
        assert_eq!(options.checkpoint, None);
    }

    #[test]
    fn help_and_version_need_no_path() {
        assert_eq!(parse_words(&["--help"]), Ok(Command::Help));
        assert_eq!(parse_words(&["--version"]), Ok(Command::Version));
    }

    #[test]
    fn every_mistake_says_what_to_write_instead() {
        let mistakes: [(&[&str], &str); 9] = [
            (&[], "`tributary-streamer /var/log/app.log`"),
            (&[""], "`tributary-streamer /var/log/app.log`"),
            (&["-F", "/a"], "`-- -F`"),
            (&["--follow"], "--checkpoint, --existing"),
            (&["--checkpoint"], "`--checkpoint /var/lib/streamer`"),
            (&["--checkpoint=", "/a"], "`--checkpoint /var/lib/streamer`"),
            (
                &["--existing", "middle", "/a"],
                "`--existing beginning` or `--existing end`",
            ),
            (&["--grace", "-1", "/a"], "`--grace 25`"),
            (&["--help=me"], "write `--help`"),
        ];
        for (words, advice) in mistakes {
            let message = parse_words(words).expect_err("a mistake").to_string();
            assert!(
                message.contains(advice),
                "{words:?}: {message:?} does not say {advice:?}"
            );
        }
    }

    #[test]
    fn help_names_every_option() {
        for option in ["--checkpoint", "--existing", "--grace", "--help", "--version"] {
            assert!(HELP.contains(option), "{option} is missing");
        }
    }
}
