//! Standard output: bytes as they are, whole lines where several files take turns. Nobody waits for it here.

use std::fmt;
use std::io::{self, Write};

use thiserror::Error;

use crate::generation::GenerationId;
use crate::report::Reporter;

/// The failure of the output that ends the streamer.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Nobody reads any more.
    #[error("standard output was closed by its reader: start the streamer again together with what reads it")]
    Closed,
}

/// Why the output takes nothing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// Its reader is slower than the files grow.
    ByReader,
    /// It fails, as on a full disk: only time tells when to try again.
    ByFailure,
}

/// The sink that all files share.
#[derive(Debug)]
pub struct Output<W> {
    sink: W,
    /// Whose bytes were announced last, when they do not end a line.
    open_line: Option<GenerationId>,
    /// Whether a line of another source is to be ended before the bytes that were announced.
    owes_newline: bool,
    blocked: Option<Blocked>,
    /// Whether it was said that the bytes that were announced cannot be written.
    said: bool,
}

impl<W: Write> Output<W> {
    /// An output at the start of a line.
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            open_line: None,
            owes_newline: false,
            blocked: None,
            said: false,
        }
    }

    /// Where bytes go.
    pub fn sink(&self) -> &W {
        &self.sink
    }

    /// Whose line has been begun and not ended.
    pub fn open_line(&self) -> Option<GenerationId> {
        self.open_line
    }

    /// Why it did not take all of the last bytes, if it did not.
    pub fn blocked(&self) -> Option<Blocked> {
        self.blocked
    }

    /// Announces bytes of `source`, when all that were announced before have left. A line that another source has begun is ended
    /// first, unless `continues` says that these bytes follow on it, as those of a new file do after a rotation in the middle of a
    /// line.
    pub fn announce(&mut self, source: GenerationId, continues: bool, ends_line: bool) {
        self.owes_newline = self.open_line.is_some_and(|open| open != source) && !continues;
        self.open_line = (!ends_line).then_some(source);
        self.said = false;
    }

    /// Writes what is taken now of the bytes that were announced; returns how many that were. When it is not all, [`Self::blocked`]
    /// says why, and the rest is to be written later.
    ///
    /// # Errors
    /// Only when nobody reads any more.
    pub fn write(&mut self, bytes: &[u8], reporter: &mut Reporter) -> Result<usize, OutputError> {
        self.blocked = None;
        let mut written = 0;
        while self.owes_newline || written < bytes.len() {
            let next = if self.owes_newline {
                b"\n"
            } else {
                &bytes[written..]
            };
            match self.sink.write(next) {
                Ok(0) => {
                    self.fail(&"no byte was taken", reporter);
                    break;
                }
                Ok(_) if self.owes_newline => self.owes_newline = false,
                Ok(taken) => written += taken,
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::BrokenPipe => return Err(OutputError::Closed),
                    io::ErrorKind::WouldBlock => {
                        self.blocked = Some(Blocked::ByReader);
                        break;
                    }
                    // A full disk or a reader that is being replaced: the files keep what is not written yet.
                    _ => {
                        self.fail(&error, reporter);
                        break;
                    }
                },
            }
        }
        Ok(written)
    }

    fn fail(&mut self, why: &dyn fmt::Display, reporter: &mut Reporter) {
        self.blocked = Some(Blocked::ByFailure);
        if !self.said {
            self.said = true;
            reporter.say(format_args!(
                "cannot write to standard output ({why}): trying again, nothing is lost"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: GenerationId = GenerationId(1);
    const B: GenerationId = GenerationId(2);

    #[test]
    fn another_source_begins_a_line_of_its_own() {
        let mut output = Output::new(Vec::new());
        let mut reporter = Reporter::silent();
        for (source, continues, bytes) in [
            (A, false, "a1"),
            (A, false, "a2"),
            (B, false, "b\n"),
            (A, false, "a3"),
            (B, true, "+b\n"),
            (A, true, "a\n"),
        ] {
            output.announce(source, continues, bytes.ends_with('\n'));
            assert_eq!(
                output.write(bytes.as_bytes(), &mut reporter).unwrap(),
                bytes.len()
            );
        }
        assert_eq!(String::from_utf8(output.sink).unwrap(), "a1a2\nb\na3+b\na\n");
        assert_eq!(output.open_line, None);
    }

    /// Fails in these ways, the last first, and takes a byte at a time then.
    struct Failing(Vec<io::ErrorKind>, Vec<u8>);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self.0.pop() {
                Some(kind) => Err(kind.into()),
                None => self.1.write(&bytes[..1]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_a_closed_output_is_an_error() {
        let kinds = vec![
            io::ErrorKind::StorageFull,
            io::ErrorKind::WouldBlock,
            io::ErrorKind::Interrupted,
        ];
        let mut reporter = Reporter::silent();
        let mut output = Output::new(Failing(kinds, Vec::new()));
        output.announce(A, false, true);
        for blocked in [Blocked::ByReader, Blocked::ByFailure] {
            assert_eq!(output.write(b"all of it\n", &mut reporter).unwrap(), 0);
            assert_eq!(output.blocked(), Some(blocked));
        }
        assert_eq!(output.write(b"all of it\n", &mut reporter).unwrap(), 10);
        assert_eq!(
            (output.blocked(), &output.sink.1[..]),
            (None, &b"all of it\n"[..])
        );

        let mut output = Output::new(Failing(vec![io::ErrorKind::BrokenPipe], Vec::new()));
        output.announce(A, false, false);
        assert!(matches!(
            output.write(b"x", &mut reporter),
            Err(OutputError::Closed)
        ));
    }

    #[test]
    fn a_line_is_ended_once_however_often_the_output_blocks() {
        let mut reporter = Reporter::silent();
        let mut output = Output::new(Failing(Vec::new(), Vec::new()));
        output.announce(A, false, false);
        output.write(b"a", &mut reporter).unwrap();
        output.announce(B, false, true);
        output.sink.0 = vec![io::ErrorKind::WouldBlock; 2];
        while output.write(b"b\n", &mut reporter).unwrap() == 0 {}
        assert_eq!(output.sink.1, b"a\nb\n");
    }
}
