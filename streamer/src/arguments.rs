//! The command line.

use std::ffi::{OsStr, OsString};
use std::ops::RangeInclusive;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use crate::format::Format;
use crate::multiline::{DEFAULT_FLUSH, Multiline, Rules};
use crate::usage::{MOST_PATTERNS, UsageError};

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
    /// Paths and globs, as given; at least one and at most [`MOST_PATTERNS`].
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
    /// Whether to have the kernel tell what happens, where it does.
    pub inotify: bool,
    /// Whether to give back the disk space of what was printed.
    pub reclaim: bool,
    /// Whether to say the status at the end, also when all went well.
    pub status: bool,
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Follow files until told to stop.
    Follow(Options),
    /// Print [`crate::usage::HELP`].
    Help,
    /// Print the version.
    Version,
}

const CHECKPOINT: (&str, &str) = ("--checkpoint", "--checkpoint /var/lib/streamer");
const EXISTING: (&str, &str) = ("--existing", "--existing beginning` or `--existing end");
const FORMAT: (&str, &str) = ("--format", "--format raw` or `--format json");
const CONTAINER: (&str, &str) = ("--container", "--container app");
const STRIP: (&str, &str) = ("--strip", "--strip /tributary");
const MULTILINE: (&str, &str) = ("--multiline", "--multiline java");
const FLUSH: (&str, &str) = ("--multiline-flush", "--multiline-flush 1000");
const GRACE: (&str, &str) = ("--grace", "--grace 25");

/// Milliseconds that a record can be waited for: from what two writes are apart to what a reader puts up with.
const FLUSH_RANGE: RangeInclusive<u64> = 10..=60_000;

/// What was said of how lines leave, in any order.
#[derive(Default)]
struct FormatOptions {
    json: bool,
    prefix: bool,
    container: Option<String>,
    rules: Option<Rules>,
    flush: Option<Duration>,
}

impl FormatOptions {
    fn format(self) -> Result<Format, UsageError> {
        if self.rules.is_none() && self.flush.is_some() {
            return Err(UsageError::FlushWithoutMultiline);
        }
        match (self.json, self.prefix) {
            (true, true) => Err(UsageError::PrefixInJson),
            (true, false) => Ok(Format::Json {
                container: self.container,
                multiline: self.rules.map(|rules| Multiline {
                    rules,
                    flush: self.flush.unwrap_or(DEFAULT_FLUSH),
                }),
            }),
            (false, _) if self.rules.is_some() => Err(UsageError::MultilineNeedsJson),
            (false, true) => Ok(Format::Prefixed),
            (false, false) => Ok(Format::Raw),
        }
    }
}

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
        inotify: true,
        reclaim: false,
        status: false,
    };
    let mut format = FormatOptions::default();
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
            b"--no-inotify" => options.inotify = flag("--no-inotify", attached.as_deref(), false)?,
            b"--reclaim" => options.reclaim = flag("--reclaim", attached.as_deref(), true)?,
            b"--status" => options.status = flag("--status", attached.as_deref(), true)?,
            b"--prefix" => format.prefix = flag("--prefix", attached.as_deref(), true)?,
            b"--checkpoint" => options.checkpoint = Some(PathBuf::from(value(CHECKPOINT)?)),
            b"--existing" => options.existing = parse_existing(&value(EXISTING)?)?,
            b"--grace" => options.grace = parse_grace(&value(GRACE)?)?,
            b"--strip" => options.strip = Some(parse_strip(value(STRIP)?)?),
            b"--format" => format.json = parse_is_json(&value(FORMAT)?)?,
            b"--container" => format.container = Some(value(CONTAINER)?.to_string_lossy().into_owned()),
            b"--multiline" => format.rules = Some(Rules::parse(&value(MULTILINE)?.to_string_lossy())?),
            b"--multiline-flush" => format.flush = Some(parse_flush(&value(FLUSH)?)?),
            _ => return Err(UsageError::UnknownOption(argument.to_string_lossy().into_owned())),
        }
    }
    options.format = format.format()?;
    if options.reclaim && options.checkpoint.is_none() {
        return Err(UsageError::ReclaimWithoutCheckpoint);
    }
    check_patterns(&options.patterns)?;
    Ok(Command::Follow(options))
}

fn check_patterns(patterns: &[OsString]) -> Result<(), UsageError> {
    if patterns.iter().any(|pattern| pattern.is_empty()) {
        return Err(UsageError::EmptyPath);
    }
    match patterns.len() {
        0 => Err(UsageError::NoPath),
        1..=MOST_PATTERNS => Ok(()),
        more => Err(UsageError::TooManyPaths(more)),
    }
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

fn flag<T>(name: &'static str, attached: Option<&OsStr>, meaning: T) -> Result<T, UsageError> {
    match attached {
        Some(_) => Err(UsageError::UnexpectedValue(name)),
        None => Ok(meaning),
    }
}

fn parse_is_json(value: &OsStr) -> Result<bool, UsageError> {
    match value.as_bytes() {
        b"raw" => Ok(false),
        b"json" => Ok(true),
        _ => Err(bad_value(FORMAT, value)),
    }
}

fn parse_strip(value: OsString) -> Result<PathBuf, UsageError> {
    let directory = PathBuf::from(value);
    if directory.is_absolute() {
        Ok(directory)
    } else {
        Err(bad_value(STRIP, directory.as_os_str()))
    }
}

fn parse_flush(value: &OsStr) -> Result<Duration, UsageError> {
    let milliseconds = value.to_str().and_then(|text| text.parse::<u64>().ok());
    milliseconds
        .filter(|milliseconds| FLUSH_RANGE.contains(milliseconds))
        .map(Duration::from_millis)
        .ok_or_else(|| bad_value(FLUSH, value))
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
    use crate::usage::HELP;

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
        assert_eq!(options.format, Format::Raw);
        assert_eq!(options.strip, None);
    }

    #[test]
    fn formats_are_said_in_any_order() {
        let options = followed(&[
            "--container=app",
            "--multiline",
            "go",
            "--format=json",
            "--strip=/tributary",
            "/a",
        ]);
        assert_eq!(options.strip, Some(PathBuf::from("/tributary")));
        let multiline = Some(Multiline {
            rules: Rules::Go,
            flush: Duration::from_secs(1),
        });
        let container = Some("app".to_owned());
        assert_eq!(options.format, Format::Json { container, multiline });

        let options = followed(&[
            "--format=json",
            "--multiline-flush=250",
            "--multiline=/^\\d+ /",
            "/a",
        ]);
        let Format::Json {
            container: None,
            multiline: Some(multiline),
        } = options.format
        else {
            panic!("{:?}", options.format);
        };
        assert_eq!(multiline.flush, Duration::from_millis(250));
        assert_eq!(multiline.rules, Rules::parse("/^\\d+ /").unwrap());

        // The webhook names the container of every sidecar for several files.
        let options = followed(&["--prefix", "--format=raw", "--container=app", "/a"]);
        assert_eq!(options.format, Format::Prefixed);
    }

    #[test]
    fn sixteen_paths_are_enough() {
        assert_eq!(followed(&["/a"; 16]).patterns.len(), 16);
        let error = parse_words(&["/a"; 17]).expect_err("too many");
        assert!(
            error.to_string().contains("17 paths") && error.to_string().contains("glob"),
            "{error}"
        );
    }

    #[test]
    fn help_and_version_need_no_path() {
        assert_eq!(parse_words(&["--help"]), Ok(Command::Help));
        assert_eq!(parse_words(&["--version"]), Ok(Command::Version));
    }

    #[test]
    fn every_mistake_says_what_to_write_instead() {
        let mistakes: [(&[&str], &str); 25] = [
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
            (&["--prefix=yes", "/a"], "write `--prefix`"),
            (&["--reclaim", "/a"], "`--checkpoint /var/lib/streamer`"),
            (&["--no-inotify=1", "/a"], "write `--no-inotify`"),
            (&["--format=xml", "/a"], "`--format raw` or `--format json`"),
            (&["--strip=tributary", "/a"], "`--strip /tributary`"),
            (&["--container=", "/a"], "`--container app`"),
            (&["--prefix", "--format=json", "/a"], "leave out --prefix"),
            (&["--multiline=java", "/a"], "write --format=json too"),
            (&["--multiline=java", "--prefix", "/a"], "write --format=json too"),
            (&["--multiline-flush=5", "/a"], "`--multiline-flush 1000`"),
            (&["--multiline-flush=60001", "/a"], "`--multiline-flush 1000`"),
            (
                &["--multiline-flush=500", "--format=json", "/a"],
                "`--multiline=java`",
            ),
            (
                &["--multiline=Java", "--format=json", "/a"],
                "neither java, python, go or ruby",
            ),
            (&["--multiline=/^[0-9/", "--format=json", "/a"], "'/^[0-9]{4}-/'"),
            (
                &["--multiline=/(?=x)/", "--format=json", "/a"],
                "without look-around",
            ),
            (&["--multiline=//", "--format=json", "/a"], "'/^[0-9]{4}-/'"),
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
        for option in [
            CHECKPOINT, EXISTING, FORMAT, CONTAINER, STRIP, MULTILINE, FLUSH, GRACE,
        ]
        .map(|(name, _)| name)
        {
            assert!(HELP.contains(option), "{option} is missing");
            let unknown = UsageError::UnknownOption(String::new()).to_string();
            assert!(unknown.contains(option), "{option} is missing in {unknown}");
        }
        for flag in [
            "--prefix",
            "--no-inotify",
            "--reclaim",
            "--status",
            "--help",
            "--version",
        ] {
            assert!(HELP.contains(flag), "{flag} is missing");
            let unknown = UsageError::UnknownOption(String::new()).to_string();
            assert!(unknown.contains(flag), "{flag} is missing in {unknown}");
        }
    }
}
