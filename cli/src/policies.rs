//! Reads `LoggingPolicy` objects as the API server would take them.

use std::collections::BTreeMap;

use serde_json::Value;
use tributary_crds::LoggingPolicy;
use tributary_webhook::policies::{PolicyIndex, StoredPolicy};

use crate::documents::Document;
use crate::error::Error;
use crate::lines::pointer_of;
use crate::origin::Origin;
use crate::schema;

const API_VERSION: &str = "tributary.dev/v1alpha1";

/// Reads policies as admission has them.
///
/// # Errors
/// For one that `kubectl apply` would refuse for its fields, and for two of one name.
pub fn read<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Result<PolicyIndex, Error> {
    let policies: BTreeMap<String, StoredPolicy> = read_each(documents)?
        .into_iter()
        .map(|(document, policy)| (document.name().to_owned(), Ok(policy)))
        .collect();
    Ok(PolicyIndex::compile(&policies))
}

/// Reads policies, each with its document.
///
/// # Errors
/// As those of [`read`].
pub fn read_each<'d>(
    documents: impl IntoIterator<Item = &'d Document>,
) -> Result<Vec<(&'d Document, LoggingPolicy)>, Error> {
    let schema = schema::of_policies();
    let documents: Vec<&Document> = documents.into_iter().collect();
    check_once(&documents)?;
    documents
        .into_iter()
        .map(|document| Ok((document, read_one(document, &schema)?)))
        .collect()
}

/// Checks that no two policies have one name.
pub fn check_once(documents: &[&Document]) -> Result<(), Error> {
    let mut origins: BTreeMap<&str, Origin> = BTreeMap::new();
    for document in documents.iter().filter(|document| !document.name().is_empty()) {
        let second = document.origin("");
        if let Some(first) = origins.insert(document.name(), second.clone()) {
            return Err(Error::Twice {
                object: document.title(),
                first,
                second,
            });
        }
    }
    Ok(())
}

/// The policies among these objects.
pub fn among(documents: &[Document]) -> Vec<&Document> {
    let is_policy = |document: &&Document| document.group_and_kind() == ("tributary.dev", "LoggingPolicy");
    documents.iter().filter(is_policy).collect()
}

/// What is wrong with the parts of a policy that are not its specification, which nothing can be said of then.
///
/// # Errors
/// For another version of the API, and for a policy without a name.
pub fn check_head(document: &Document) -> Result<(), Error> {
    if document.text("/apiVersion") != API_VERSION {
        let problem = format!("this version of Tributary reads {API_VERSION}");
        return Err(document.wrong("/apiVersion", &problem));
    }
    if document.text("/metadata/name").is_empty() {
        return Err(document.wrong("/metadata/name", "a policy needs a name; write one"));
    }
    Ok(())
}

fn read_one(document: &Document, schema: &Value) -> Result<LoggingPolicy, Error> {
    check_head(document)?;
    if let Some(unknown) = schema::unknown_fields(&document.object, schema).first() {
        return Err(document.wrong(&unknown.pointer, &unknown.problem));
    }
    serde_path_to_error::deserialize(&document.object).map_err(|error| {
        let problem = format!("{}; `kubectl explain lp.spec` has what it may be", error.inner());
        document.wrong(&pointer_of(error.path()), &problem)
    })
}
