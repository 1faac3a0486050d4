//! etcd and kube-apiserver on the loopback, without root.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::{Api, Client, api::PostParams, core::ObjectMeta};

use crate::{
    components::{self, Component, Progress},
    daemon::{Daemon, tied},
    error::Error,
    kubeconfig::{self, Identity, Server},
    pki::{Authority, Pair, Subject, signing_key},
    ready,
};

/// How long kube-apiserver may take; 3 s on an idle machine, far more when many tests start one at once.
const PATIENCE: Duration = Duration::from_secs(120);
/// Another process can take a port between the moment that it was found free and its use.
const ATTEMPTS: usize = 3;

/// A running etcd and kube-apiserver: RBAC on, admission as in a default cluster, nothing that acts on objects (no
/// controllers, no nodes). Several can run at once. They end when this value is dropped, or the process ends in any way.
pub struct ControlPlane {
    // Dropped in this order: the API server before its store, the files last.
    _apiserver: Daemon,
    _etcd: Daemon,
    server: Server,
    admin: Pair,
    client: Client,
    directory: tempfile::TempDir,
}

impl ControlPlane {
    /// Builds what is missing (progress on stderr), starts both servers, and waits until the API is ready.
    pub async fn start() -> Result<Self, Error> {
        let programs =
            components::ensure(&[Component::KubeApiserver, Component::Etcd], &Progress::stderr()).await?;
        let (etcd, apiserver) = (
            programs.path(Component::Etcd),
            programs.path(Component::KubeApiserver),
        );
        let mut attempt = 1;
        loop {
            match Self::start_once(etcd, apiserver).await {
                Err(Error::NotReady { tail, .. })
                    if attempt < ATTEMPTS && tail.contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn start_once(etcd: &Path, apiserver: &Path) -> Result<Self, Error> {
        let directory = tempfile::Builder::new()
            .prefix("tributary-control-plane-")
            .tempdir()
            .map_err(Error::file("making a directory in", std::env::temp_dir()))?;
        let path = directory.path();
        let authority = Authority::new("tributary control plane")?;
        let admin = authority.issue(&Subject::client("admin", Some("system:masters")))?;
        write_credentials(&authority, path)?;
        let [client_port, peer_port, api_port] = free_ports()?;
        let server = Server {
            url: format!("https://127.0.0.1:{api_port}"),
            authority: authority.certificate().to_owned(),
        };
        crate::pki::write_private(
            &path.join("kubeconfig"),
            &server.file(Identity::Certificate(&admin)),
        )?;

        let command = tied(&[], etcd, &etcd_arguments(path, client_port, peer_port));
        let mut etcd = Daemon::start("etcd", command, &path.join("etcd.log"))?;
        let command = tied(&[], apiserver, &apiserver_arguments(path, client_port, api_port));
        let log = path.join("kube-apiserver.log");
        let mut apiserver = Daemon::start("kube-apiserver", command, &log)?;
        let client = server.client(Identity::Certificate(&admin)).await?;
        ready::api_server(
            &client,
            PATIENCE,
            || etcd.check().and_then(|()| apiserver.check()),
            &log,
        )
        .await?;
        Ok(Self {
            _apiserver: apiserver,
            _etcd: etcd,
            server,
            admin,
            client,
            directory,
        })
    }

    /// A client that may do everything (`system:masters`).
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A client that the API server takes for `user`, member of `groups`, of `system:authenticated` too if it is listed.
    pub async fn client_as(&self, user: &str, groups: &[&str]) -> Result<Client, Error> {
        let groups = groups.iter().map(|&group| group.to_owned()).collect();
        self.server
            .client(Identity::Impersonation(&self.admin, user.to_owned(), groups))
            .await
    }

    /// A client with a token of an existing `ServiceAccount`: what a pod that runs under it may do, and no more.
    pub async fn client_as_service_account(&self, namespace: &str, name: &str) -> Result<Client, Error> {
        let token = kubeconfig::service_account_token(&self.client, namespace, name).await?;
        self.server.client(Identity::Token(token)).await
    }

    /// Makes a namespace with labels and its `ServiceAccount` named `default`, without which no pod is admitted; in a whole
    /// cluster a controller makes the second.
    pub async fn create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<(), Error> {
        let labels: BTreeMap<_, _> = labels
            .iter()
            .map(|&(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        let account = ServiceAccount {
            metadata: ObjectMeta {
                name: Some("default".to_owned()),
                ..ObjectMeta::default()
            },
            ..ServiceAccount::default()
        };
        let create = PostParams::default();
        let doing = format!("creating the namespace {name}");
        Api::all(self.client())
            .create(&create, &namespace)
            .await
            .map_err(Error::api(&doing))?;
        Api::namespaced(self.client(), name)
            .create(&create, &account)
            .await
            .map_err(Error::api(&doing))?;
        Ok(())
    }

    /// A file for `kubectl --kubeconfig` that may do everything; removed with this value.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// The address of the API server, for example `https://127.0.0.1:40123`.
    pub fn url(&self) -> &str {
        &self.server.url
    }
}

/// The files that kube-apiserver reads: its certificates, the authority for clients, the key of tokens.
fn write_credentials(authority: &Authority, directory: &Path) -> Result<(), Error> {
    authority.pair().write(directory, "ca")?;
    let names = ["localhost", "127.0.0.1", "kubernetes.default.svc"];
    authority
        .issue(&Subject::server("kube-apiserver", &names))?
        .write(directory, "apiserver")?;
    signing_key()?.write(directory, "service-account")
}

/// Ports of 127.0.0.1 that are free at this moment.
fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let failed = |source| Error::File {
        doing: "looking for a free port of",
        path: "127.0.0.1".into(),
        source,
    };
    // All are held until the last is found, so that none is found twice.
    let listeners = (0..N)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(failed)?.port();
    }
    Ok(ports)
}

fn etcd_arguments(directory: &Path, client_port: u16, peer_port: u16) -> Vec<String> {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    vec![
        format!("--data-dir={}", directory.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nothing here outlives the process.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn apiserver_arguments(directory: &Path, etcd_port: u16, api_port: u16) -> Vec<String> {
    let file = |name: &str| directory.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={api_port}"),
        // An address must be named, and a loopback one is refused. Nothing is told of this one (reserved for
        // documentation), because the Service `kubernetes` is not kept up to date.
        "--advertise-address=192.0.2.1".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--tls-cert-file={}", file("apiserver.crt")),
        format!("--tls-private-key-file={}", file("apiserver.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", file("service-account.crt")),
        format!(
            "--service-account-signing-key-file={}",
            file("service-account.key")
        ),
        // A watch must not hold up the end of a test.
        "--shutdown-delay-duration=0s".to_owned(),
    ]
}
