//! Makes keys and certificates.

use std::time::SystemTime;

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};
use tributary_crds::names::{SYSTEM_NAMESPACE, WEBHOOK_SERVICE};

use super::decide::{AUTHORITY_LIFETIME, LEAF_LIFETIME, Validity};
use crate::error::Error;

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS #8).
    pub key: String,
}

/// The name by which the API server calls the webhook: `SERVICE.NAMESPACE.svc`.
pub fn server_name() -> String {
    format!("{WEBHOOK_SERVICE}.{SYSTEM_NAMESPACE}.svc")
}

/// A certificate authority of its own, valid from about `now` on.
pub fn authority(now: Timestamp) -> Result<Pair, Error> {
    let mint = |what| move |source| Error::Mint { what, source };
    let what = "certificate authority";
    let key = KeyPair::generate().map_err(mint(what))?;
    let mut params = CertificateParams::default();
    // The day makes the names of two authorities differ, which tells them apart in a bundle.
    params.distinguished_name = subject(&format!(
        "tributary-webhook-ca {}",
        now.strftime("%Y-%m-%dT%H:%M:%SZ")
    ));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, Validity::starting(now, AUTHORITY_LIFETIME));
    let certificate = params.self_signed(&key).map_err(mint(what))?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// A server certificate for the webhook's Service, signed by `authority`, valid from about `now` on.
pub fn leaf(authority: &Pair, now: Timestamp) -> Result<Pair, Error> {
    let mint = |source| Error::Mint {
        what: "certificate",
        source,
    };
    let signing_key = KeyPair::from_pem(&authority.key).map_err(mint)?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, signing_key).map_err(mint)?;
    let key = KeyPair::generate().map_err(mint)?;
    let mut params = CertificateParams::new(vec![server_name()]).map_err(mint)?;
    params.distinguished_name = subject(&server_name());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, Validity::starting(now, LEAF_LIFETIME));
    let certificate = params.signed_by(&key, &issuer).map_err(mint)?;
    Ok(Pair {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

fn subject(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    params.not_before = SystemTime::from(validity.not_before).into();
    params.not_after = SystemTime::from(validity.not_after).into();
}
