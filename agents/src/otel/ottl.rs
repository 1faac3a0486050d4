//! The OpenTelemetry Transformation Language: literals, paths and tests.

use tributary_crds::field::Field;

use crate::expression::Expression;
use crate::pipeline::{Clause, Predicate, Subject, Test};

/// The prefix of the resource attributes that hold a pod's labels.
pub const POD_LABEL_PREFIX: &str = "k8s.pod.label.";
/// The prefix of the resource attributes that hold a namespace's labels.
pub const NAMESPACE_LABEL_PREFIX: &str = "k8s.namespace.label.";
/// Where the level of a record is, until it is written.
pub const LEVEL: &str = "log.attributes[\"level\"]";
/// Where `data` is, until it is written.
pub const DATA: &str = "log.attributes[\"data\"]";

/// Any text as a string literal. The language reads literals as Go does, and so does that of the receiver's operators: between double
/// quotes, with backslash escapes.
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

/// Any text as the literal of a replacement, in which no dollar stands for a group.
pub fn replacement(text: &str) -> String {
    literal(&text.replace('$', "$$"))
}

/// The conditions that each mean that a record does not meet one of the predicates.
pub fn violations(predicates: &[Predicate]) -> Vec<String> {
    predicates
        .iter()
        .map(|predicate| met(&predicate.subject, &opposite(&predicate.test)))
        .collect()
}

/// The conditions that each mean that a record does not meet one of the clauses.
pub fn clause_violations(clauses: &[Clause]) -> Vec<String> {
    clauses
        .iter()
        .map(|clause| joined(&violations(&clause.any_of), "and"))
        .collect()
}

/// The condition that a record meets every one of the clauses; at least one.
pub fn all_met(clauses: &[Clause]) -> String {
    let clause = |clause: &Clause| {
        let predicates = clause.any_of.iter();
        let alternatives: Vec<String> = predicates
            .map(|predicate| met(&predicate.subject, &predicate.test))
            .collect();
        joined(&alternatives, "or")
    };
    joined(&clauses.iter().map(clause).collect::<Vec<_>>(), "and")
}

/// Conditions as one.
fn joined(conditions: &[String], operator: &str) -> String {
    match conditions {
        [one] => one.clone(),
        several => format!("({})", several.join(&format!(") {operator} ("))),
    }
}

/// What a record that does not meet a test meets.
fn opposite(test: &Test) -> Test {
    match test {
        Test::In(values) => Test::NotIn(values.clone()),
        Test::NotIn(values) => Test::In(values.clone()),
        Test::Matches(pattern) => Test::NotMatches(pattern.clone()),
        Test::NotMatches(pattern) => Test::Matches(pattern.clone()),
        Test::Exists(present) => Test::Exists(!present),
    }
}

/// The condition that a subject meets a test.
fn met(subject: &Subject, test: &Test) -> String {
    let path = path(subject);
    let is_parsed = matches!(subject, Subject::Record(Field::Data(_)));
    let one_of = |values: &[String]| {
        let compared = if is_parsed {
            format!("String({path})")
        } else {
            path.clone()
        };
        let equal = values
            .iter()
            .map(|value| format!("{compared} == {}", literal(value)));
        equal.collect::<Vec<_>>().join(" or ")
    };
    let found = |pattern: &Expression| format!("IsMatch({path}, {})", literal(pattern.re2()));
    let guards = guards(subject, matches!(test, Test::Exists(_)));
    let guarded = |condition: String| match guards.as_slice() {
        [] => condition,
        guards => format!("{} and ({condition})", guards.join(" and ")),
    };
    match test {
        Test::In(values) => guarded(one_of(values)),
        Test::NotIn(values) => format!("not ({})", guarded(one_of(values))),
        Test::Matches(pattern) => guarded(found(pattern)),
        Test::NotMatches(pattern) => format!("not ({})", guarded(found(pattern))),
        Test::Exists(true) => guarded(format!("{path} != nil")),
        Test::Exists(false) if guards.is_empty() => format!("{path} == nil"),
        Test::Exists(false) => format!("not ({})", guarded(format!("{path} != nil"))),
    }
}

/// What must be so before a subject is looked at. Whatever an application wrote may be below `data`: a look into what is no object is an
/// error, and the language writes objects and lists as JSON, which is no text of theirs.
fn guards(subject: &Subject, only_presence: bool) -> Vec<String> {
    match subject {
        Subject::Record(Field::Data(keys)) => {
            let parents = (1..keys.len()).map(|length| format!("IsMap({})", data(&keys[..length])));
            let own = ["IsMap", "IsList"].map(|kind| format!("not {kind}({})", data(keys)));
            parents
                .chain(own.into_iter().filter(|_| !only_presence))
                .collect()
        }
        // What stands in the place of a removed message is none.
        Subject::Record(Field::Message) => vec!["IsString(log.body)".to_owned()],
        Subject::Record(_) | Subject::NamespaceLabel(_) => Vec::new(),
    }
}

/// What is below `data` at these keys.
pub fn data(keys: &[String]) -> String {
    keys.iter()
        .fold(DATA.to_owned(), |path, key| path + "[" + &literal(key) + "]")
}

/// Where a field of the record is while it passes the steps.
pub fn path(subject: &Subject) -> String {
    let resource = |attribute: &str| format!("resource.attributes[{}]", literal(attribute));
    match subject {
        Subject::Record(Field::Message) => "log.body".to_owned(),
        Subject::Record(Field::Stream) => "log.attributes[\"log.iostream\"]".to_owned(),
        Subject::Record(Field::Level) => LEVEL.to_owned(),
        Subject::Record(Field::File) => "log.attributes[\"log.file.path\"]".to_owned(),
        Subject::Record(Field::Unit) => "log.attributes[\"systemd.unit\"]".to_owned(),
        Subject::Record(Field::Data(keys)) => data(keys),
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
