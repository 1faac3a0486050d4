//! Standard output: bytes as they are, whole lines where several files take turns.

use std::io::{self, Write};
use std::time::Duration;

use thiserror::Error;

use crate::generation::GenerationId;
use crate::report::Reporter;

/// How long to wait before writing again to an output that failed.
const RETRY: Duration = Duration::from_millis(200);
/// How long to wait for an output that was set not to block.
const FULL: Duration = Duration::from_millis(10);

/// The failures of the output that end the streamer.
#[derive(Debug, Error)]
pub enum OutputError {
    /// Nobody reads any more.
    #[error("standard output was closed by its reader: start the streamer again together with what reads it")]
    Closed,
    /// The reader took nothing until the time after SIGTERM was over.
    #[error(
        "standard output was blocked until the time after the signal to stop was over: raise --grace or read faster"
    )]
    TimeOver,
}

/// The sink that all files share.
#[derive(Debug)]
pub struct Output<W> {
    sink: W,
    /// Whose bytes were written last, when they did not end a line.
    open_line: Option<GenerationId>,
}

impl<W: Write> Output<W> {
    /// An output at the start of a line.
    pub fn new(sink: W) -> Self {
        Self {
            sink,
            open_line: None,
        }
    }

    /// Whose line has been begun and not ended.
    pub fn open_line(&self) -> Option<GenerationId> {
        self.open_line
    }

    /// Writes `bytes` of `source`, waiting for as long as it takes. A line that another source has begun is ended first, unless
    /// `continues` says that these bytes follow on it, as those of a new file do after a rotation in the middle of a line.
    ///
    /// # Errors
    /// Only when nobody reads any more, or nothing was taken until the end.
    pub fn write(
        &mut self,
        source: GenerationId,
        continues: bool,
        bytes: &[u8],
        reporter: &mut Reporter,
    ) -> Result<(), OutputError> {
        if self.open_line.is_some_and(|open| open != source) && !continues {
            self.write_all(b"\n", reporter)?;
        }
        self.write_all(bytes, reporter)?;
        self.open_line = (bytes.last() != Some(&b'\n')).then_some(source);
        Ok(())
    }

    fn write_all(&mut self, mut bytes: &[u8], reporter: &mut Reporter) -> Result<(), OutputError> {
        let mut said = false;
        while !bytes.is_empty() {
            match self.sink.write(bytes) {
                Ok(written) if written > 0 => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Err(OutputError::Closed),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(OutputError::TimeOver),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::sleep(FULL),
                // A full disk or a reader that is being replaced: the files keep what is not written yet.
                failed => {
                    if !said {
                        let why = failed
                            .err()
                            .map_or_else(|| "no byte was taken".to_owned(), |error| error.to_string());
                        reporter.say(format_args!(
                            "cannot write to standard output ({why}): trying again, nothing is lost"
                        ));
                        said = true;
                    }
                    std::thread::sleep(RETRY);
                }
            }
        }
        Ok(())
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
            output
                .write(source, continues, bytes.as_bytes(), &mut reporter)
                .unwrap();
        }
        assert_eq!(String::from_utf8(output.sink).unwrap(), "a1a2\nb\na3+b\na\n");
        assert_eq!(output.open_line, None);
    }

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
        let mut output = Output::new(Failing(kinds, Vec::new()));
        output
            .write(A, false, b"all of it\n", &mut Reporter::silent())
            .unwrap();
        assert_eq!(output.sink.1, b"all of it\n");

        let mut output = Output::new(Failing(vec![io::ErrorKind::BrokenPipe], Vec::new()));
        assert!(matches!(
            output.write(A, false, b"x", &mut Reporter::silent()),
            Err(OutputError::Closed)
        ));
    }
}
