//! Destinations in Azure.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::auth::SecretKeyRef;

/// A table of Azure Monitor, by its Logs Ingestion API, such as
/// `{endpoint: "https://logs-x1y2.westeurope-1.ingest.monitor.azure.com", ruleId: dcr-0123456789abcdef0123456789abcdef, table: Tributary_CL, tenantId: ..., clientId: ..., clientSecretRef: {name: azure, key: secret}}`.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct AzureMonitor {
    /// The data collection endpoint, or the rule's own.
    #[schemars(length(max = 1024))]
    #[x_kube(
        validation = Rule::new("self.matches('^https://[^/@]+/?$')")
            .message("write the endpoint's base URL, such as https://logs-x1y2.westeurope-1.ingest.monitor.azure.com")
    )]
    pub endpoint: String,

    /// The immutable ID of the data collection rule.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^dcr-[0-9a-f]+$"))]
    pub rule_id: String,

    /// The table; the rule's stream is `Custom-` and its name.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Za-z][A-Za-z0-9_]*_CL$"))]
    pub table: String,

    /// The tenant's ID.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9.-]+$"))]
    pub tenant_id: String,

    /// The application's ID.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub client_id: String,

    /// A client secret of the application.
    pub client_secret_ref: SecretKeyRef,
}
