//! Which lines of a file belong together in one record.
//!
//! A preset is a table of rules: in this stage of a record, a line like this continues it and leads to that stage. A line that no
//! rule takes ends the record; outside of records most lines match nothing and are records of their own, at once.

mod go;
mod java;
mod lines;
mod python;
mod ruby;
mod start;

use std::time::Duration;

use thiserror::Error;

pub use start::StartPattern;

/// How long a record waits for another line unless something else is asked for; Fluent Bit waits two seconds, the collector's
/// `recombine` five.
pub const DEFAULT_FLUSH: Duration = Duration::from_secs(1);

/// Which lines belong together, and how long to wait for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multiline {
    /// Which lines belong together.
    pub rules: Rules,
    /// The silence after which a record counts as whole.
    pub flush: Duration,
}

/// Which lines belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// Stack traces of the JVM, of .NET and of V8.
    Java,
    /// Python's tracebacks.
    Python,
    /// Go's panics and goroutine dumps.
    Go,
    /// Ruby's and Rails' backtraces.
    Ruby,
    /// Every line that does not match continues the record before it.
    Start(StartPattern),
}

/// A value of `--multiline` that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RulesError {
    /// Neither a preset nor a pattern between slashes.
    #[error(
        "{0:?} is neither java, python, go or ruby nor a pattern between slashes: write `--multiline='/^[0-9]{{4}}-/'`"
    )]
    Unknown(String),
    /// A pattern of no length, which every line matches.
    #[error(
        "the pattern between the slashes is empty: write what a record's first line looks like, as in `--multiline='/^[0-9]{{4}}-/'`"
    )]
    Empty,
    /// Not a regular expression that this program knows.
    #[error(
        "{pattern:?} is no regular expression ({reason}): write one without look-around and back-references, as in \
         `--multiline='/^[0-9]{{4}}-/'`"
    )]
    Pattern {
        /// The pattern, without its slashes.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// How far a record has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// In none: the line before ended one, or was one.
    #[default]
    Outside,
    /// After what begins it: an exception's name, `panic:`.
    Begun,
    /// Another exception's name has to follow.
    Nested,
    /// After a frame of the stack.
    Frames,
    /// After the call of a frame whose place follows on the next line.
    Call,
    /// After the exception that a traceback ends with.
    Raised,
    /// After a blank line that may be part of it.
    Gap,
    /// After the line that announces another traceback.
    Chained,
    /// After the first line of an error as Rails logs it.
    Rails,
    /// After a frame as Rails logs it.
    RailsFrames,
}

/// Whether a line belongs to the record before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belongs {
    Surely,
    /// When a later line surely does: blank lines.
    IfMoreFollows,
}

/// In one of the stages `from`, a line that `line` accepts leads `to` another one.
struct Rule {
    from: &'static [Stage],
    line: fn(&[u8]) -> bool,
    to: Stage,
    belongs: Belongs,
}

impl Rule {
    const fn new(from: &'static [Stage], line: fn(&[u8]) -> bool, to: Stage) -> Self {
        Self {
            from,
            line,
            to,
            belongs: Belongs::Surely,
        }
    }

    const fn if_more_follows(from: &'static [Stage], line: fn(&[u8]) -> bool, to: Stage) -> Self {
        Self {
            from,
            line,
            to,
            belongs: Belongs::IfMoreFollows,
        }
    }
}

/// What was found at the start of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A record of so many bytes, its last newline included: the line after it is there and does not belong to it.
    Whole(usize),
    /// Whole lines of so many bytes that belong together, and of which more may come; the stage after them.
    Open(usize, Stage),
}

/// Lines of one file, as far as they are there.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where the record stands that they go on with, if they do: the beginning of a long one leaves before the rest is there.
    pub stage: Stage,
    /// Whether the end of a line comes first whose beginning has left already.
    pub mid_line: bool,
    /// Whether a last line without a newline counts as a whole one.
    pub ended: bool,
}

impl<'a> Text<'a> {
    /// The line that starts at `at`, and where the next one does.
    fn line(&self, at: usize) -> Option<(&'a [u8], usize)> {
        let rest = &self.bytes[at..];
        match memchr::memchr(b'\n', rest) {
            Some(newline) => Some((lines::without_carriage_return(&rest[..newline]), at + newline + 1)),
            None => (self.ended && !rest.is_empty()).then_some((rest, self.bytes.len())),
        }
    }
}

impl Rules {
    /// Parses `java`, `python`, `go`, `ruby` or `/REGEX/`.
    pub fn parse(text: &str) -> Result<Self, RulesError> {
        match text {
            "java" => Ok(Self::Java),
            "python" => Ok(Self::Python),
            "go" => Ok(Self::Go),
            "ruby" => Ok(Self::Ruby),
            _ => text
                .strip_prefix('/')
                .and_then(|rest| rest.strip_suffix('/'))
                .ok_or_else(|| RulesError::Unknown(text.to_owned()))
                .and_then(StartPattern::parse)
                .map(Self::Start),
        }
    }

    /// Finds the record at the start of `text`.
    pub fn first_record(&self, text: &Text<'_>) -> Found {
        let mut stage = text.stage;
        // Up to where lines surely belong to the record, and its stage there.
        let mut sure = (0, stage);
        let mut at = 0;
        while let Some((line, end)) = text.line(at) {
            let is_first = at == 0;
            let belongs = if is_first && text.mid_line {
                self.continues_in(stage).then_some((stage, Belongs::Surely))
            } else {
                self.step(stage, line, is_first)
            };
            match belongs {
                Some((next, Belongs::Surely)) => {
                    stage = next;
                    sure = (end, next);
                }
                Some((next, Belongs::IfMoreFollows)) if !is_first => stage = next,
                _ if is_first => return Found::Whole(end),
                _ => return Found::Whole(sure.0),
            }
            at = end;
        }
        Found::Open(sure.0, sure.1)
    }

    /// Whether anything can continue a record in this stage.
    fn continues_in(&self, stage: Stage) -> bool {
        stage != Stage::Outside || matches!(self, Self::Start(_))
    }

    /// What a line leads to; `None` when it neither continues a record in this stage nor, as the first line, begins one.
    fn step(&self, stage: Stage, line: &[u8], is_first: bool) -> Option<(Stage, Belongs)> {
        let rules = match self {
            // What comes before the first line that matches is a record too.
            Self::Start(pattern) => {
                return (is_first || !pattern.matches(line)).then_some((Stage::Begun, Belongs::Surely));
            }
            Self::Java => java::RULES,
            Self::Python => python::RULES,
            Self::Go => go::RULES,
            Self::Ruby => ruby::RULES,
        };
        let step_from = |stage| {
            let rule = rules
                .iter()
                .find(|rule| rule.from.contains(&stage) && (rule.line)(line))?;
            Some((rule.to, rule.belongs))
        };
        match step_from(stage) {
            None if is_first && stage != Stage::Outside => step_from(Stage::Outside),
            step => step,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `bytes` as if all of it had been there at once.
    fn records<'a>(rules: &Rules, mut bytes: &'a [u8], mut stage: Stage) -> Vec<&'a [u8]> {
        let mut records = Vec::new();
        while !bytes.is_empty() {
            let text = Text {
                bytes,
                stage,
                mid_line: false,
                ended: true,
            };
            let length = match rules.first_record(&text) {
                Found::Whole(length) | Found::Open(length, _) => length,
            };
            stage = Stage::Outside;
            let record;
            (record, bytes) = bytes.split_at(length);
            records.push(record);
        }
        records
    }

    /// Fails unless `expected`, one after the other, are the records of their own lines, whatever ends the lines.
    #[track_caller]
    pub(super) fn assert_records(rules: &Rules, expected: &[&str]) {
        for newline in ["\n", "\r\n"] {
            let text = (expected.join("\n") + "\n").replace('\n', newline);
            let records: Vec<String> = records(rules, text.as_bytes(), Stage::Outside)
                .into_iter()
                .map(|record| {
                    String::from_utf8_lossy(record)
                        .trim_end_matches(newline)
                        .replace(newline, "\n")
                })
                .collect();
            assert_eq!(records, expected);
        }
    }

    #[test]
    fn the_rest_of_a_long_record_is_one_record_too() {
        let rest = b"\tat a.B.c(D.java:1)\nCaused by: x\n\tat a.B.c(D.java:1)\nnext\n";
        let lengths = |stage| -> Vec<usize> {
            let records = records(&Rules::Java, rest, stage);
            records.iter().map(|record| record.len()).collect()
        };
        assert_eq!(lengths(Stage::Frames), [53, 5]);
        assert_eq!(lengths(Stage::Outside), [20, 13, 20, 5], "alone");
        let another = Text {
            bytes: b"a.BException: c\n\tat d.E\nnext\n",
            stage: Stage::Frames,
            mid_line: false,
            ended: false,
        };
        assert_eq!(Rules::Java.first_record(&another), Found::Whole(24));
    }

    #[test]
    fn the_end_of_a_line_goes_on_with_its_record() {
        let text = Text {
            bytes: b"Error: of a line\n\tat a.B\nnext\n",
            stage: Stage::Frames,
            mid_line: true,
            ended: false,
        };
        assert_eq!(Rules::Java.first_record(&text), Found::Whole(25));
        let alone = Text {
            stage: Stage::Outside,
            ..text
        };
        assert_eq!(Rules::Java.first_record(&alone), Found::Whole(17));
    }

    #[test]
    fn what_may_belong_waits_for_what_surely_does() {
        let found = |bytes: &str| {
            Rules::Java.first_record(&Text {
                bytes: bytes.as_bytes(),
                stage: Stage::Outside,
                mid_line: false,
                ended: false,
            })
        };
        assert_eq!(found("a: Error\n\n"), Found::Open(9, Stage::Begun));
        assert_eq!(found("a: Error\n\n\tat b\n"), Found::Open(16, Stage::Frames));
        assert_eq!(found("a: Error\n\nnext\n"), Found::Whole(9));
        assert_eq!(found("a: Error\n\tat"), Found::Open(9, Stage::Begun));
        assert_eq!(found(""), Found::Open(0, Stage::Outside));
    }
}
