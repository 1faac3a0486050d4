//! What the files say of the cluster: its policies and namespaces.

use std::collections::BTreeMap;

use serde_json::Value;
use tributary_crds::selection::Labels;
use tributary_webhook::policies::PolicyIndex;

use crate::documents::Document;
use crate::error::Error;
use crate::lines::pointer;
use crate::policies;

use super::DEFAULT_NAMESPACE;
use super::limits::Limits;

/// The label that every namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// The cluster, as far as admission looks at it.
#[derive(Debug)]
pub struct Cluster {
    /// Its policies.
    pub policies: PolicyIndex,
    /// What its namespaces allow.
    pub limits: Limits,
    /// The labels of the namespaces that the files describe.
    namespaces: BTreeMap<String, Labels>,
    /// Labels of every namespace.
    labels: Labels,
}

impl Cluster {
    /// Reads the cluster's objects among these documents. Those that are in a namespace and name none are in this one.
    pub fn read(
        documents: &[&Document],
        namespace: Option<&str>,
        labels: &[(String, String)],
    ) -> Result<Self, Error> {
        let of_kind = |group, kind| {
            let documents = documents.iter().copied();
            documents.filter(move |document| document.group_and_kind() == (group, kind))
        };
        let namespaces = of_kind("", "Namespace")
            .map(|document| Ok((document.name().to_owned(), labels_of(document)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            policies: policies::read(of_kind("tributary.dev", "LoggingPolicy"))?,
            limits: Limits::read(documents, namespace.unwrap_or(DEFAULT_NAMESPACE))?,
            namespaces,
            labels: labels.iter().cloned().collect(),
        })
    }

    /// Whether there is no policy at all.
    pub fn has_no_policies(&self) -> bool {
        self.policies.counts().0 == 0
    }

    /// The labels of a namespace, whether a file describes it or not.
    pub fn labels_of(&self, namespace: &str) -> Labels {
        let mut labels = self.namespaces.get(namespace).cloned().unwrap_or_default();
        labels.extend(self.labels.clone());
        labels.insert(NAME_LABEL.to_owned(), namespace.to_owned());
        labels
    }
}

fn labels_of(document: &Document) -> Result<Labels, Error> {
    const AT: &str = "/metadata/labels";
    let labels = document.object.pointer(AT).and_then(Value::as_object);
    labels
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let text = value.as_str().ok_or_else(|| {
                document.wrong(
                    &pointer(AT, key),
                    &format!("{value} is not text; write it in quotes"),
                )
            })?;
            Ok((key.clone(), text.to_owned()))
        })
        .collect()
}
