//! Debian packages that a cluster needs.

use std::fs;

use tokio::process::Command;

use crate::{command, components::Progress, error::Error};

/// What a cluster takes from Debian: the container runtime, the pods' network, the examples' shell.
pub const PACKAGES: [&str; 7] = [
    "busybox-static",
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "iproute2",
    "iptables",
    "runc",
];

/// Where Debian and its derivatives record what is installed.
const STATUS: &str = "/var/lib/dpkg/status";

/// Installs the packages that are missing, and says so before it does.
///
/// Elsewhere than on Debian and its derivatives, nothing is installed: an error names what to install.
pub async fn ensure(packages: &[&str], progress: &Progress) -> Result<(), Error> {
    let missing = match fs::read_to_string(STATUS) {
        Ok(status) => missing(&status, packages),
        Err(_) => {
            return Err(Error::NotDebian {
                packages: packages.join(" "),
            });
        }
    };
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::MissingPackages {
            packages: missing.join(" "),
        });
    }
    let names = missing.join(" ");
    progress.say(&format!("installing Debian packages that are missing: {names}"));
    progress
        .during("reading Debian's package lists", None, apt(&["update"], &[]))
        .await?;
    let install = apt(&["install", "--yes", "--no-install-recommends"], &missing);
    progress
        .during(&format!("installing {names}"), None, install)
        .await
}

async fn apt(words: &[&str], packages: &[&str]) -> Result<(), Error> {
    let mut apt = Command::new("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive")
        .arg("--quiet")
        .args(words)
        .args(packages);
    command::run(apt, &format!("apt-get {}", words[0]))
        .await
        .map(drop)
}

/// The packages that the record does not list as installed.
fn missing<'a>(status: &str, packages: &[&'a str]) -> Vec<&'a str> {
    let installed: Vec<&str> = status
        .split("\n\n")
        .filter(|record| record.lines().any(|line| line == "Status: install ok installed"))
        .filter_map(|record| record.lines().find_map(|line| line.strip_prefix("Package: ")))
        .collect();
    packages
        .iter()
        .copied()
        .filter(|package| !installed.contains(package))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removed_and_unknown_packages_are_missing() {
        let status = "Package: runc\nStatus: install ok installed\nVersion: 1.1.5\n\n\
                      Package: iptables\nStatus: deinstall ok config-files\n\n\
                      Package: runc-doc\nStatus: install ok installed\n";
        assert_eq!(
            missing(status, &["runc", "iptables", "containerd"]),
            ["iptables", "containerd"]
        );
    }
}
