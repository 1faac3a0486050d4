//! What the namespaces of the files allow their pods: `LimitRange`s and `ResourceQuota`s.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_webhook::limits::limit_range::LimitRange;
use tributary_webhook::limits::quota::Quota;
use tributary_webhook::limits::{Limit, NO_LIMITS, NamespaceLimits};

use crate::documents::Document;
use crate::error::Error;
use crate::lines::pointer_of;

use super::defaults;

/// The limits of each namespace that has some.
#[derive(Debug, Default)]
pub struct Limits(BTreeMap<String, NamespaceLimits>);

impl Limits {
    /// Reads those among these documents. Objects without a namespace are of this one.
    pub fn read(documents: &[&Document], namespace: &str) -> Result<Self, Error> {
        let mut limits = Self::default();
        for document in documents {
            match document.group_and_kind() {
                ("", "LimitRange") => limits.add::<LimitRange>(document, namespace, defaults::limit_range)?,
                ("", "ResourceQuota") => limits.add::<Quota>(document, namespace, defaults::quota)?,
                _ => {}
            }
        }
        Ok(limits)
    }

    /// What a namespace allows.
    pub fn of(&self, namespace: &str) -> &NamespaceLimits {
        self.0.get(namespace).unwrap_or(&NO_LIMITS)
    }

    fn add<L: Limit>(
        &mut self,
        document: &Document,
        namespace: &str,
        defaulted: fn(&Value) -> Value,
    ) -> Result<(), Error>
    where
        L::Object: DeserializeOwned,
    {
        let object: L::Object = serde_path_to_error::deserialize(defaulted(&document.object))
            .map_err(|error| document.wrong(&pointer_of(error.path()), &error.inner().to_string()))?;
        let namespace = match document.text("/metadata/namespace") {
            "" => namespace,
            own => own,
        };
        let limits = self.0.entry(namespace.to_owned()).or_default();
        limits.set(document.name(), Some(L::read(&object)));
        Ok(())
    }
}
