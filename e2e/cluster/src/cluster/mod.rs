//! A whole Kubernetes with one node, on this machine.

mod cgroups;
mod credentials;
mod dns;
mod network;
mod node;
mod services;
mod slot;
mod start;
mod tunables;

pub use start::prepare;

use std::{
    fs,
    fs::File,
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use kube::Client;
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpStream, process::Command};

use self::{credentials::Credentials, node::Node, slot::Slot};
use crate::{
    command, components::Progress, daemon, error::Error, hex::hex, images::Image, pki::Authority, ready,
};

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where everything that the cluster writes lies; one cluster a directory.
    pub state: PathBuf,
    /// When kubelet rotates the containers' log files; its defaults (10 MiB, 5 files) if not given.
    pub log_rotation: Option<LogRotation>,
}

/// When kubelet rotates the containers' log files.
#[derive(Clone, Debug)]
pub struct LogRotation {
    /// A Kubernetes quantity, for example `1Mi`.
    pub max_size: String,
    /// How many files a container keeps, with the one that is written; at least 2.
    pub max_files: u32,
    /// How often kubelet looks, for example `3s`; at least 3 s.
    pub interval: String,
}

impl Default for Options {
    /// In `target/cluster` of this checkout.
    fn default() -> Self {
        let checkout: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", ".."].iter().collect();
        let checkout = checkout.canonicalize().unwrap_or(checkout);
        Self {
            state: checkout.join("target").join("cluster"),
            log_rotation: None,
        }
    }
}

/// How long the API server may take after it was started again.
const RESTART_PATIENCE: Duration = Duration::from_secs(60);
/// Where kubelet listens.
const KUBELET_PORT: u16 = 10250;
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(100);

/// A running cluster: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, containerd, kubelet, kube-proxy and
/// `CoreDNS`, with one node, `node1`.
///
/// It runs in namespaces of its own, so that its packet filter rules, mounts and processes are not the machine's; the
/// machine reaches the API server, pods and Services by their addresses (10.244.N.0/24, 10.245.N.0/24 and 10.96.N.0/24,
/// N being the number of the cluster among those on the machine), and is reached by pods at [`Self::host_address`].
///
/// Dropping this value leaves the cluster running; [`Self::down`] and [`down`] end it.
pub struct Cluster {
    state: PathBuf,
    slot: Slot,
    node: Node,
    credentials: Credentials,
    client: Client,
    kubectl: PathBuf,
}

impl Cluster {
    /// Installs the Debian packages and builds the programs that are missing (progress on stderr), clears away what an
    /// earlier cluster in the same state directory left, and starts a new one; returns when its node and its DNS are
    /// ready.
    pub async fn start(options: &Options, progress: &Progress) -> Result<Self, Error> {
        start::start(options, progress).await
    }

    /// Ends the cluster and removes all that it made, its state directory too except for the logs.
    pub async fn down(self) -> Result<(), Error> {
        down(&self.state).await
    }

    /// A client that may do everything (`system:masters`).
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A file for `kubectl --kubeconfig` that may do everything.
    pub fn kubeconfig(&self) -> PathBuf {
        self.state.join("kubeconfig")
    }

    /// The program `kubectl`, of the cluster's version.
    pub fn kubectl_program(&self) -> &Path {
        &self.kubectl
    }

    /// Runs `kubectl` as administrator and returns what it printed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String, Error> {
        command::run(
            self.kubectl_command(arguments),
            &format!("kubectl {}", arguments.join(" ")),
        )
        .await
    }

    /// `kubectl apply` of objects, all at once.
    async fn apply(&self, objects: &serde_json::Value) -> Result<(), Error> {
        let file = self.state.join("apply.json");
        fs::write(&file, objects.to_string()).map_err(Error::file("writing", &file))?;
        self.kubectl(&["apply", "-f", &file.display().to_string()])
            .await
            .map(drop)
    }

    fn kubectl_command(&self, arguments: &[&str]) -> Command {
        let mut kubectl = Command::new(&self.kubectl);
        kubectl.env("KUBECONFIG", self.kubeconfig()).args(arguments);
        kubectl
    }

    /// The authority that signed all certificates, of use for servers that pods are to trust.
    pub fn authority(&self) -> &Authority {
        &self.credentials.authority
    }

    /// The machine's own address on the link to the node, where pods reach servers that a test starts.
    pub fn host_address(&self) -> String {
        self.slot.host_address()
    }

    /// The node's address.
    pub fn node_address(&self) -> String {
        self.slot.node_address()
    }

    /// Where a file of the node, for example `/var/log/pods`, lies on the machine.
    pub fn node_path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.node.path(path.as_ref())
    }

    /// A command that will run on the node, in its namespaces.
    pub fn node_command(&self, program: &str) -> Command {
        self.node.command(program)
    }

    /// Where the output of a process of the cluster is written.
    pub fn log(&self, name: &str) -> PathBuf {
        self.node.log(name)
    }

    /// Writes an image and hands it to containerd.
    pub async fn add_image(&self, image: &Image) -> Result<(), Error> {
        start::add_image(&self.node, &self.state, image).await
    }

    /// Ends one of the cluster's processes (`kube-apiserver`, `kubelet`, `containerd`, …) as a service manager would.
    pub async fn stop_process(&mut self, name: &str) -> Result<(), Error> {
        self.node.stop(name, false).await
    }

    /// Ends one of the cluster's processes without letting it do anything (SIGKILL).
    pub async fn kill_process(&mut self, name: &str) -> Result<(), Error> {
        self.node.stop(name, true).await
    }

    /// Starts a process again that has ended, and waits for kube-apiserver, containerd and kubelet until they answer.
    pub async fn start_process(&mut self, name: &str) -> Result<(), Error> {
        self.node.restart(name)?;
        match name {
            "kube-apiserver" => {
                let log = self.node.log(name);
                ready::api_server(&self.client, RESTART_PATIENCE, || self.node.check(), &log).await
            }
            "containerd" => start::wait_for_containerd(&mut self.node).await,
            "kubelet" => self.wait_for_kubelet().await,
            _ => Ok(()),
        }
    }

    /// Waits until kubelet listens, which it does once containerd has answered it; before, it ends when it does not.
    async fn wait_for_kubelet(&mut self) -> Result<(), Error> {
        let address = format!("{}:{KUBELET_PORT}", self.node_address());
        let deadline = Instant::now() + RESTART_PATIENCE;
        while TcpStream::connect(&address).await.is_err() {
            self.node.check()?;
            if Instant::now() > deadline {
                let problem = format!(
                    "does not listen on {address} after {} s",
                    RESTART_PATIENCE.as_secs()
                );
                return Err(daemon::not_ready("kubelet", problem, &self.node.log("kubelet")));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until a condition of an object holds, by `kubectl get -o jsonpath`.
    async fn wait(&mut self, get: &[&str], expected: &str, patience: Duration) -> Result<(), Error> {
        let deadline = Instant::now() + patience;
        loop {
            // An object that is not there yet is an error; the last one is shown.
            let seen = self.kubectl(get).await.unwrap_or_else(|error| error.to_string());
            if seen == expected {
                return Ok(());
            }
            self.node.check()?;
            if Instant::now() > deadline {
                let what = format!(
                    "kubectl {} does not print {expected:?} but {seen:?}",
                    get.join(" ")
                );
                let hint = format!("the logs are in {}", self.state.join("logs").display());
                return Err(Error::Late {
                    what,
                    seconds: patience.as_secs(),
                    hint,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// Ends the cluster of a state directory, whichever process started it and however that ended, and removes all that it
/// made, except for the logs. Does nothing if there is none.
pub async fn down(state: &Path) -> Result<(), Error> {
    let state = absolute(state)?;
    if !rustix::process::geteuid().is_root() {
        // Only root can have started one.
        return if state.exists() {
            Err(Error::NotRoot {
                doing: "taking a cluster down",
            })
        } else {
            Ok(())
        };
    }
    // The directory may have been removed under a running cluster.
    node::kill(&state).await?;
    network::wait_until_gone(&state).await;
    cgroups::remove(&cgroup(&state)).await?;
    if !state.exists() {
        return Ok(());
    }
    tunables::restore(&state)?;
    for entry in fs::read_dir(&state).map_err(Error::file("listing", &state))? {
        let path = entry.map_err(Error::file("listing", &state))?.path();
        if path.file_name().is_some_and(|name| name == "logs") {
            continue;
        }
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(Error::file("removing", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// A path that means the same in every directory; it is what a node is found by.
fn absolute(state: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(state).map_err(Error::file("finding", state))
}

/// The name of the control groups of a state directory's cluster.
fn cgroup(state: &Path) -> String {
    let hash = Sha256::digest(state.as_os_str().as_encoded_bytes());
    format!("tributary-{}", hex(&hash[..4]))
}

async fn import_image(node: &Node, archive: &Path) -> Result<(), Error> {
    let file = File::open(archive).map_err(Error::file("reading", archive))?;
    let mut ctr = node.command("ctr");
    ctr.args(["--namespace", "k8s.io", "images", "import", "-"])
        .stdin(Stdio::from(file));
    command::run_with_input(ctr, &format!("importing the image {}", archive.display()))
        .await
        .map(drop)
}
