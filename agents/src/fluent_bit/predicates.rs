//! Tests on records: regular expressions by the `grep` filter, all others by `tributary.lua` from a file of data.

use serde_json::{Value, json};
use tributary_crds::field::Field;

use crate::pipeline::{Clause, Pipeline, Predicate, Subject, Test};

/// The set of the policy's selectors.
const SELECTION: &str = "selection";

/// The data file of `tributary.lua`; the script says what its lines mean.
pub fn data(pipeline: &Pipeline) -> String {
    let mut text = String::new();
    for predicate in &pipeline.selection {
        text.extend(line(SELECTION, predicate));
    }
    for output in &pipeline.outputs {
        for predicate in output.conditions.iter().flat_map(|clause| &clause.any_of) {
            text.extend(line(&format!("output/{}", output.name), predicate));
        }
    }
    text
}

/// The filters that keep an output's records, for its processors.
pub fn filters(output: &str, clauses: &[Clause]) -> Vec<Value> {
    let predicates = || clauses.iter().flat_map(|clause| &clause.any_of);
    let mut filters = Vec::new();
    if predicates().any(|predicate| line("", predicate).is_some()) {
        filters.push(super::record::lua(&format!("keep_{output}")));
    }
    filters.extend(predicates().filter_map(grep));
    filters
}

/// One line, or nothing for a test that `grep` makes.
fn line(set: &str, predicate: &Predicate) -> Option<String> {
    let (test, values): (_, &[String]) = match &predicate.test {
        Test::In(values) => ("in", values),
        Test::NotIn(values) => ("not-in", values),
        Test::Exists(true) => ("exists", &[]),
        Test::Exists(false) => ("absent", &[]),
        Test::Matches(_) | Test::NotMatches(_) => return None,
    };
    let path: Vec<String> = path(&predicate.subject)
        .iter()
        .map(|element| encode(element))
        .collect();
    let mut cells = vec![encode(set), test.to_owned(), path.join("/")];
    cells.extend(values.iter().map(|value| encode(value)));
    Some(cells.join("\t") + "\n")
}

fn grep(predicate: &Predicate) -> Option<Value> {
    let (rule, pattern) = match &predicate.test {
        Test::Matches(pattern) => ("regex", pattern),
        Test::NotMatches(pattern) => ("exclude", pattern),
        Test::In(_) | Test::NotIn(_) | Test::Exists(_) => return None,
    };
    let path = path(&predicate.subject);
    let (first, rest) = path.split_first()?;
    let accessor: String = std::iter::once(format!("${first}"))
        .chain(rest.iter().map(|key| format!("['{key}']")))
        .collect();
    // In a group, because slashes at both ends would be taken for delimiters.
    Some(json!({"name": "grep", rule: format!("{accessor} (?:{})", pattern.portable())}))
}

/// Where the standard record has the subject. Keys of labels are letters, digits, dots, dashes, underscores and slashes.
fn path(subject: &Subject) -> Vec<&str> {
    match subject {
        Subject::Record(Field::Message) => vec!["message"],
        Subject::Record(Field::Stream) => vec!["stream"],
        Subject::Record(Field::Level) => vec!["level"],
        Subject::Record(Field::File) => vec!["file"],
        Subject::Record(Field::Unit) => vec!["systemd", "unit"],
        Subject::Record(Field::Data(keys)) => std::iter::once("data")
            .chain(keys.iter().map(String::as_str))
            .collect(),
        Subject::Record(Field::NamespaceName) => vec!["kubernetes", "namespace_name"],
        Subject::Record(Field::PodName) => vec!["kubernetes", "pod_name"],
        Subject::Record(Field::PodId) => vec!["kubernetes", "pod_id"],
        Subject::Record(Field::ContainerName) => vec!["kubernetes", "container_name"],
        Subject::Record(Field::Host) => vec!["kubernetes", "host"],
        Subject::Record(Field::Label(key)) => vec!["kubernetes", "labels", key],
        Subject::NamespaceLabel(key) => vec!["namespace_labels", key],
    }
}

/// Percent-encodes every byte but unreserved ones.
pub fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'.' | b'_' | b'-' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
