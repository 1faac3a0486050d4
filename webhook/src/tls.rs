//! The certificate that is served with: swapped without a dropped request, kept when the next one is no good.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Why a certificate cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The Secret lacks a key.
    #[error("the Secret has no {0}; it must be of type kubernetes.io/tls")]
    Missing(&'static str),
    /// Not PEM.
    #[error("reading {0} as PEM: {1}")]
    Pem(&'static str, pem::Error),
    /// No certificate in the PEM.
    #[error("tls.crt holds no certificate")]
    Empty,
    /// The certificate's fields cannot be read.
    #[error("reading the first certificate of tls.crt: {0}")]
    Certificate(String),
    /// The key is of a kind that is not supported.
    #[error("using tls.key: {0}")]
    Key(rustls::Error),
    /// Certificate and key do not belong together.
    #[error("tls.key is not the key of the first certificate of tls.crt: {0}")]
    Mismatch(rustls::Error),
}

/// A certificate, its key and its end.
#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

/// The pair in use. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Certificate(Arc<ArcSwapOption<Pair>>);

impl Certificate {
    /// Serves new connections with this pair from now on. On error the pair before stays in use.
    pub fn replace(&self, certificate: &[u8], key: &[u8]) -> Result<Timestamp, CertificateError> {
        let pair = Pair::parse(certificate, key)?;
        let not_after = pair.not_after;
        self.0.store(Some(Arc::new(pair)));
        Ok(not_after)
    }

    /// When the pair in use ends; `None` when there is none yet.
    pub fn not_after(&self) -> Option<Timestamp> {
        self.0.load().as_ref().map(|pair| pair.not_after)
    }

    /// TLS 1.2 and 1.3 with this certificate, for HTTP/1.1: over HTTP/2 the API server would send everything to one replica.
    ///
    /// # Errors
    /// When the crypto provider offers neither version, which is a defect of the build.
    pub fn server_config(&self) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref().map(|pair| Arc::clone(&pair.key))
    }
}

impl Pair {
    fn parse(certificate: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| CertificateError::Pem("tls.crt", error))?;
        let leaf = chain.first().ok_or(CertificateError::Empty)?;
        let not_after = not_after(leaf)?;
        let key =
            PrivateKeyDer::from_pem_slice(key).map_err(|error| CertificateError::Pem("tls.key", error))?;
        let key = ring::sign::any_supported_type(&key).map_err(CertificateError::Key)?;
        let pair = CertifiedKey::new(chain, key);
        pair.keys_match().map_err(CertificateError::Mismatch)?;
        Ok(Self {
            key: Arc::new(pair),
            not_after,
        })
    }
}

fn not_after(certificate: &CertificateDer<'_>) -> Result<Timestamp, CertificateError> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| CertificateError::Certificate(error.to_string()))?;
    let seconds = parsed.validity().not_after.timestamp();
    Timestamp::from_second(seconds).map_err(|error| CertificateError::Certificate(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (String, String) {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        (pair.cert.pem(), pair.signing_key.serialize_pem())
    }

    #[test]
    fn the_old_pair_stays_while_the_new_one_is_no_good() {
        let served = Certificate::default();
        assert!(served.not_after().is_none());
        let (certificate, key) = pair();
        let end = served.replace(certificate.as_bytes(), key.as_bytes()).unwrap();
        let before = served.0.load_full().unwrap();

        let (_, other_key) = pair();
        for (certificate, key, says) in [
            (certificate.as_str(), other_key.as_str(), "is not the key"),
            ("", key.as_str(), "holds no certificate"),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                key.as_str(),
                "first certificate",
            ),
            (certificate.as_str(), "garbage", "tls.key as PEM"),
        ] {
            let error = served
                .replace(certificate.as_bytes(), key.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(Arc::ptr_eq(&before, &served.0.load_full().unwrap()));
        assert_eq!(served.not_after(), Some(end));
    }
}
