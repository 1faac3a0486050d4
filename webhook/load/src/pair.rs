//! Certificates that the webhook serves with, and clients that trust them.

use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};

use crate::Error;

/// The name that every certificate here is for.
pub const SERVER_NAME: &str = "localhost";

/// A certificate that is its own authority, and its key.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM.
    pub key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Pair {
    /// A new one.
    pub fn new() -> Result<Self, Error> {
        let made = rcgen::generate_simple_self_signed(vec![SERVER_NAME.to_owned()])?;
        Ok(Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
            der: made.cert.der().clone(),
        })
    }
}

/// The configuration of a client that trusts these certificates and no others, as the API server trusts a `caBundle`.
pub fn trusting(pairs: &[&Pair]) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.der.clone())?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
