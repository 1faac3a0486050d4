//! The pods of the files: those that are there, and those that workloads make.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use tributary_webhook::pod::Pod;
use tributary_webhook::templates::{TemplateError, Workload};

use crate::documents::{Document, without_place};
use crate::error::Error;
use crate::lines::{pointer, pointer_of};
use crate::origin::Origin;

use super::DEFAULT_NAMESPACE;

/// What pods take over from their template's metadata.
const INHERITED: [&str; 3] = ["labels", "annotations", "finalizers"];

/// A pod that would come to admission.
#[derive(Debug)]
pub struct Candidate {
    /// How messages call what it was made from: `Deployment web`.
    pub title: String,
    /// Where that is.
    pub origin: Origin,
    /// The namespace that it would be created in.
    pub namespace: String,
    /// The pod.
    pub pod: Value,
}

/// The pods of these documents, in their order. Pods without a namespace are created in `namespace`.
///
/// # Errors
/// For pods that the API server would refuse to read, and for pods of another namespace.
pub fn find(documents: &[Document], namespace: Option<&str>) -> Result<Vec<Candidate>, Error> {
    documents
        .iter()
        .filter(|document| is_candidate(document))
        .map(|document| candidate(document, namespace))
        .collect()
}

/// Checks that there are no pods where only the cluster's objects are expected.
pub fn check_absent(documents: &[Document]) -> Result<(), Error> {
    match documents.iter().find(|document| is_candidate(document)) {
        None => Ok(()),
        Some(document) => Err(Error::NotForPolicies {
            origin: document.origin(""),
            object: document.title(),
        }),
    }
}

/// Whether this is a workload of a kind that is not known here.
pub fn may_make_pods(document: &Document) -> bool {
    !is_candidate(document)
        && document
            .object
            .pointer("/spec/template/spec/containers")
            .is_some()
}

fn is_candidate(document: &Document) -> bool {
    let (group, kind) = document.group_and_kind();
    (group, kind) == ("", "Pod") || Workload::of(group, kind).is_some()
}

fn candidate(document: &Document, asked: Option<&str>) -> Result<Candidate, Error> {
    let found = document.text("/metadata/namespace");
    if let Some(asked) = asked.filter(|asked| !found.is_empty() && found != *asked) {
        return Err(Error::OtherNamespace {
            origin: document.origin("/metadata/namespace"),
            object: document.title(),
            found: found.to_owned(),
            asked: asked.to_owned(),
        });
    }
    let namespace = if found.is_empty() {
        asked.unwrap_or(DEFAULT_NAMESPACE)
    } else {
        found
    };
    let (group, kind) = document.group_and_kind();
    let pod = match Workload::of(group, kind) {
        None => {
            check(document, "", &document.object)?;
            document.object.clone()
        }
        Some(workload) => made_by(workload, document)?,
    };
    Ok(Candidate {
        title: document.title(),
        origin: document.origin(""),
        namespace: namespace.to_owned(),
        pod,
    })
}

/// The first pod that a workload makes.
fn made_by(workload: Workload, document: &Document) -> Result<Value, Error> {
    let json = document.object.to_string();
    let at = format!("/{}", workload.template_path().replace('.', "/"));
    let template = workload.pod(&json).map_err(|error| match &error {
        TemplateError::Missing { .. } => document.wrong(&at, "there is no pod template; write one"),
        TemplateError::Json { source, .. } => document.wrong("/spec", &without_place(&source.to_string())),
    })?;
    let mut template: Value = serde_json::from_str(&template)
        .map_err(|error| document.wrong(&at, &without_place(&error.to_string())))?;
    check(document, &at, &template)?;

    let mut metadata = Map::new();
    for field in INHERITED {
        if let Some(value) = template["metadata"].get(field) {
            metadata.insert(field.to_owned(), value.clone());
        }
    }
    match workload {
        Workload::StatefulSet => {
            let first = document
                .object
                .pointer("/spec/ordinals/start")
                .and_then(Value::as_u64);
            let name = format!("{}-{}", document.name(), first.unwrap_or_default());
            metadata.insert("name".to_owned(), name.into());
        }
        Workload::Deployment | Workload::DaemonSet | Workload::Job | Workload::CronJob => {
            metadata.insert("generateName".to_owned(), format!("{}-", document.name()).into());
        }
    }
    if let Some(namespace) = document.object.pointer("/metadata/namespace") {
        metadata.insert("namespace".to_owned(), namespace.clone());
    }
    Ok(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"].take()}))
}

/// Checks what the API server checks before admission, as far as decisions depend on it: types, and nothing else.
fn check(document: &Document, at: &str, pod: &Value) -> Result<(), Error> {
    for map in ["annotations", "labels"] {
        let map_at = format!("/metadata/{map}");
        let entries = pod.pointer(&map_at).and_then(Value::as_object);
        for (key, value) in entries.into_iter().flatten() {
            if !value.is_string() {
                let pointer = pointer(&format!("{at}{map_at}"), key);
                let problem = format!("{value} is not text; write it in quotes");
                return Err(document.wrong(&pointer, &problem));
            }
        }
    }
    let json = pod.to_string();
    let mut reader = serde_json::Deserializer::from_str(&json);
    let mut track = serde_path_to_error::Track::new();
    match Pod::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track)) {
        Ok(_) => Ok(()),
        Err(error) => {
            let pointer = format!("{at}{}", pointer_of(&track.path()));
            Err(document.wrong(&pointer, &without_place(&error.to_string())))
        }
    }
}
