//! The selection of containers as the API server and paths can make it, so that what nobody wants is not read. The programs make all
//! of it again: a pod's labels may change.

use tributary_crds::field::Field;

use crate::pipeline::{Pipeline, Predicate, Subject, Test};

/// The namespaces of which all wanted containers are, where the selection names them.
pub fn wanted_namespaces(pipeline: &Pipeline) -> Option<&[String]> {
    tests_of_namespace(pipeline).find_map(|test| match test {
        Test::In(names) => Some(names.as_slice()),
        Test::NotIn(_) | Test::Matches(_) | Test::NotMatches(_) | Test::Exists(_) => None,
    })
}

/// Namespaces without wanted containers.
pub fn unwanted_namespaces(pipeline: &Pipeline) -> &[String] {
    let mut unwanted = tests_of_namespace(pipeline).filter_map(|test| match test {
        Test::NotIn(names) => Some(names.as_slice()),
        Test::In(_) | Test::Matches(_) | Test::NotMatches(_) | Test::Exists(_) => None,
    });
    unwanted.next().unwrap_or_default()
}

fn tests_of_namespace(pipeline: &Pipeline) -> impl Iterator<Item = &Test> {
    pipeline
        .selection
        .iter()
        .filter(|predicate| predicate.subject == Subject::Record(Field::NamespaceName))
        .map(|predicate| &predicate.test)
}

/// A label selector of pods.
pub fn of_pods(pipeline: &Pipeline) -> Option<String> {
    label_selector(&pipeline.selection, |subject| match subject {
        Subject::Record(Field::Label(key)) => Some(key),
        Subject::Record(_) | Subject::NamespaceLabel(_) => None,
    })
}

/// A label selector of namespaces.
pub fn of_namespaces(pipeline: &Pipeline) -> Option<String> {
    label_selector(&pipeline.selection, |subject| match subject {
        Subject::NamespaceLabel(key) => Some(key),
        Subject::Record(_) => None,
    })
}

/// What Kubernetes' `labelSelector` parameter says of labels. Keys and values are those of labels.
fn label_selector(selection: &[Predicate], key: impl Fn(&Subject) -> Option<&String>) -> Option<String> {
    let requirements: Vec<String> = selection
        .iter()
        .filter_map(|predicate| requirement(key(&predicate.subject)?, &predicate.test))
        .collect();
    (!requirements.is_empty()).then(|| requirements.join(","))
}

fn requirement(key: &str, test: &Test) -> Option<String> {
    match test {
        Test::In(values) => Some(format!("{key} in ({})", values.join(","))),
        Test::NotIn(values) => Some(format!("{key} notin ({})", values.join(","))),
        Test::Exists(true) => Some(key.to_owned()),
        Test::Exists(false) => Some(format!("!{key}")),
        // No selector of labels has them.
        Test::Matches(_) | Test::NotMatches(_) => None,
    }
}
