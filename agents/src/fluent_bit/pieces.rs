//! How lines that runtimes have written in pieces become whole again.

use serde_json::{Value, json};

/// Of a line as containerd and CRI-O write it.
const LINE: &str = "cri-line";
/// Of the pieces of such a line.
const PIECES: &str = "cri-pieces";
/// What an input has to be told: lines are of the one runtime or of the other, and pieces belong together by their stream.
pub const OF_RUNTIMES: [&str; 2] = ["docker", PIECES];

/// The parser of a line `TIME STREAM P|F TEXT`. The program's own knows no tags after the first one, which the format allows.
pub fn cri_line() -> Value {
    json!({
        "name": LINE,
        "format": "regex",
        "regex": "^(?<time>[^ ]+) (?<stream>stdout|stderr) (?<_p>[FP])(?::[^ ]*)? (?<log>.*)$",
        "time_key": "time",
        "time_format": "%Y-%m-%dT%H:%M:%S.%L%z",
        "time_keep": "on",
        // Without it, a line whose text is empty would not be understood.
        "skip_empty_values": "off",
    })
}

/// What joins pieces up to one that is tagged `F`. A line that is not finished within four seconds becomes a record as it is.
pub fn parsers() -> Value {
    json!([{
        "name": PIECES,
        "type": "equal",
        "match_string": "F",
        "key_content": "log",
        "key_group": "stream",
        "key_pattern": "_p",
        "parser": LINE,
        "flush_timeout": 4000,
    }])
}
