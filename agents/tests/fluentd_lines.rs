//! Runs Fluentd's scripts on lines of files: the runtimes' formats, pieces of long lines, lines that belong together.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "shared with other tests")]
mod fluentd_scripts;

use serde_json::{Value, json};
use tributary_crds::LoggingPolicySpec;

use fluentd_scripts::{data, has_ruby, rendered, run};

const TIME: &str = "2026-11-21T10:00:00.000000001Z";

/// What lines at their seconds become: path, stream, time and text. With `processors`, after those.
fn records(processors: &Value, longest: usize, lines: &[(&str, f64)], end: f64) -> Vec<Value> {
    let spec: LoggingPolicySpec = serde_json::from_value(json!({
        "nodeAgent": {"engine": "Fluentd"},
        "processors": processors,
        "outputs": [{"name": "out", "stdout": {}}],
    }))
    .unwrap();
    let config = rendered(&spec);
    let lines: Vec<Value> = lines
        .iter()
        .map(|(line, at)| json!(["/a/0.log", line, at]))
        .collect();
    let input = json!([{
        "boundary": data(&config)["multiline"],
        "longest": longest,
        "lines": lines,
        "end": end,
        "finish": false,
    }]);
    let results = run("join.rb", &config, &input);
    results[0].as_array().unwrap().clone()
}

/// As [`records`], but stream and text alone.
fn joined(processors: &Value, longest: usize, lines: &[(&str, f64)], end: f64) -> Vec<(Value, String)> {
    records(processors, longest, lines, end)
        .iter()
        .map(|line| (line[1].clone(), line[3].as_str().unwrap().to_owned()))
        .collect()
}

fn texts(found: &[(Value, String)]) -> Vec<&str> {
    found.iter().map(|(_, text)| text.as_str()).collect()
}

fn cri(stream: &str, tag: &str, text: &str) -> String {
    format!("{TIME} {stream} {tag} {text}")
}

#[test]
fn pieces_are_joined_stream_by_stream() {
    if !has_ruby() {
        return;
    }
    let lines = [
        cri("stdout", "P", "one "),
        cri("stderr", "P", "two "),
        cri("stdout", "P:x", "and "),
        cri("stderr", "F", "ends"),
        cri("stdout", "F", "ends"),
        cri("stdout", "F", ""),
        format!("{TIME} stdout F"),
        cri("stdout", "F", "  spaces  "),
        "not of a runtime".to_owned(),
        r#"{"log":"by docker\n","stream":"stderr","time":"2026-11-21T10:00:00Z"}"#.to_owned(),
        r#"{"log":"in ","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#.to_owned(),
        r#"{"log":"pieces\n","stream":"stdout","time":"2026-11-21T10:00:00Z"}"#.to_owned(),
        r#"{"log":5}"#.to_owned(),
    ];
    let lines: Vec<(&str, f64)> = lines.iter().map(|line| (line.as_str(), 0.0)).collect();
    let found = joined(&json!([]), 1000, &lines, 0.0);
    let expected = [
        (json!("stderr"), "two ends"),
        (json!("stdout"), "one and ends"),
        (json!("stdout"), ""),
        (json!("stdout"), ""),
        (json!("stdout"), "  spaces  "),
        (Value::Null, "not of a runtime"),
        (json!("stderr"), "by docker"),
        (json!("stdout"), "in pieces"),
        (Value::Null, r#"{"log":5}"#),
    ];
    assert_eq!(found, expected.map(|(stream, text)| (stream, text.to_owned())));
}

#[test]
fn a_piece_whose_writer_died_is_a_line_after_five_seconds() {
    if !has_ruby() {
        return;
    }
    let piece = cri("stdout", "P", "half");
    let other = cri("stderr", "F", "other");
    let lines = [(piece.as_str(), 0.0), (other.as_str(), 4.9)];
    assert_eq!(texts(&joined(&json!([]), 1000, &lines, 4.9)), ["other"]);
    assert_eq!(texts(&joined(&json!([]), 1000, &lines, 5.0)), ["other", "half"]);
}

#[test]
fn what_is_too_long_is_cut_into_records_between_characters() {
    if !has_ruby() {
        return;
    }
    let lines = [
        cri("stdout", "P", "äää"),
        cri("stdout", "P", "äbc"),
        cri("stdout", "F", "dé"),
    ];
    let lines: Vec<(&str, f64)> = lines.iter().map(|line| (line.as_str(), 0.0)).collect();
    assert_eq!(texts(&joined(&json!([]), 5, &lines, 0.0)), ["ää", "ääb", "cdé"]);
    let long = cri("stdout", "F", "abcdefgh");
    assert_eq!(
        texts(&joined(&json!([]), 3, &[(&long, 0.0)], 0.0)),
        ["abc", "def", "gh"]
    );
}

#[test]
fn what_is_cut_off_has_the_time_of_the_piece_that_it_begins_in() {
    if !has_ruby() {
        return;
    }
    let pieces = [(1, "P", "abcd"), (2, "P", "efgh"), (3, "F", "ij")];
    let pieces = pieces.map(|(second, tag, text)| format!("2026-11-21T10:00:0{second}Z stdout {tag} {text}"));
    let lines: Vec<(&str, f64)> = pieces.iter().map(|line| (line.as_str(), 0.0)).collect();
    let found = records(&json!([]), 4, &lines, 0.0);
    let found: Vec<(&Value, &Value)> = found.iter().map(|line| (&line[2], &line[3])).collect();
    assert_eq!(
        found,
        [
            (&json!("2026-11-21T10:00:01.000000000Z"), &json!("abcd")),
            (&json!("2026-11-21T10:00:02.000000000Z"), &json!("efgh")),
            (&json!("2026-11-21T10:00:03.000000000Z"), &json!("ij")),
        ]
    );
}

#[test]
fn lines_that_belong_together_are_one_record() {
    if !has_ruby() {
        return;
    }
    let lines = [
        (cri("stdout", "F", "Exception in thread"), 0.0),
        (cri("stderr", "F", "other"), 0.1),
        (cri("stdout", "P", "\tat a."), 0.2),
        (cri("stdout", "F", "b(C.java:1)"), 0.3),
        (cri("stdout", "F", "Caused by: x"), 1.2),
        (cri("stdout", "F", "next"), 1.3),
        (cri("stdout", "F", "\tat late"), 2.4),
    ];
    let lines: Vec<(&str, f64)> = lines.iter().map(|(line, at)| (line.as_str(), *at)).collect();
    let java = json!([{"multiline": {"preset": "Java"}}]);
    let expected = [
        "other",
        "Exception in thread\n\tat a.b(C.java:1)\nCaused by: x",
        "next",
        "\tat late",
    ];
    assert_eq!(texts(&joined(&java, 1000, &lines, 3.4)), expected);
    let start = json!([{"multiline": {"start": "^[A-Z]"}}]);
    let lines = [
        (cri("stdout", "F", "A"), 0.0),
        (cri("stdout", "F", "b"), 0.0),
        (cri("stdout", "F", "C"), 0.0),
    ];
    let lines: Vec<(&str, f64)> = lines.iter().map(|(line, at)| (line.as_str(), *at)).collect();
    assert_eq!(texts(&joined(&start, 1000, &lines, 0.5)), ["A\nb"]);
    assert_eq!(texts(&joined(&start, 1000, &lines, 1.0)), ["A\nb", "C"]);
}
