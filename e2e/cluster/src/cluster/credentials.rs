//! Who is who in a cluster: certificates, keys and client configurations, in the state directory.

use std::{fs, path::Path};

use super::slot::Slot;
use crate::{
    error::Error,
    kubeconfig::{Identity, Server},
    pki::{Authority, Pair, Subject, signing_key, write_private},
};

/// The name of the only node.
pub(super) const NODE: &str = "node1";
/// The API server's port on the node's address.
pub(super) const API_PORT: u16 = 6443;

/// What the harness itself needs of all that was written.
pub(super) struct Credentials {
    pub(super) authority: Authority,
    pub(super) server: Server,
    pub(super) admin: Pair,
}

/// Writes everything to `STATE/pki` and `STATE/kubeconfigs`, and the administrator's client configuration to
/// `STATE/kubeconfig`.
pub(super) fn write(state: &Path, slot: Slot) -> Result<Credentials, Error> {
    let (pki, kubeconfigs) = (state.join("pki"), state.join("kubeconfigs"));
    for directory in [&pki, &kubeconfigs] {
        fs::create_dir_all(directory).map_err(Error::file("making", directory))?;
    }
    let authority = Authority::new("tributary cluster")?;
    authority.pair().write(&pki, "ca")?;
    signing_key()?.write(&pki, "service-account")?;
    servers(&authority, slot, &pki)?;

    let server = Server {
        url: format!("https://{}:{API_PORT}", slot.node_address()),
        authority: authority.certificate().to_owned(),
    };
    let node_user = format!("system:node:{NODE}");
    for (file, user, group) in [
        ("kube-controller-manager", "system:kube-controller-manager", None),
        ("kube-scheduler", "system:kube-scheduler", None),
        ("kube-proxy", "system:kube-proxy", None),
        ("kubelet", &node_user, Some("system:nodes")),
    ] {
        let pair = authority.issue(&Subject::client(user, group))?;
        write_private(
            &kubeconfigs.join(file),
            &server.file(Identity::Certificate(&pair)),
        )?;
    }
    let admin = authority.issue(&Subject::client("admin", Some("system:masters")))?;
    write_private(
        &state.join("kubeconfig"),
        &server.file(Identity::Certificate(&admin)),
    )?;
    Ok(Credentials {
        authority,
        server,
        admin,
    })
}

/// Certificates of those that serve, and the one that the API server shows to kubelet.
fn servers(authority: &Authority, slot: Slot, pki: &Path) -> Result<(), Error> {
    let (node, service) = (slot.node_address(), slot.kubernetes_address());
    let names = [
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "localhost",
        "127.0.0.1",
        &service,
        &node,
    ];
    authority
        .issue(&Subject::server("kube-apiserver", &names))?
        .write(pki, "apiserver")?;
    authority
        .issue(&Subject::server(NODE, &[NODE, &node]))?
        .write(pki, "kubelet")?;
    let to_kubelet = Subject::client("kube-apiserver-kubelet-client", Some("system:masters"));
    authority.issue(&to_kubelet)?.write(pki, "apiserver-kubelet")
}
