//! Client configurations: who talks to which API server.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use kube::{
    Api, Client, Config,
    api::PostParams,
    config::{
        AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
    },
};

use crate::{error::Error, pki::Pair};

/// The name of the cluster, the context and the user in a file for `kubectl`.
const NAME: &str = "tributary";

/// An API server, and the authority that signs for it.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// For example `https://127.0.0.1:6443`.
    pub(crate) url: String,
    /// The authority's certificate, PEM.
    pub(crate) authority: String,
}

/// How a client says who it is.
#[derive(Debug)]
pub(crate) enum Identity<'a> {
    /// By a certificate.
    Certificate(&'a Pair),
    /// By a certificate, speaking for another user.
    Impersonation(&'a Pair, String, Vec<String>),
    /// By a token.
    Token(String),
}

impl Server {
    /// The configuration of one client, as a file for `kubectl` holds it (JSON is YAML).
    pub(crate) fn file(&self, identity: Identity<'_>) -> String {
        let config = self.kubeconfig(identity);
        // Secrets are not written by the types' own serialization in all versions; this one does.
        serde_json::to_string_pretty(&config).expect("a kubeconfig has only string keys")
    }

    /// A client.
    pub(crate) async fn client(&self, identity: Identity<'_>) -> Result<Client, Error> {
        // Fails when one was installed already, by the test or by an earlier client: then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let user = match &identity {
            Identity::Certificate(_) => "admin".to_owned(),
            Identity::Impersonation(_, user, _) => user.clone(),
            Identity::Token(_) => "a token".to_owned(),
        };
        let config = Config::from_custom_kubeconfig(self.kubeconfig(identity), &KubeConfigOptions::default())
            .await
            .map_err(|source| Error::Kubeconfig {
                user: user.clone(),
                source: Box::new(source),
            })?;
        Client::try_from(config).map_err(Error::api(format!("making a client for {user}")))
    }

    fn kubeconfig(&self, identity: Identity<'_>) -> Kubeconfig {
        let auth_info = match identity {
            Identity::Certificate(pair) => by_certificate(pair),
            Identity::Impersonation(pair, user, groups) => AuthInfo {
                impersonate: Some(user),
                impersonate_groups: Some(groups),
                ..by_certificate(pair)
            },
            Identity::Token(token) => AuthInfo {
                token: Some(token.into()),
                ..AuthInfo::default()
            },
        };
        let cluster = Cluster {
            server: Some(self.url.clone()),
            certificate_authority_data: Some(base64(&self.authority)),
            ..Cluster::default()
        };
        let context = Context {
            cluster: NAME.to_owned(),
            user: Some(NAME.to_owned()),
            ..Context::default()
        };
        Kubeconfig {
            kind: Some("Config".to_owned()),
            api_version: Some("v1".to_owned()),
            clusters: vec![NamedCluster {
                name: NAME.to_owned(),
                cluster: Some(cluster),
                ..NamedCluster::default()
            }],
            auth_infos: vec![NamedAuthInfo {
                name: NAME.to_owned(),
                auth_info: Some(auth_info),
                ..NamedAuthInfo::default()
            }],
            contexts: vec![NamedContext {
                name: NAME.to_owned(),
                context: Some(context),
                ..NamedContext::default()
            }],
            current_context: Some(NAME.to_owned()),
            ..Kubeconfig::default()
        }
    }
}

fn by_certificate(pair: &Pair) -> AuthInfo {
    AuthInfo {
        client_certificate_data: Some(base64(&pair.public)),
        client_key_data: Some(base64(&pair.private).into()),
        ..AuthInfo::default()
    }
}

fn base64(text: &str) -> String {
    use ::base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(text)
}

/// A token of a `ServiceAccount`, made by the API server, valid for an hour.
pub(crate) async fn service_account_token(
    admin: &Client,
    namespace: &str,
    name: &str,
) -> Result<String, Error> {
    let doing = || format!("requesting a token of the ServiceAccount {namespace}/{name}");
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    let request = TokenRequest {
        spec: TokenRequestSpec {
            expiration_seconds: Some(3600),
            ..TokenRequestSpec::default()
        },
        ..TokenRequest::default()
    };
    let answer = accounts
        .create_token_request(name, &PostParams::default(), &request)
        .await
        .map_err(Error::api(doing()))?;
    Ok(answer.status.map(|status| status.token).unwrap_or_default())
}
