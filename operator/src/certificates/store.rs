//! Where the webhook's certificates are kept: two Secrets, and a field of the configurations that register the webhook.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use tributary_crds::names::{SYSTEM_NAMESPACE, WEBHOOK_CA_SECRET, WEBHOOK_CERTIFICATE_SECRET, label};

use super::mint::Pair;
use super::registration::{Registration, Registrations};
use crate::error::Error;

const CA_CERTIFICATE: &str = "ca.crt";
const CA_KEY: &str = "ca.key";
const CA_PREVIOUS: &str = "previous.crt";
const TLS_CERTIFICATE: &str = "tls.crt";
const TLS_KEY: &str = "tls.key";

/// The authority that signs and the one that signed before it.
#[derive(Clone)]
pub struct Authorities {
    /// Signs.
    pub current: Pair,
    /// The certificate (PEM) of the authority that signed before, while leaves of it may still be served.
    pub previous: Option<String>,
}

impl Authorities {
    /// What the API server should trust, as PEM.
    pub fn bundle(&self) -> String {
        self.previous
            .iter()
            .map(String::as_str)
            .chain([self.current.certificate.as_str()])
            .collect()
    }
}

/// Everything that is kept, as it was read.
pub struct Kept {
    /// The authorities, with the Secret that they were read from.
    pub authorities: Option<Authorities>,
    /// The leaf.
    pub leaf: Option<Pair>,
    /// The configurations that register the webhook, as far as they exist.
    pub registrations: Vec<Registration>,
    authorities_secret: Option<Secret>,
    leaf_secret: Option<Secret>,
}

/// Reads and writes them.
pub struct Store {
    secrets: Api<Secret>,
    registrations: Registrations,
}

impl Store {
    /// A store in `tributary-system`.
    pub fn new(client: Client) -> Self {
        Self {
            secrets: Api::namespaced(client.clone(), SYSTEM_NAMESPACE),
            registrations: Registrations::new(client),
        }
    }

    /// Reads everything.
    pub async fn read(&self) -> Result<Kept, Error> {
        let secret = async |name: &str| {
            self.secrets
                .get_opt(name)
                .await
                .map_err(Error::read(format!("Secret {SYSTEM_NAMESPACE}/{name}")))
        };
        let authorities_secret = secret(WEBHOOK_CA_SECRET).await?;
        let leaf_secret = secret(WEBHOOK_CERTIFICATE_SECRET).await?;
        Ok(Kept {
            authorities: authorities_secret.as_ref().and_then(|secret| {
                let current = pair(secret, CA_CERTIFICATE, CA_KEY)?;
                Some(Authorities {
                    current,
                    previous: text(secret, CA_PREVIOUS),
                })
            }),
            leaf: leaf_secret
                .as_ref()
                .and_then(|secret| pair(secret, TLS_CERTIFICATE, TLS_KEY)),
            registrations: self.registrations.read().await?,
            authorities_secret,
            leaf_secret,
        })
    }

    /// Writes the authorities over what was read.
    pub async fn write_authorities(&self, kept: Kept, authorities: &Authorities) -> Result<(), Error> {
        let mut data = vec![
            (CA_CERTIFICATE, authorities.current.certificate.clone()),
            (CA_KEY, authorities.current.key.clone()),
        ];
        data.extend(
            authorities
                .previous
                .clone()
                .map(|previous| (CA_PREVIOUS, previous)),
        );
        self.write(kept.authorities_secret, WEBHOOK_CA_SECRET, "Opaque", data)
            .await
    }

    /// Writes the leaf over what was read.
    pub async fn write_leaf(&self, kept: Kept, leaf: Pair) -> Result<(), Error> {
        let data = vec![(TLS_CERTIFICATE, leaf.certificate), (TLS_KEY, leaf.key)];
        self.write(
            kept.leaf_secret,
            WEBHOOK_CERTIFICATE_SECRET,
            "kubernetes.io/tls",
            data,
        )
        .await
    }

    /// Creates the Secret, or replaces exactly the version that was read: somebody else's write in between is a conflict.
    async fn write(
        &self,
        read: Option<Secret>,
        name: &str,
        type_: &str,
        data: Vec<(&str, String)>,
    ) -> Result<(), Error> {
        let data = data
            .into_iter()
            .map(|(key, text)| (key.to_owned(), ByteString(text.into_bytes())))
            .collect();
        let result = if let Some(secret) = read {
            let secret = Secret {
                data: Some(data),
                ..secret
            };
            self.secrets.replace(name, &PostParams::default(), &secret).await
        } else {
            let managed_by = [(label::MANAGED_BY.to_owned(), label::MANAGED_BY_VALUE.to_owned())];
            let metadata = ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(managed_by.into()),
                ..ObjectMeta::default()
            };
            let secret = Secret {
                metadata,
                type_: Some(type_.to_owned()),
                data: Some(data),
                ..Secret::default()
            };
            self.secrets.create(&PostParams::default(), &secret).await
        };
        result
            .map(drop)
            .map_err(Error::write(format!("Secret {SYSTEM_NAMESPACE}/{name}")))
    }

    /// Has each configuration trust exactly this bundle.
    pub async fn publish(&self, registrations: &[Registration], bundle: &str) -> Result<(), Error> {
        for registration in registrations {
            if !registration.trusts(bundle) {
                self.registrations.publish(registration, bundle).await?;
            }
        }
        Ok(())
    }
}

fn pair(secret: &Secret, certificate: &str, key: &str) -> Option<Pair> {
    Some(Pair {
        certificate: text(secret, certificate)?,
        key: text(secret, key)?,
    })
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
}
