//! How container runtimes write what an application prints.

use jiff::Timestamp;
use serde_json::json;

/// The most bytes of text in one line of a log: what is longer is written in pieces, by both runtimes.
pub const PIECE: usize = 16 << 10;

/// Who writes the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// `TIME STREAM P|F TEXT`; CRI-O writes the same.
    #[default]
    Containerd,
    /// A JSON object a line, as docker behind cri-dockerd.
    Docker,
    /// Nothing around the text: a file of the node, or what no runtime wrote.
    Nobody,
}

impl Runtime {
    /// A line of an application, without its newline, as it is in the log. Each piece is a nanosecond later than the one before.
    pub fn line(self, time: Timestamp, stream: &str, text: &[u8]) -> Vec<u8> {
        let mut pieces: Vec<&[u8]> = text.chunks(PIECE).collect();
        if pieces.is_empty() {
            pieces.push(b"");
        }
        let last = pieces.len() - 1;
        let mut log = Vec::with_capacity(text.len() + 64 * pieces.len());
        for (number, piece) in (0_i64..).zip(&pieces) {
            let time = time + jiff::SignedDuration::from_nanos(number);
            let is_last = usize::try_from(number).is_ok_and(|number| number == last);
            match self {
                Self::Containerd => {
                    let tag = if is_last { 'F' } else { 'P' };
                    log.extend(format!("{time} {stream} {tag} ").bytes());
                    log.extend(*piece);
                }
                Self::Docker => log.extend(docker(time, stream, piece, is_last).bytes()),
                Self::Nobody => {
                    log.extend(*piece);
                    if !is_last {
                        continue;
                    }
                }
            }
            log.push(b'\n');
        }
        log
    }
}

/// As Go's encoder writes it, which escapes what HTML would read.
fn docker(time: Timestamp, stream: &str, piece: &[u8], is_last: bool) -> String {
    let newline = if is_last { "\n" } else { "" };
    let text = json!(format!("{}{newline}", String::from_utf8_lossy(piece))).to_string();
    let text = text
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026");
    format!("{{\"log\":{text},\"stream\":\"{stream}\",\"time\":\"{time}\"}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(runtime: Runtime, text: &[u8]) -> String {
        String::from_utf8(runtime.line("2026-01-02T03:04:05.678901234Z".parse().unwrap(), "stdout", text))
            .unwrap()
    }

    #[test]
    fn lines_are_as_runtimes_write_them() {
        assert_eq!(
            written(Runtime::Containerd, b"a"),
            "2026-01-02T03:04:05.678901234Z stdout F a\n"
        );
        assert_eq!(
            written(Runtime::Containerd, b""),
            "2026-01-02T03:04:05.678901234Z stdout F \n"
        );
        assert_eq!(
            written(Runtime::Docker, b"<a>"),
            "{\"log\":\"\\u003ca\\u003e\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05.678901234Z\"}\n"
        );
    }

    #[test]
    fn long_lines_are_written_in_pieces() {
        let text = written(Runtime::Containerd, &vec![b'x'; PIECE + 1]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("2026-01-02T03:04:05.678901234Z stdout P xx"));
        assert_eq!(lines[1], "2026-01-02T03:04:05.678901235Z stdout F x");
        assert_eq!(written(Runtime::Nobody, &vec![b'x'; PIECE + 1]).len(), PIECE + 2);
    }
}
