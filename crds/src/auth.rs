//! Credentials and TLS, always by reference to a Secret.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How an agent proves who it is. Exactly one is set.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.basic), has(self.bearer), has(self.apiKey)].filter(x, x).size() == 1")
        .message("auth has exactly one method: write basic, bearer or apiKey")
)]
pub struct Auth {
    /// HTTP basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicAuth>,

    /// `Authorization: Bearer TOKEN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer: Option<BearerAuth>,

    /// `Authorization: ApiKey KEY`, as Elasticsearch takes it, or a header of another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<ApiKeyAuth>,
}

/// HTTP basic authentication.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// The user.
    #[schemars(length(min = 1, max = 255))]
    pub username: String,
    /// The password.
    pub password_secret_ref: SecretKeyRef,
}

/// A bearer token.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BearerAuth {
    /// The token.
    pub token_secret_ref: SecretKeyRef,
}

/// A key in a header.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyAuth {
    /// The key.
    pub key_secret_ref: SecretKeyRef,
    /// The header that holds the key alone, such as `x-honeycomb-team`. Absent: `Authorization: ApiKey KEY`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 100), regex(pattern = r"^[A-Za-z0-9-]+$"))]
    pub header: Option<String>,
}

/// How an agent checks who it talks to.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Certificate authorities in PEM. Absent: those of the agent's image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeyRef>,

    /// What the agent shows to a server that asks for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_certificate: Option<ClientCertificate>,

    /// The name that the server's certificate must carry. Absent: the host of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,

    /// Accept any certificate. Whoever is on the network can then read and change the logs.
    #[serde(default)]
    pub insecure_skip_verify: bool,
}

/// A certificate of the agent's own, as in a Secret of type `kubernetes.io/tls`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientCertificate {
    /// The certificate, and those between it and the authority, in PEM.
    pub certificate_secret_ref: SecretKeyRef,
    /// Its private key in PEM, without a password.
    pub key_secret_ref: SecretKeyRef,
}

impl Tls {
    /// Every key of a Secret that it names.
    pub fn secret_keys(&self) -> impl Iterator<Item = &SecretKeyRef> {
        let client = self.client_certificate.as_ref();
        let client = client
            .into_iter()
            .flat_map(|client| [&client.certificate_secret_ref, &client.key_secret_ref]);
        self.ca_secret_ref.iter().chain(client)
    }
}

/// One key of a Secret in the namespace `tributary-agents`.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
pub struct SecretKeyRef {
    /// The Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key within it.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}
