//! What is said about the command line: help, and what to write instead of a mistake.

use thiserror::Error;

use crate::multiline::RulesError;

/// Paths and globs that one process follows at most. A glob may stand for any number of files.
pub const MOST_PATTERNS: usize = 16;

/// What `--help` prints.
pub const HELP: &str = "\
tributary-streamer: print growing files to standard output, losing nothing that the disk still holds

Usage: tributary-streamer [OPTION]... PATH_OR_GLOB...

  tributary-streamer /var/log/app.log
  tributary-streamer --checkpoint /state --prefix '/var/log/app/*.log'
  tributary-streamer --format json --multiline java /var/log/app.log

Every byte of every file goes to standard output unchanged, or every line as JSON; with several files, whole
lines take turns. At most 16 paths and globs, of any number of files.
Files and directories need not exist yet: that is said after 30 seconds, and waited for. Rotation by rename or by
copy and truncation is followed, and rotations that happened in between are read from the rotated files (FILE.1,
FILE-20260131, ...). It runs until SIGTERM or SIGINT, then reads every file to its end and exits.

Globs: * and ? within a name, [a-z] and [!a-z], ** for directories of any depth, \\ before a character
that is meant literally. Quote them, or the shell expands them once and new files are not found.

Options:
  --checkpoint DIR          keep positions in DIR; after a restart, go on from there
  --existing beginning|end  where to start in files that are there at the first start without positions
                            (default: beginning); files that appear later are always read from the beginning
  --format raw|json         raw: bytes as they are (default); json: one object a line with time, file and message
  --prefix                  with raw: write [FILE] before each line
  --container NAME          with json: write NAME into each record as its container
  --strip DIR               print the names of files below DIR without it
  --multiline RULES         with json: lines that belong together are one record. RULES: java, python, go, ruby
                            for their stack traces, or /REGEX/ for what the first line of every record looks like
  --multiline-flush MS      milliseconds of silence after which a record counts as whole (default: 1000)
  --grace SECONDS           at most this long for reading to the end after SIGTERM or SIGINT (default: 25)
  --reclaim                 with --checkpoint: give back the disk space of what was printed, for files that nobody else
                            reads and that are not truncated in place. Their size stays, what was printed reads as zeros
  --status                  print the status (see below) at the end too, not only when something was lost or left
  --no-inotify              look by the clock only, at most a second apart: inotify instances are few (128 a user)
  --help                    print this and exit
  --version                 print the version and exit

Exit codes: 0 after SIGTERM or SIGINT, 2 command line not understood, 3 standard output closed by its reader,
4 no standard output or no signals to be had.
Messages go to standard error. SIGUSR1 prints one line there for each file: offset, lag (bytes not printed yet),
rotations seen, bytes printed, losses that are certain, bytes of disk given back. The same lines come at the end if
something was lost or is left.
";

/// A command line that cannot be understood, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageError {
    /// No path.
    #[error("no file to follow: name at least one, as in `tributary-streamer /var/log/app.log`")]
    NoPath,
    /// An empty path, which is mostly an unset variable.
    #[error("an empty path was given: name the file, as in `tributary-streamer /var/log/app.log`")]
    EmptyPath,
    /// More paths than one process follows.
    #[error(
        "{0} paths were given, more than {MOST_PATTERNS}: write a glob for several files, as in '/var/log/app/*.log', or \
         start another streamer"
    )]
    TooManyPaths(usize),
    /// An option that does not exist.
    #[error(
        "there is no option {0:?}: the options are --checkpoint, --existing, --format, --prefix, --container, --strip, \
         --multiline, --multiline-flush, --grace, --reclaim, --status, --no-inotify, --help and --version; write `-- {0}` for a file of that name"
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
    /// Joined lines would fall apart again.
    #[error(
        "--multiline with raw output is of no use, the newlines within a record would end it again: write --format=json too, \
         or leave out --multiline"
    )]
    MultilineNeedsJson,
    /// JSON has the name in each record.
    #[error(
        "--prefix and --format=json exclude each other, a record has its file's name in \"file\": leave out --prefix"
    )]
    PrefixInJson,
    /// Nothing to flush.
    #[error(
        "--multiline-flush says how long a record is waited for: write which lines make one, as in `--multiline=java`"
    )]
    FlushWithoutMultiline,
    /// A restart would print zeros.
    #[error(
        "--reclaim takes what was printed off the disk, and without positions a restart would print zeros in its place: write \
         `--checkpoint /var/lib/streamer` too"
    )]
    ReclaimWithoutCheckpoint,
    /// Rules that mean nothing.
    #[error("--multiline: {0}")]
    Rules(#[from] RulesError),
}
