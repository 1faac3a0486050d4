//! Reads `tributary.dev/result`, as far as it can be trusted: whoever writes the pod can write it too.
//!
//! The reader does not depend on the annotation's exact shape. Every object in it that has a known `reason` is a finding; what
//! surrounds it says which policy and which pattern it is about. Texts are cut and made printable.

use serde_json::{Map, Value};
use tributary_crds::reason::Severity;
use tributary_crds::{Reason, annotation};

use super::pattern::Pattern;

/// Levels of lists and objects that are looked into; the webhook writes three.
const DEPTH: usize = 6;
/// Findings that are taken of one pod; the webhook writes about as many as a pod names files, which is at most 16.
const FINDINGS: usize = 64;
/// Longest annotation that is read, in bytes: several times what the webhook writes of as many files as a pod can name.
const LONGEST: usize = 128 * 1024;
/// Characters of a message that are taken.
const MESSAGE: usize = 300;

/// What the annotation says of one file, or of the pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The code: one that asks somebody to do something.
    pub reason: Reason,
    /// The policy that it is about, as the annotation says.
    pub policy: Option<String>,
    /// The pattern that it is about.
    pub pattern: Option<Pattern>,
    /// What is so, and what to do.
    pub message: String,
    /// What it is about.
    pub about: About,
}

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// A file that got its sidecar all the same, or something that is only to be watched.
    Served,
    /// A file that got nothing.
    File,
    /// The pod: it got nothing, unless it has the pattern's label.
    Pod,
}

/// The findings that ask somebody to do something, in the annotation's order.
pub fn read(annotation: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if annotation.len() > LONGEST {
        return findings;
    }
    if let Ok(value) = serde_json::from_str(annotation) {
        collect(&value, &Surroundings::default(), DEPTH, &mut findings);
    }
    findings
}

/// What holds for everything in an object.
#[derive(Clone, Default)]
struct Surroundings<'v> {
    policy: Option<&'v str>,
    pattern: Option<Pattern>,
}

fn collect<'v>(value: &'v Value, around: &Surroundings<'v>, depth: usize, found: &mut Vec<Finding>) {
    if depth == 0 || found.len() >= FINDINGS {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, around, depth - 1, found);
            }
        }
        Value::Object(object) => {
            let around = Surroundings {
                policy: text(object, "policy").or(around.policy),
                pattern: around.pattern,
            };
            found.extend(finding(object, &around));
            for (key, value) in object {
                let pattern = around.pattern.or_else(|| pattern(key));
                let around = Surroundings {
                    pattern,
                    ..around.clone()
                };
                collect(value, &around, depth - 1, found);
            }
        }
        _ => {}
    }
}

fn finding(object: &Map<String, Value>, around: &Surroundings<'_>) -> Option<Finding> {
    let code = text(object, "reason")?;
    let reason = *Reason::ALL.iter().find(|reason| reason.as_str() == code)?;
    if reason.severity() == Severity::Normal {
        return None;
    }
    let annotation = text(object, "annotation");
    let asked = Pattern::ALL
        .into_iter()
        .find(|pattern| annotation.is_some_and(|key| pattern.annotations().contains(&key)));
    // A choice that is not understood counts as not made.
    let is_choice = asked.is_none() && annotation.is_some_and(|key| key != annotation::INJECT);
    let is_to_watch = is_only_to_watch(reason) || (is_choice && reason == Reason::InvalidAnnotation);
    let about = if is_to_watch || object.contains_key("sidecar") {
        About::Served
    } else if object.contains_key("file") {
        About::File
    } else {
        About::Pod
    };
    let parts = [text(object, "message"), text(object, "remedy")];
    let message: Vec<String> = parts.into_iter().flatten().map(printable).collect();
    Some(Finding {
        reason,
        policy: around.policy.map(str::to_owned),
        pattern: asked.or(around.pattern),
        message: message.join("; "),
        about,
    })
}

/// Reasons that come with what was asked for.
fn is_only_to_watch(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::VolumeCreated | Reason::MayNotRead | Reason::EnvFromOverruled
    )
}

/// The pattern that a part of the annotation is about, by its key.
fn pattern(key: &str) -> Option<Pattern> {
    match key {
        "files" => Some(Pattern::Streaming),
        "agent" => Some(Pattern::Agent),
        "direct" => Some(Pattern::Direct),
        _ => None,
    }
}

fn text<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v str> {
    object.get(key)?.as_str()
}

/// At most 300 characters, on one line, without anything that moves a cursor or turns the direction of writing.
fn printable(text: &str) -> String {
    let shown = text.chars().take(MESSAGE);
    let harmless = |c: char| {
        let turns = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        if c.is_control() || turns { ' ' } else { c }
    };
    shown.map(harmless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_value(value: &Value) -> Vec<Finding> {
        read(&value.to_string())
    }

    #[test]
    fn files_and_the_pod_are_told_apart() {
        let found = read_value(&serde_json::json!({
            "policy": "p",
            "files": [
                {"file": "/a", "container": "c", "sidecar": "s", "reason": "Injected"},
                {"file": "/b", "container": "c", "sidecar": "s", "reason": "VolumeCreated", "message": "m"},
                {"file": "/c", "container": "c", "reason": "NoVolume", "message": "no volume; add one"},
            ],
            "pod": [
                {"reason": "InvalidAnnotation", "annotation": "tributary.dev/ship", "message": "odd", "remedy": "write"},
                {"reason": "InvalidAnnotation", "annotation": "tributary.dev/run-as", "message": "odd"},
                {"reason": "InvalidAnnotation", "annotation": "tributary.dev/inject", "message": "odd"},
                {"reason": "ForeignAnnotation", "annotation": "tailing-sidecar"},
            ],
        }));
        let shown: Vec<_> = found
            .iter()
            .map(|f| (f.reason.as_str(), f.about, f.pattern, f.message.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                ("VolumeCreated", About::Served, Some(Pattern::Streaming), "m"),
                (
                    "NoVolume",
                    About::File,
                    Some(Pattern::Streaming),
                    "no volume; add one"
                ),
                (
                    "InvalidAnnotation",
                    About::Pod,
                    Some(Pattern::Agent),
                    "odd; write"
                ),
                ("InvalidAnnotation", About::Served, None, "odd"),
                ("InvalidAnnotation", About::Pod, None, "odd"),
            ]
        );
        assert!(found.iter().all(|f| f.policy.as_deref() == Some("p")));
    }

    #[test]
    fn parts_of_other_shapes_are_read_alike() {
        let found = read_value(&serde_json::json!({
            "policy": "p",
            "agent": {"policy": "q", "files": [{"file": "/a", "reason": "NotWritable"}, {"file": "/b", "reason": "Injected"}]},
            "direct": [{"container": "c", "reason": "EnvFromOverruled"}, {"container": "d", "reason": "NoPolicy"}],
        }));
        let shown: Vec<_> = found
            .iter()
            .map(|f| (f.reason.as_str(), f.about, f.pattern, f.policy.as_deref()))
            .collect();
        let (agent, direct) = (Some(Pattern::Agent), Some(Pattern::Direct));
        assert!(
            shown.contains(&("NotWritable", About::File, agent, Some("q"))),
            "{shown:?}"
        );
        assert!(shown.contains(&("EnvFromOverruled", About::Served, direct, Some("p"))));
        assert!(shown.contains(&("NoPolicy", About::Pod, direct, Some("p"))));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_a_tenant_wrote_is_cut_and_made_harmless() {
        let nested = (0..100).fold(serde_json::json!({"reason": "NoVolume"}), |inner, _| {
            serde_json::json!([inner])
        });
        assert_eq!(read_value(&nested), []);
        assert_eq!(read("not json"), []);
        assert_eq!(read(r#"{"reason": "Nonsense", "files": 5, "pod": null}"#), []);
        let many: Vec<Value> = (0..1000)
            .map(|_| serde_json::json!({"reason": "NoVolume"}))
            .collect();
        assert_eq!(read_value(&Value::Array(many)).len(), FINDINGS);
        let huge = serde_json::json!({"reason": "NoVolume", "message": "x".repeat(LONGEST)});
        assert_eq!(read_value(&huge), []);
        let long = format!("\u{1b}[31m\n\u{202e}{}", "x".repeat(5000));
        let message = &read_value(&serde_json::json!({"reason": "NoVolume", "message": long}))[0].message;
        assert_eq!(message.chars().count(), MESSAGE);
        assert!(message.starts_with(" [31m  xxx"), "{message}");
    }
}
