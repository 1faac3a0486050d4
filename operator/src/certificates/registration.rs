//! Where the API server is told whom to trust: `caBundle` of each entry of the two configurations that register the webhook.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration, WebhookClientConfig,
};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde::Deserialize;
use serde_json::json;
use tributary_crds::names::{FIELD_MANAGER, WEBHOOK_CONFIGURATION};

use crate::error::Error;

/// A configuration as it was read.
#[derive(Clone, Debug)]
pub struct Registration {
    resource: ApiResource,
    /// Name and `caBundle` (empty where there is none) of each entry, in their order: what is applied in another order is
    /// put into that.
    entries: Vec<(String, Vec<u8>)>,
}

/// What is read of an entry, which both kinds of configurations have alike.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    client_config: WebhookClientConfig,
}

impl Registration {
    /// Whether every entry trusts exactly this bundle (PEM).
    pub fn trusts(&self, bundle: &str) -> bool {
        self.entries.iter().all(|(_, found)| found == bundle.as_bytes())
    }

    fn of(resource: ApiResource, configuration: &DynamicObject) -> Self {
        let entries = configuration.data.get("webhooks").cloned().unwrap_or_default();
        // The API server takes no entry without a name and an address.
        let entries: Vec<Entry> = serde_json::from_value(entries).unwrap_or_default();
        if entries.is_empty() {
            tracing::warn!(kind = resource.kind, "the webhook's configuration has no entries");
        }
        let bundle = |entry: Entry| (entry.name, entry.client_config.ca_bundle.unwrap_or_default().0);
        Self {
            resource,
            entries: entries.into_iter().map(bundle).collect(),
        }
    }
}

/// Reads and writes them.
pub struct Registrations {
    client: Client,
}

impl Registrations {
    /// Those of the cluster.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// Reads the configurations that there are.
    pub async fn read(&self) -> Result<Vec<Registration>, Error> {
        let mut found = Vec::new();
        for resource in [
            ApiResource::erase::<MutatingWebhookConfiguration>(&()),
            ApiResource::erase::<ValidatingWebhookConfiguration>(&()),
        ] {
            let what = format!("{} {WEBHOOK_CONFIGURATION}", resource.kind);
            let configuration = self
                .api(&resource)
                .get_opt(WEBHOOK_CONFIGURATION)
                .await
                .map_err(Error::read(what))?;
            found.extend(configuration.map(|configuration| Registration::of(resource, &configuration)));
        }
        Ok(found)
    }

    /// Sets `caBundle` of the entries, and touches nothing else of the configuration.
    pub async fn publish(&self, registration: &Registration, bundle: &str) -> Result<(), Error> {
        let resource = &registration.resource;
        let bundle = ByteString(bundle.as_bytes().to_vec());
        let webhooks: Vec<_> = registration
            .entries
            .iter()
            .map(|(name, _)| json!({"name": name, "clientConfig": {"caBundle": bundle}}))
            .collect();
        let patch = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": WEBHOOK_CONFIGURATION},
            "webhooks": webhooks,
        });
        let parameters = PatchParams::apply(FIELD_MANAGER).force();
        self.api(resource)
            .patch(WEBHOOK_CONFIGURATION, &parameters, &Patch::Apply(&patch))
            .await
            .map(drop)
            .map_err(Error::write(format!("{} {WEBHOOK_CONFIGURATION}", resource.kind)))
    }

    fn api(&self, resource: &ApiResource) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), resource)
    }
}
