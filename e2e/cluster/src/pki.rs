//! Certificates for throw-away servers and their clients.

use std::{fs, os::unix::fs::OpenOptionsExt as _, path::Path};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::error::Error;

/// A certificate, or a public key, with its private key; both PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The certificate or public key.
    pub public: String,
    /// The private key, PKCS#8.
    pub private: String,
}

impl Pair {
    /// Writes `NAME.crt` and `NAME.key`, the key for its owner alone.
    pub fn write(&self, directory: &Path, name: &str) -> Result<(), Error> {
        write_private(&directory.join(format!("{name}.crt")), &self.public)?;
        write_private(&directory.join(format!("{name}.key")), &self.private)
    }
}

/// Whom a certificate is for.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// The common name: a Kubernetes user, or a server.
    pub common_name: String,
    /// The organization: a user's Kubernetes group.
    pub organization: Option<String>,
    /// DNS names and IP addresses that a server answers to; a client has none.
    pub names: Vec<String>,
}

impl Subject {
    /// A client that Kubernetes knows as `user`, member of `group` if one is given.
    pub fn client(user: &str, group: Option<&str>) -> Self {
        Self {
            common_name: user.to_owned(),
            organization: group.map(str::to_owned),
            names: Vec::new(),
        }
    }

    /// A server that answers to DNS names and IP addresses.
    pub fn server(common_name: &str, names: &[&str]) -> Self {
        Self {
            common_name: common_name.to_owned(),
            organization: None,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

/// A certificate authority.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    key: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a self-signed authority with a P-256 key.
    pub fn new(common_name: &str) -> Result<Self, Error> {
        let make = || {
            let mut parameters = parameters(&Subject::client(common_name, None))?;
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
            let key = KeyPair::generate()?;
            let certificate = parameters.self_signed(&key)?.pem();
            let private = key.serialize_pem();
            Ok(Self {
                certificate,
                key: private,
                issuer: Issuer::new(parameters, key),
            })
        };
        make().map_err(failed(common_name))
    }

    /// The authority's certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The authority's certificate and key, for programs that sign by themselves.
    pub fn pair(&self) -> Pair {
        Pair {
            public: self.certificate.clone(),
            private: self.key.clone(),
        }
    }

    /// Issues a certificate that serves as a client's and as a server's.
    pub fn issue(&self, subject: &Subject) -> Result<Pair, Error> {
        let make = || {
            let mut parameters = parameters(subject)?;
            parameters.key_usages = vec![
                KeyUsagePurpose::DigitalSignature,
                KeyUsagePurpose::KeyEncipherment,
            ];
            parameters.extended_key_usages = vec![
                ExtendedKeyUsagePurpose::ClientAuth,
                ExtendedKeyUsagePurpose::ServerAuth,
            ];
            parameters.use_authority_key_identifier_extension = true;
            let key = KeyPair::generate()?;
            let certificate = parameters.signed_by(&key, &self.issuer)?;
            Ok(Pair {
                public: certificate.pem(),
                private: key.serialize_pem(),
            })
        };
        make().map_err(failed(&subject.common_name))
    }
}

/// A P-256 key pair without a certificate, as Kubernetes signs `ServiceAccount` tokens with.
pub fn signing_key() -> Result<Pair, Error> {
    let key = KeyPair::generate().map_err(failed("ServiceAccount tokens"))?;
    Ok(Pair {
        public: key.public_key_pem(),
        private: key.serialize_pem(),
    })
}

fn parameters(subject: &Subject) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(subject.names.as_slice())?;
    let mut name = DistinguishedName::new();
    if let Some(organization) = &subject.organization {
        name.push(DnType::OrganizationName, organization.as_str());
    }
    name.push(DnType::CommonName, subject.common_name.as_str());
    parameters.distinguished_name = name;
    // Throw-away certificates: valid on machines whose clock is wrong, too.
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(2100, 1, 1);
    Ok(parameters)
}

fn failed(subject: &str) -> impl FnOnce(rcgen::Error) -> Error {
    move |source| Error::Certificate {
        subject: subject.to_owned(),
        source,
    }
}

/// Writes a file that only its owner can read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(Error::file("writing", path))?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(Error::file("writing", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What another implementation says of a certificate.
    fn openssl(arguments: &[&str]) -> String {
        let output = std::process::Command::new("openssl")
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        text.into_owned()
    }

    #[test]
    fn certificates_verify_and_carry_user_groups_and_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let authority = Authority::new("test authority").unwrap();
        fs::write(path("ca.crt"), authority.certificate()).unwrap();
        authority
            .issue(&Subject::client("admin", Some("system:masters")))
            .unwrap()
            .write(dir.path(), "admin")
            .unwrap();
        let server = Subject::server("kube-apiserver", &["localhost", "127.0.0.1"]);
        authority
            .issue(&server)
            .unwrap()
            .write(dir.path(), "server")
            .unwrap();

        openssl(&[
            "verify",
            "-purpose",
            "sslclient",
            "-CAfile",
            &path("ca.crt"),
            &path("admin.crt"),
        ]);
        openssl(&[
            "verify",
            "-purpose",
            "sslserver",
            "-CAfile",
            &path("ca.crt"),
            &path("server.crt"),
        ]);
        let subject = openssl(&["x509", "-noout", "-subject", "-in", &path("admin.crt")]);
        assert!(
            subject.contains("O = system:masters") && subject.contains("CN = admin"),
            "{subject}"
        );
        let names = openssl(&[
            "x509",
            "-noout",
            "-ext",
            "subjectAltName",
            "-in",
            &path("server.crt"),
        ]);
        assert!(
            names.contains("DNS:localhost") && names.contains("IP Address:127.0.0.1"),
            "{names}"
        );
    }

    #[test]
    fn another_authority_is_not_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(
            path("ca.crt"),
            Authority::new("test authority").unwrap().certificate(),
        )
        .unwrap();
        let impostor = Authority::new("test authority").unwrap();
        impostor
            .issue(&Subject::client("admin", None))
            .unwrap()
            .write(dir.path(), "admin")
            .unwrap();
        let verify = std::process::Command::new("openssl")
            .args(["verify", "-CAfile", &path("ca.crt"), &path("admin.crt")])
            .output()
            .unwrap();
        assert!(!verify.status.success());
    }

    #[test]
    fn private_keys_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        signing_key().unwrap().write(dir.path(), "sa").unwrap();
        let mode = fs::metadata(dir.path().join("sa.key"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
