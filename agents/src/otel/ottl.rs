//! The OpenTelemetry Transformation Language: literals, paths and tests.

use tributary_crds::field::Field;

use crate::pipeline::{Clause, Predicate, Subject, Test};

/// The prefix of the resource attributes that hold a pod's labels.
pub const POD_LABEL_PREFIX: &str = "k8s.pod.label.";
/// The prefix of the resource attributes that hold a namespace's labels.
pub const NAMESPACE_LABEL_PREFIX: &str = "k8s.namespace.label.";

/// Any text as a string literal. The language reads literals as Go does: between double quotes, with backslash escapes.
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // The same escape as in Rust, but with four digits and no braces.
            _ if c.is_control() => quoted.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// The conditions that each mean that a record does not meet one of the predicates.
pub fn violations(predicates: &[Predicate]) -> Vec<String> {
    predicates.iter().map(violation).collect()
}

/// The conditions that each mean that a record does not meet one of the clauses.
pub fn clause_violations(clauses: &[Clause]) -> Vec<String> {
    let violated = |clause: &Clause| {
        let violations = violations(&clause.any_of);
        match violations.as_slice() {
            [one] => one.clone(),
            several => format!("({})", several.join(") and (")),
        }
    };
    clauses.iter().map(violated).collect()
}

fn violation(predicate: &Predicate) -> String {
    let path = path(&predicate.subject);
    let one_of = |values: &[String]| {
        let equal: Vec<String> = values
            .iter()
            .map(|value| format!("{path} == {}", literal(value)))
            .collect();
        equal.join(" or ")
    };
    match &predicate.test {
        Test::In(values) => format!("not ({})", one_of(values)),
        Test::NotIn(values) => one_of(values),
        Test::Matches(pattern) => format!("not IsMatch({path}, {})", literal(pattern.re2())),
        Test::NotMatches(pattern) => format!("IsMatch({path}, {})", literal(pattern.re2())),
        Test::Exists(true) => format!("{path} == nil"),
        Test::Exists(false) => format!("{path} != nil"),
    }
}

fn path(subject: &Subject) -> String {
    let resource = |attribute: &str| format!("resource.attributes[{}]", literal(attribute));
    match subject {
        Subject::Record(Field::Message) => "log.body".to_owned(),
        Subject::Record(Field::Stream) => "log.attributes[\"log.iostream\"]".to_owned(),
        Subject::Record(Field::Level) => "log.attributes[\"level\"]".to_owned(),
        Subject::Record(Field::File) => "log.attributes[\"log.file.path\"]".to_owned(),
        Subject::Record(Field::Unit) => "log.attributes[\"systemd.unit\"]".to_owned(),
        Subject::Record(Field::Data(keys)) => {
            let data = "log.attributes[\"data\"]".to_owned();
            keys.iter()
                .fold(data, |path, key| path + "[" + &literal(key) + "]")
        }
        Subject::Record(Field::NamespaceName) => resource("k8s.namespace.name"),
        Subject::Record(Field::PodName) => resource("k8s.pod.name"),
        Subject::Record(Field::PodId) => resource("k8s.pod.uid"),
        Subject::Record(Field::ContainerName) => resource("k8s.container.name"),
        Subject::Record(Field::Host) => resource("k8s.node.name"),
        Subject::Record(Field::Label(key)) => resource(&format!("{POD_LABEL_PREFIX}{key}")),
        Subject::NamespaceLabel(key) => resource(&format!("{NAMESPACE_LABEL_PREFIX}{key}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_escape_what_ends_or_breaks_them() {
        assert_eq!(
            literal("a\"b\\c\n\u{7f}\u{85}é$"),
            "\"a\\\"b\\\\c\\u000a\\u007f\\u0085é$\""
        );
    }
}
