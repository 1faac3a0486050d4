//! An agent's files in a temporary directory, as its engine would find them in the agent's pod.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tributary_agents::config::{CONFIG_DIRECTORY, FILES_DIRECTORY, SECRETS_DIRECTORY, STATE_DIRECTORY};
use tributary_crds::auth::SecretKeyRef;

use super::agent::Agent;

/// What stands for what only the cluster knows.
pub const DUMMY: &str = "tributary-check";

/// The directories of an agent's pod, and what they are called in a temporary directory. None begins as another does.
const DIRECTORIES: [(&str, &str); 4] = [
    (CONFIG_DIRECTORY, "config"),
    (SECRETS_DIRECTORY, "secrets"),
    (STATE_DIRECTORY, "state"),
    (FILES_DIRECTORY, "files"),
];

/// A temporary directory with an agent's files. It goes when this goes.
pub struct Scratch {
    directory: TempDir,
    root: String,
    /// The keys of Secrets that hold certificates, and what stands for each of them.
    certificates: BTreeSet<SecretKeyRef>,
    certificate: String,
}

impl Scratch {
    /// Writes the files of an agent, and a dummy for each Secret: a certificate with its key where engines read one.
    pub fn new(agent: &Agent) -> io::Result<Self> {
        let directory = TempDir::with_prefix("tributary-check-")?;
        let root = directory.path().to_string_lossy().into_owned();
        let certificate = if agent.certificates.is_empty() {
            String::new()
        } else {
            certificate()?
        };
        let scratch = Self {
            directory,
            root,
            certificates: agent.certificates.clone(),
            certificate,
        };
        for (_, name) in DIRECTORIES {
            fs::create_dir(scratch.path().join(name))?;
        }
        for (name, text) in &agent.files {
            fs::write(scratch.path().join("config").join(name), scratch.inside(text))?;
        }
        for key in &agent.secret_files {
            let secret = scratch.path().join("secrets").join(&key.name);
            fs::create_dir_all(&secret)?;
            fs::write(secret.join(&key.key), scratch.secret(key))?;
        }
        Ok(scratch)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What stands for the value of a key of a Secret.
    pub fn secret(&self, key: &SecretKeyRef) -> &str {
        if self.certificates.contains(key) {
            &self.certificate
        } else {
            DUMMY
        }
    }

    /// A configuration file's path.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join("config").join(name)
    }

    /// A text of the agent's, with the paths that its directories have here.
    pub fn inside(&self, text: &str) -> String {
        DIRECTORIES.iter().fold(text.to_owned(), |text, (real, name)| {
            text.replace(real, &format!("{}/{name}", self.root))
        })
    }

    /// A text of a program that ran here, with the paths of the agent's pod.
    pub fn outside(&self, text: &str) -> String {
        DIRECTORIES.iter().fold(text.to_owned(), |text, (real, name)| {
            text.replace(&format!("{}/{name}", self.root), real)
        })
    }
}

/// A certificate of its own authority, and its key, in PEM.
fn certificate() -> io::Result<String> {
    let pair = rcgen::generate_simple_self_signed(vec![DUMMY.to_owned()]).map_err(io::Error::other)?;
    Ok(pair.cert.pem() + &pair.signing_key.serialize_pem())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn an_engine_finds_its_files_and_speaks_of_the_real_ones() {
        let text = format!(
            "a: {CONFIG_DIRECTORY}/b.lua {SECRETS_DIRECTORY}/s/k {STATE_DIRECTORY}/x {FILES_DIRECTORY}/y"
        );
        let agent = Agent {
            files: BTreeMap::from([("a.yaml".to_owned(), text.clone())]),
            secret_files: BTreeSet::from([SecretKeyRef {
                name: "s".to_owned(),
                key: "k".to_owned(),
            }]),
            ..Agent::default()
        };
        let scratch = Scratch::new(&agent).unwrap();
        let written = fs::read_to_string(scratch.file("a.yaml")).unwrap();
        for path in written.split(' ').skip(1) {
            let parent = Path::new(path).parent().unwrap();
            assert!(parent.is_dir() && parent.starts_with(scratch.path()), "{path}");
        }
        assert_eq!(
            fs::read_to_string(scratch.path().join("secrets/s/k")).unwrap(),
            DUMMY
        );
        assert_eq!(scratch.outside(&written), text);
    }
}
