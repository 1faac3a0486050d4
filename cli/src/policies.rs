//! Reads `LoggingPolicy` objects as the API server would take them.

use std::collections::BTreeMap;

use kube::CustomResourceExt as _;
use serde_json::Value;
use tributary_crds::LoggingPolicy;
use tributary_webhook::explain::did_you_mean;
use tributary_webhook::policies::{PolicyIndex, StoredPolicy};

use crate::documents::Document;
use crate::error::Error;
use crate::lines::{pointer, pointer_of};
use crate::origin::Origin;

const API_VERSION: &str = "tributary.dev/v1alpha1";

/// Reads policies.
///
/// # Errors
/// For one that `kubectl apply` would refuse for its fields, and for two of one name.
pub fn read<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Result<PolicyIndex, Error> {
    let schema = schema();
    let mut origins: BTreeMap<String, Origin> = BTreeMap::new();
    let mut policies: BTreeMap<String, StoredPolicy> = BTreeMap::new();
    for document in documents {
        let policy = read_one(document, &schema)?;
        let (name, origin) = (document.name().to_owned(), document.origin(""));
        if let Some(first) = origins.insert(name.clone(), origin.clone()) {
            return Err(Error::Twice {
                object: document.title(),
                first,
                second: origin,
            });
        }
        policies.insert(name, Ok(policy));
    }
    Ok(PolicyIndex::compile(&policies))
}

fn read_one(document: &Document, schema: &Value) -> Result<LoggingPolicy, Error> {
    if document.text("/apiVersion") != API_VERSION {
        let problem = format!("this version of Tributary reads {API_VERSION}");
        return Err(document.wrong("/apiVersion", &problem));
    }
    if document.text("/metadata/name").is_empty() {
        return Err(document.wrong("/metadata/name", "a policy needs a name; write one"));
    }
    if let Some(unknown) = unknown_field(&document.object, schema, "") {
        return Err(document.wrong(&unknown.pointer, &unknown.problem));
    }
    serde_path_to_error::deserialize(&document.object).map_err(|error| {
        let problem = format!("{}; `kubectl explain lp.spec` has what it may be", error.inner());
        document.wrong(&pointer_of(error.path()), &problem)
    })
}

/// The schema that the API server holds policies against.
fn schema() -> Value {
    let crd = serde_json::to_value(LoggingPolicy::crd()).unwrap_or_default();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema");
    schema.cloned().unwrap_or_default()
}

struct UnknownField {
    pointer: String,
    problem: String,
}

/// The first field that the schema does not know. The API server would drop it, and kubectl refuses it.
fn unknown_field(value: &Value, schema: &Value, at: &str) -> Option<UnknownField> {
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let pointer = pointer(at, name);
            // The metadata is that of every object; the schema of policies says nothing about it.
            if ["/apiVersion", "/kind", "/metadata"].contains(&pointer.as_str()) {
                return None;
            }
            match (
                schema["properties"].as_object(),
                schema.get("additionalProperties"),
            ) {
                (_, Some(inner)) => unknown_field(value, inner, &pointer),
                (None, None) => None,
                (Some(known), None) => match known.get(name) {
                    Some(inner) => unknown_field(value, inner, &pointer),
                    None => Some(UnknownField {
                        pointer,
                        problem: not_known(name, known.keys().map(String::as_str)),
                    }),
                },
            }
        }),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            unknown_field(item, &schema["items"], &pointer(at, &index.to_string()))
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn not_known<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    if let Some(near) = did_you_mean(name, known.clone()) {
        return format!("there is no such field; did you mean {near}?");
    }
    let known: Vec<&str> = known.collect();
    format!("there is no such field; there are {}", known.join(", "))
}
