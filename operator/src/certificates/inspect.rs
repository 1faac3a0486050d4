//! Reads certificates back, and judges whether a leaf can be served.

use jiff::Timestamp;
use rcgen::{KeyPair, PublicKeyData as _};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::decide::{Leaf, Signer, Validity};
use super::mint::Pair;

/// When the certificate in `pem` is valid, or `None` when it is no certificate.
pub fn validity(pem: &str) -> Option<Validity> {
    let pem = parse(pem)?;
    of(&pem.parse_x509().ok()?)
}

/// Whether `pair` is an authority whose key fits, and when it is valid.
pub fn authority(pair: &Pair) -> Option<Validity> {
    let pem = parse(&pair.certificate)?;
    let certificate = pem.parse_x509().ok()?;
    let usable = certificate.is_ca() && key_fits(&certificate, &pair.key);
    if usable { of(&certificate) } else { None }
}

/// Judges a leaf: its key must fit, it must be for `name`, and `current` or `previous` (PEM) must have signed it.
pub fn leaf(pair: &Pair, name: &str, current: Option<&str>, previous: Option<&str>) -> Option<Leaf> {
    let pem = parse(&pair.certificate)?;
    let certificate = pem.parse_x509().ok()?;
    if !key_fits(&certificate, &pair.key) || !is_for(&certificate, name) {
        return None;
    }
    let signer = if is_signed_by(&certificate, current) {
        Signer::Current
    } else if is_signed_by(&certificate, previous) {
        Signer::Previous
    } else {
        return None;
    };
    Some(Leaf {
        validity: of(&certificate)?,
        signer,
    })
}

fn parse(pem: &str) -> Option<Pem> {
    Pem::iter_from_buffer(pem.as_bytes()).next()?.ok()
}

fn of(certificate: &X509Certificate<'_>) -> Option<Validity> {
    let moment = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
    let validity = certificate.validity();
    Some(Validity {
        not_before: moment(validity.not_before)?,
        not_after: moment(validity.not_after)?,
    })
}

fn key_fits(certificate: &X509Certificate<'_>, key: &str) -> bool {
    KeyPair::from_pem(key)
        .is_ok_and(|key| key.der_bytes() == certificate.public_key().subject_public_key.data.as_ref())
}

fn is_for(certificate: &X509Certificate<'_>, name: &str) -> bool {
    certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .is_some_and(|extension| {
            extension
                .value
                .general_names
                .iter()
                .any(|entry| matches!(entry, GeneralName::DNSName(dns) if *dns == name))
        })
}

fn is_signed_by(certificate: &X509Certificate<'_>, authority: Option<&str>) -> bool {
    let Some(pem) = authority.and_then(parse) else {
        return false;
    };
    pem.parse_x509().is_ok_and(|authority| {
        authority.subject() == certificate.issuer()
            && certificate.verify_signature(Some(authority.public_key())).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::certificates::decide::{AUTHORITY_LIFETIME, LEAF_LIFETIME};
    use crate::certificates::mint;

    const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

    #[test]
    fn what_is_minted_passes_inspection() {
        let name = mint::server_name();
        let old = mint::authority(NOW).unwrap();
        let new = mint::authority(NOW + SignedDuration::from_secs(1)).unwrap();
        let leaf = mint::leaf(&old, NOW).unwrap();
        let judged = |current, previous| super::leaf(&leaf, &name, current, previous).map(|leaf| leaf.signer);
        let (old_pem, new_pem) = (Some(old.certificate.as_str()), Some(new.certificate.as_str()));
        assert_eq!(authority(&old), Some(Validity::starting(NOW, AUTHORITY_LIFETIME)));
        assert_eq!(
            validity(&leaf.certificate),
            Some(Validity::starting(NOW, LEAF_LIFETIME))
        );
        assert_eq!(judged(old_pem, None), Some(Signer::Current));
        assert_eq!(judged(new_pem, old_pem), Some(Signer::Previous));
        assert_eq!(judged(new_pem, None), None, "signed by nobody that is known");
        assert_eq!(
            super::leaf(&leaf, "other.svc", old_pem, None),
            None,
            "for another name"
        );
        let mixed = Pair {
            key: new.key.clone(),
            ..leaf.clone()
        };
        assert_eq!(super::leaf(&mixed, &name, old_pem, None), None, "another's key");
        assert_eq!(authority(&Pair { key: new.key, ..old }), None, "another's key");
        assert_eq!(authority(&leaf), None, "no authority");
        assert_eq!(validity("no certificate"), None);
    }
}
