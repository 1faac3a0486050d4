//! Turning what was read of a file into what is written: prefixed lines, or JSON.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::cut::{Patience, first_piece};
use crate::format::Format;
use crate::generation::CHUNK;
use crate::label;
use crate::multiline::{Multiline, Rules, Stage};
use crate::text::lossy;
use crate::utc::rfc3339;

/// Encodes lines, as many at once as one write should hold.
#[derive(Debug)]
pub struct Encoder {
    style: Style,
    strip: Option<PathBuf>,
    clock: fn() -> SystemTime,
    encoded: Vec<u8>,
}

#[derive(Debug)]
enum Style {
    Prefixed,
    Json {
        container: Option<String>,
        rules: Option<Rules>,
    },
}

/// What was read of a file and has not left yet.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// Where the record stands that they may go on with.
    pub stage: Stage,
    /// Whether the beginning of their first line has left.
    pub mid_line: bool,
    /// Whether what left last is the beginning of their first line, so that no prefix belongs between.
    pub line_is_open: bool,
    /// How complete the first record has to be.
    pub first: Patience,
    /// How complete the others have to be.
    pub others: Patience,
    /// How long ago the first record's first byte was seen.
    pub waited: Duration,
}

impl<'a> Unread<'a> {
    /// Whole lines of which nothing has left and to which nothing will come.
    pub fn last(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            stage: Stage::Outside,
            mid_line: false,
            line_is_open: false,
            first: Patience::AsItIs,
            others: Patience::AsItIs,
            waited: Duration::ZERO,
        }
    }
}

/// How much was encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Bytes of the file.
    pub bytes: usize,
    /// Where the last record stands after them.
    pub stage: Stage,
}

/// The standard record, as far as it is known in a pod: nobody has to be told there which pod it is.
#[derive(Serialize)]
struct Record<'a> {
    time: &'a str,
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    message: &'a str,
    /// The next record goes on within the same line.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl Encoder {
    /// An encoder for `format`; `None` when bytes leave as they are.
    pub fn new(format: &Format, strip: Option<&Path>, clock: fn() -> SystemTime) -> Option<Self> {
        let style = match format {
            Format::Raw => return None,
            Format::Prefixed => Style::Prefixed,
            Format::Json { container, multiline } => Style::Json {
                container: container.clone(),
                rules: multiline.as_ref().map(|Multiline { rules, .. }| rules.clone()),
            },
        };
        Some(Self {
            style,
            strip: strip.map(Path::to_path_buf),
            clock,
            encoded: Vec::new(),
        })
    }

    /// What is printed of the name of a file.
    pub fn label(&self, path: &Path) -> String {
        let path = label::stripped(path, self.strip.as_deref());
        match self.style {
            Style::Prefixed => label::prefix(&path),
            Style::Json { .. } => path,
        }
    }

    /// Encodes records from the start of `unread` until there is none, or enough for one write. They are in
    /// [`Encoder::encoded`] then.
    pub fn encode(&mut self, label: &str, unread: &Unread<'_>) -> Taken {
        self.encoded.clear();
        // One record can be much longer than all others.
        self.encoded.shrink_to(4 * CHUNK);
        let now = (self.clock)();
        let mut time = rfc3339(now.checked_sub(unread.waited).unwrap_or(now));
        let mut taken = Taken {
            bytes: 0,
            stage: unread.stage,
        };
        while self.encoded.len() < CHUNK {
            let bytes = &unread.bytes[taken.bytes..];
            let is_first = taken.bytes == 0;
            let patience = if is_first { unread.first } else { unread.others };
            let mid_line = is_first && unread.mid_line;
            let Some(piece) = first_piece(self.rules(), bytes, taken.stage, mid_line, patience) else {
                break;
            };
            let bytes = &bytes[..piece.length];
            match &self.style {
                Style::Prefixed => {
                    let prefix = if is_first && unread.line_is_open {
                        ""
                    } else {
                        label
                    };
                    self.encoded.extend_from_slice(prefix.as_bytes());
                    self.encoded.extend_from_slice(bytes);
                }
                Style::Json { container, .. } => append_json(
                    &mut self.encoded,
                    &Record {
                        time: &time,
                        file: label,
                        container: container.as_deref(),
                        message: &message(bytes),
                        partial: piece.is_part,
                    },
                ),
            }
            if is_first && !unread.waited.is_zero() {
                time = rfc3339(now);
            }
            taken = Taken {
                bytes: taken.bytes + piece.length,
                stage: piece.stage,
            };
        }
        taken
    }

    /// What the last [`Encoder::encode`] made.
    pub fn encoded(&self) -> &[u8] {
        &self.encoded
    }

    fn rules(&self) -> Option<&Rules> {
        match &self.style {
            Style::Prefixed => None,
            Style::Json { rules, .. } => rules.as_ref(),
        }
    }
}

fn append_json(encoded: &mut Vec<u8>, record: &Record<'_>) {
    serde_json::to_writer(&mut *encoded, record).expect("text can be encoded, and memory takes it");
    encoded.push(b'\n');
}

/// The text of a record without the newline that ends it; bytes that are not UTF-8 become U+FFFD.
fn message(bytes: &[u8]) -> Cow<'_, str> {
    let without_newline = bytes.strip_suffix(b"\n");
    let line = without_newline.map_or(bytes, |line| line.strip_suffix(b"\r").unwrap_or(line));
    let text = lossy(line);
    match memchr::memchr(b'\r', line) {
        Some(_) => Cow::Owned(text.replace("\r\n", "\n")),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-01-31T10:11:12.000000007Z
    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::new(1_769_854_272, 7)
    }

    fn json(rules: Option<Rules>) -> Encoder {
        let multiline = rules.map(|rules| Multiline {
            rules,
            flush: Duration::from_secs(1),
        });
        let container = Some("app".to_owned());
        Encoder::new(&Format::Json { container, multiline }, None, clock).expect("an encoder")
    }

    fn unread(bytes: &[u8], patience: Patience) -> Unread<'_> {
        Unread {
            first: patience,
            others: Patience::Whole,
            ..Unread::last(bytes)
        }
    }

    fn encode(encoder: &mut Encoder, unread: &Unread<'_>) -> (usize, String) {
        let taken = encoder.encode("/l/a.log", unread);
        let text = String::from_utf8(encoder.encoded().to_vec()).expect("UTF-8");
        (taken.bytes, text)
    }

    #[test]
    fn a_line_is_a_record() {
        let (taken, text) = encode(&mut json(None), &unread(b"say \"hi\"\r\n\nrest", Patience::Whole));
        assert_eq!(taken, 11);
        assert_eq!(
            text,
            concat!(
                r#"{"time":"2026-01-31T10:11:12.000000007Z","file":"/l/a.log","container":"app","message":"say \"hi\""}"#,
                "\n",
                r#"{"time":"2026-01-31T10:11:12.000000007Z","file":"/l/a.log","container":"app","message":""}"#,
                "\n",
            )
        );
    }

    #[test]
    fn a_record_that_has_waited_has_the_time_at_which_it_came() {
        let waited = Duration::from_millis(1500);
        let unread = Unread {
            waited,
            ..unread(b"first\nsecond\n", Patience::Whole)
        };
        let (_, text) = encode(&mut json(None), &unread);
        let times: Vec<&str> = text.lines().map(|line| &line[9..39]).collect();
        assert_eq!(
            times,
            ["2026-01-31T10:11:10.500000007Z", "2026-01-31T10:11:12.000000007Z"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_leaves_in_parts_that_say_so() {
        let (taken, text) = encode(&mut json(None), &unread("aé".as_bytes(), Patience::Full));
        assert_eq!(taken, 3);
        assert!(text.ends_with("\"message\":\"aé\",\"partial\":true}\n"), "{text}");
    }

    #[test]
    fn lines_that_belong_together_are_one_message() {
        let lines = b"x.Y: Exception: z\r\n\tat a.B\r\nnext\n";
        let (taken, text) = encode(&mut json(Some(Rules::Java)), &unread(lines, Patience::Whole));
        assert_eq!(taken, lines.len());
        let messages: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        assert_eq!(messages[0]["message"], "x.Y: Exception: z\n\tat a.B");
        assert_eq!(messages[1]["message"], "next");
    }

    #[test]
    fn every_line_has_its_prefix_once() {
        let mut encoder = Encoder::new(&Format::Prefixed, None, clock).expect("an encoder");
        let label = encoder.label(Path::new("/a"));
        let first = Unread {
            line_is_open: true,
            mid_line: true,
            ..unread(b" end\nnext\n\xff\n", Patience::Whole)
        };
        encoder.encode(&label, &first);
        assert_eq!(encoder.encoded(), b" end\n[/a] next\n[/a] \xff\n");
        // Another file's line came between.
        encoder.encode(
            &label,
            &Unread {
                line_is_open: false,
                ..first
            },
        );
        assert!(encoder.encoded().starts_with(b"[/a]  end\n"));
    }

    #[test]
    fn one_write_is_about_a_chunk() {
        let lines = b"\n".repeat(CHUNK);
        let (taken, text) = encode(&mut json(None), &unread(&lines, Patience::Whole));
        assert_eq!(taken, text.lines().count());
        assert!((CHUNK..CHUNK + 200).contains(&text.len()), "{}", text.len());
    }

    proptest! {
        #[test]
        fn what_json_says_is_what_the_line_was(line in proptest::collection::vec(any::<u8>(), 0..300)) {
            let line: Vec<u8> = line.into_iter().filter(|byte| !b"\r\n".contains(byte)).collect();
            let (taken, text) = encode(&mut json(None), &unread(&line, Patience::AsItIs));
            prop_assert_eq!(taken, line.len());
            if !line.is_empty() {
                prop_assert_eq!(text.lines().count(), 1);
                let record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                prop_assert_eq!(&record["message"], &String::from_utf8_lossy(&line).into_owned());
            }
        }
    }
}
