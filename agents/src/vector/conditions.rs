//! Conditions as boolean expressions of the Vector Remap Language.

use tributary_crds::field::Field;

use super::vrl;
use crate::pipeline::{Clause, Predicate, Subject, Test};

/// The variable that holds the labels of a namespace while containers are selected.
pub const NAMESPACE_LABELS: &str = "namespace_labels";

/// A test of records.
pub struct Condition {
    /// Statements that read what the expression looks at.
    pub statements: Vec<String>,
    /// The boolean expression.
    pub expression: String,
}

/// What records meet that meet every clause.
pub fn all(clauses: &[Clause]) -> Condition {
    let mut statements = Vec::new();
    let clauses: Vec<String> = clauses
        .iter()
        .map(|clause| joined(&clause.any_of, " || ", &mut statements))
        .collect();
    let expression = if clauses.is_empty() {
        "true".to_owned()
    } else {
        clauses.join(" && ")
    };
    Condition {
        statements,
        expression,
    }
}

/// What records meet that meet every predicate.
pub fn every(predicates: &[Predicate]) -> Condition {
    let mut statements = Vec::new();
    let expression = joined(predicates, " && ", &mut statements);
    Condition {
        statements,
        expression,
    }
}

fn joined(predicates: &[Predicate], operator: &str, statements: &mut Vec<String>) -> String {
    let tests: Vec<String> = predicates
        .iter()
        .map(|predicate| test(predicate, statements))
        .collect();
    format!("({})", tests.join(operator))
}

fn test(predicate: &Predicate, statements: &mut Vec<String>) -> String {
    let path = match &predicate.subject {
        Subject::Record(field) => vrl::path(field),
        Subject::NamespaceLabel(key) => format!("{NAMESPACE_LABELS}.{}", vrl::literal(key)),
    };
    let is_parsed = matches!(predicate.subject, Subject::Record(Field::Data(_)));
    let mut text = || {
        if !is_parsed {
            return path.clone();
        }
        let variable = format!("text_{}", statements.len());
        statements.push(format!("{variable} = {}", text_of(&path)));
        variable
    };
    match &predicate.test {
        Test::In(values) => format!("includes({}, {})", vrl::literals(values), text()),
        Test::NotIn(values) => format!("!includes({}, {})", vrl::literals(values), text()),
        Test::Matches(expression) => matching(&text(), &vrl::regex(expression)),
        Test::NotMatches(expression) => format!("!{}", matching(&text(), &vrl::regex(expression))),
        Test::Exists(true) => format!("({path} != null)"),
        Test::Exists(false) => format!("({path} == null)"),
    }
}

fn matching(text: &str, regex: &str) -> String {
    format!("(is_string({text}) && match(string({text}) ?? \"\", {regex}))")
}

/// The text of a value, as conditions look at it: numbers and booleans have the one of JSON, objects and lists have none.
pub fn text_of(value: &str) -> String {
    format!(
        "if is_string({value}) {{ {value} }} \
         else if is_integer({value}) || is_boolean({value}) {{ to_string({value}) ?? null }} \
         else if is_float({value}) {{ replace(encode_json({value}), r'\\.0$', \"\") }} \
         else {{ null }}"
    )
}
