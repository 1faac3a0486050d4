//! Which part of a policy something in an engine's files comes from.

use serde_json::Value;

use super::{Complaint, shorten};
use crate::check::compiling::Block;
use crate::lines::pointer;

/// The shortest text of a policy that is looked for in complaints.
const LEAST_CITED: usize = 4;

/// The parts of a policy, by the names that they have in files of engines.
pub struct Parts<'p> {
    policy: &'p Value,
    block: Block,
}

impl<'p> Parts<'p> {
    /// Those of the agent of a block. `policy` is the whole object.
    pub fn new(policy: &'p Value, block: Block) -> Self {
        Self { policy, block }
    }

    /// A complaint about the agent as a whole.
    pub fn whole(&self, text: &str) -> Complaint {
        Complaint {
            pointer: self.block_pointer(),
            text: text.to_owned(),
        }
    }

    /// A complaint about what a part of the files comes from. In that part, a field whose text the complaint cites is the one.
    pub fn complaint(&self, part: String, text: &str) -> Complaint {
        let cited = self
            .policy
            .pointer(&part)
            .and_then(|value| cited(value, &part, text));
        Complaint {
            pointer: cited.unwrap_or(part),
            text: shorten(&text.split_whitespace().collect::<Vec<_>>().join(" ")),
        }
    }

    /// The block.
    pub fn block_pointer(&self) -> String {
        format!("/spec/{}", self.block.field())
    }

    /// What is collected, or the block where that is not the policy's to say.
    pub fn sources(&self) -> String {
        self.present(&format!("{}/sources", self.block_pointer()))
    }

    /// Which pods are selected.
    pub fn selector(&self) -> String {
        self.present("/spec/selector")
    }

    fn present(&self, pointer: &str) -> String {
        if self.policy.pointer(pointer).is_some() {
            pointer.to_owned()
        } else {
            self.block_pointer()
        }
    }

    /// The places of the outputs.
    pub fn outputs(&self) -> impl Iterator<Item = (usize, &'p Value)> {
        let outputs = self.policy.pointer("/spec/outputs").and_then(Value::as_array);
        outputs.into_iter().flatten().enumerate()
    }

    /// The output of this name, or the processor of this name's number: `step_0`, `step-0` is the first.
    pub fn named(&self, name: &str) -> Option<String> {
        let output = self.outputs().find(|(_, output)| output["name"] == name);
        if let Some((index, _)) = output {
            return Some(format!("/spec/outputs/{index}"));
        }
        let number = name
            .strip_prefix("step")
            .and_then(|rest| rest.strip_prefix(['_', '-']))?;
        let index: usize = number.parse().ok()?;
        let step = format!("/spec/processors/{index}");
        self.policy.pointer(&step).is_some().then_some(step)
    }

    /// The same for a name with something before or after it, at a dash, an underscore, a dot, a slash or a colon.
    pub fn named_within(&self, name: &str) -> Option<String> {
        let is_edge = |c: char| "-_./: ".contains(c);
        let starts = std::iter::once(0).chain(name.match_indices(is_edge).map(|(at, _)| at + 1));
        let ends = || {
            name.match_indices(is_edge)
                .map(|(at, _)| at)
                .chain(std::iter::once(name.len()))
        };
        let mut candidates: Vec<&str> = starts
            .flat_map(|start| {
                ends()
                    .filter(move |end| *end > start)
                    .map(move |end| (start, end))
            })
            .map(|(start, end)| &name[start..end])
            .collect();
        // The longest is the most exact.
        candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.len()));
        candidates.into_iter().find_map(|candidate| self.named(candidate))
    }
}

/// The field of a value with the longest text that a complaint has in it. Names are in every complaint.
fn cited(value: &Value, at: &str, complaint: &str) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    let mut pending = vec![(value, at.to_owned())];
    while let Some((value, at)) = pending.pop() {
        match value {
            Value::String(text) => {
                let is_name = at.ends_with("/name");
                let length = text.len();
                let is_better = best.as_ref().is_none_or(|(known, _)| length > *known);
                if !is_name && length >= LEAST_CITED && is_better && has_word(complaint, text) {
                    best = Some((length, at));
                }
            }
            Value::Array(items) => {
                let items = items.iter().enumerate();
                pending.extend(items.map(|(index, item)| (item, pointer(&at, &index.to_string()))));
            }
            Value::Object(fields) => {
                pending.extend(fields.iter().map(|(name, field)| (field, pointer(&at, name))));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    best.map(|(_, pointer)| pointer)
}

/// Whether a text stands in a complaint by itself, and not within another word, as `logs` does in `splunk_hec_logs`.
fn has_word(complaint: &str, text: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    complaint.match_indices(text).any(|(at, _)| {
        let before = complaint[..at].chars().next_back();
        let after = complaint[at + text.len()..].chars().next();
        !before.is_some_and(in_word) && !after.is_some_and(in_word)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_lead_to_the_policy() {
        let policy = json!({"spec": {
            "processors": [{"drop": {}}],
            "outputs": [{"name": "a"}, {"name": "a-b"}, {"name": "step-0"}],
        }});
        let parts = Parts::new(&policy, Block::NodeAgent);
        for (name, part) in [
            ("a-b", Some("/spec/outputs/1")),
            ("step_0", Some("/spec/processors/0")),
            ("step-0", Some("/spec/outputs/2")),
            ("step_1", None),
            ("b", None),
        ] {
            assert_eq!(parts.named(name).as_deref(), part, "{name}");
        }
        for (name, part) in [
            ("to-a-b.filter", Some("/spec/outputs/1")),
            ("output_a", Some("/spec/outputs/0")),
            ("logs/to-a", Some("/spec/outputs/0")),
            ("ab", None),
        ] {
            assert_eq!(parts.named_within(name).as_deref(), part, "{name}");
        }
    }

    #[test]
    fn a_cited_text_leads_to_its_field() {
        let policy = json!({"spec": {"outputs": [
            {"name": "search-engine", "elasticsearch": {"url": "https://search:9200", "index": "logs"}},
        ]}});
        let parts = Parts::new(&policy, Block::NodeAgent);
        let of = |text: &str| parts.complaint("/spec/outputs/0".to_owned(), text).pointer;
        assert_eq!(
            of("bad \"https://search:9200\" of logs"),
            "/spec/outputs/0/elasticsearch/url"
        );
        assert_eq!(of("search-engine is wrong"), "/spec/outputs/0");
        assert_eq!(of("no sink splunk_hec_logs"), "/spec/outputs/0");
        assert_eq!(of("no index logs."), "/spec/outputs/0/elasticsearch/index");
        assert_eq!(parts.sources(), "/spec/nodeAgent");
    }
}
