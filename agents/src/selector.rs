//! Label selectors as predicates.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use tributary_crds::field::Field;

use crate::CompileError;
use crate::pipeline::{Predicate, Subject, Test};

/// The label that every namespace carries its own name as.
const NAMESPACE_NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The predicates of a selector of pods. `field` is the selector's path, for messages.
pub fn of_pods(field: &str, selector: &LabelSelector) -> Result<Vec<Predicate>, CompileError> {
    predicates(field, selector, |key| Subject::Record(Field::Label(key)))
}

/// The predicates of a selector of namespaces. A namespace's name is known without asking the API server for labels.
pub fn of_namespaces(field: &str, selector: &LabelSelector) -> Result<Vec<Predicate>, CompileError> {
    predicates(field, selector, |key| {
        if key == NAMESPACE_NAME_LABEL {
            Subject::Record(Field::NamespaceName)
        } else {
            Subject::NamespaceLabel(key)
        }
    })
}

fn predicates(
    field: &str,
    selector: &LabelSelector,
    subject: impl Fn(String) -> Subject,
) -> Result<Vec<Predicate>, CompileError> {
    let mut found = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        let place = format!("{field}.matchLabels");
        check_key(&place, key)?;
        check_value(&place, value)?;
        found.push(Predicate {
            subject: subject(key.clone()),
            test: Test::In(vec![value.clone()]),
        });
    }
    for (index, requirement) in selector.match_expressions.iter().flatten().enumerate() {
        let place = format!("{field}.matchExpressions[{index}]");
        check_key(&format!("{place}.key"), &requirement.key)?;
        found.push(Predicate {
            subject: subject(requirement.key.clone()),
            test: test(&place, requirement)?,
        });
    }
    Ok(found)
}

fn test(place: &str, requirement: &LabelSelectorRequirement) -> Result<Test, CompileError> {
    let values = requirement.values.clone().unwrap_or_default();
    let field = format!("{place}.values");
    for value in &values {
        check_value(&field, value)?;
    }
    let some = |test: fn(Vec<String>) -> Test| {
        if values.is_empty() {
            return Err(CompileError::field(&field, "is empty", "list at least one value"));
        }
        Ok(test(values.clone()))
    };
    let none = |test| {
        if values.is_empty() {
            return Ok(test);
        }
        let problem = format!("is not for operator {}", requirement.operator);
        Err(CompileError::field(
            &field,
            problem,
            "remove the values, or write operator: In or NotIn",
        ))
    };
    match requirement.operator.as_str() {
        "In" => some(Test::In),
        "NotIn" => some(Test::NotIn),
        "Exists" => none(Test::Exists(true)),
        "DoesNotExist" => none(Test::Exists(false)),
        other => Err(CompileError::field(
            format!("{place}.operator"),
            format!("is {other:?}"),
            "write In, NotIn, Exists or DoesNotExist",
        )),
    }
}

/// A label's key: an optional DNS name and a slash, then a name of at most 63 characters.
fn check_key(field: &str, key: &str) -> Result<(), CompileError> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let is_dns = |prefix: &str| {
        prefix.len() <= 253
            && prefix
                .split('.')
                .all(|part| is_name(part, 63, |c| c == '-') && !part.contains(char::is_uppercase))
    };
    if is_name(name, 63, |c| "-_.".contains(c)) && prefix.is_none_or(is_dns) {
        return Ok(());
    }
    Err(CompileError::field(
        field,
        format!("has {key:?}, which no label can be called"),
        "write a label's key, such as app.kubernetes.io/name",
    ))
}

fn check_value(field: &str, value: &str) -> Result<(), CompileError> {
    if value.is_empty() || is_name(value, 63, |c| "-_.".contains(c)) {
        return Ok(());
    }
    Err(CompileError::field(
        field,
        format!("has {value:?}, which no label can hold"),
        "write at most 63 letters, digits, dashes, underscores and dots, with a letter or digit at each end",
    ))
}

/// Whether text is 1 to `longest` ASCII letters, digits and `inner` characters, with a letter or digit at each end.
fn is_name(text: &str, longest: usize, inner: impl Fn(char) -> bool) -> bool {
    let end = |c: char| c.is_ascii_alphanumeric();
    (1..=longest).contains(&text.len())
        && text.starts_with(end)
        && text.ends_with(end)
        && text.chars().all(|c| end(c) || inner(c))
}
