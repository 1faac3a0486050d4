//! The order in which a cluster comes up.

use std::{fs, path::Path, time::Duration};

use serde_json::Value;

use super::{
    Cluster, Options, absolute, cgroup, cgroups, credentials, dns, down, import_image, network,
    node::{self, Node},
    services,
    slot::Slot,
    tunables,
};
use crate::{
    components::{self, Component, Programs, Progress, cache_root},
    debian,
    error::Error,
    images::{Image, catalog},
    kubeconfig::Identity,
    ready,
};

/// How long each step may take; seconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long all of it takes on two cores once everything is built.
const USUAL: Duration = Duration::from_secs(12);

/// The programs of a cluster that are built here.
const PROGRAMS: [Component; 8] = [
    Component::Etcd,
    Component::KubeApiserver,
    Component::KubeControllerManager,
    Component::KubeScheduler,
    Component::KubeProxy,
    Component::Kubelet,
    Component::Kubectl,
    Component::Coredns,
];

/// Checks that this is root, and installs the Debian packages that are missing; says so first.
///
/// Starting a cluster does it too. Whoever builds other programs before may call this first, for it is soon known.
pub async fn prepare(progress: &Progress) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot {
            doing: "starting a cluster",
        });
    }
    debian::ensure(&debian::PACKAGES, progress).await
}

pub(super) async fn start(options: &Options, progress: &Progress) -> Result<Cluster, Error> {
    prepare(progress).await?;
    let programs = components::ensure(&PROGRAMS, progress).await?;
    let state = absolute(&options.state)?;
    down(&state).await?;
    let bring_up = async {
        let result = bring_up(options, &state, &programs).await;
        if result.is_err() {
            // Nothing is left running; the error that matters is the one from before.
            let _ = down(&state).await;
        }
        result
    };
    progress
        .during("starting Kubernetes", Some(USUAL), bring_up)
        .await
}

async fn bring_up(options: &Options, state: &Path, programs: &Programs) -> Result<Cluster, Error> {
    let cache = cache_root()?.join("components");
    let program = |component| node::program(&cache, programs.path(component));
    clear_logs(state)?;
    let mut node = Node::create(state, &cache).await?;
    tunables::remember(state)?;
    let slot = network::connect(&node, state).await?;
    cgroups::create(&cgroup(state))?;
    let credentials = credentials::write(state, slot)?;
    write_settings(options, state, slot)?;

    node.start(services::etcd(program(Component::Etcd)))?;
    node.start(services::containerd())?;
    node.start(services::apiserver(program(Component::KubeApiserver), slot))?;
    // While the API server starts.
    add_own_images(&mut node, state, programs.path(Component::Coredns)).await?;
    let client = credentials
        .server
        .client(Identity::Certificate(&credentials.admin))
        .await?;
    let log = node.log("kube-apiserver");
    ready::api_server(&client, PATIENCE, || node.check(), &log).await?;
    node.start(services::controller_manager(program(
        Component::KubeControllerManager,
    )))?;
    node.start(services::scheduler(program(Component::KubeScheduler)))?;
    node.start(services::kubelet(program(Component::Kubelet), slot))?;
    node.start(services::proxy(program(Component::KubeProxy)))?;

    let kubectl = programs.path(Component::Kubectl).to_owned();
    let mut cluster = Cluster {
        state: state.to_owned(),
        slot,
        node,
        credentials,
        client,
        kubectl,
    };
    cluster.apply(&dns::objects(slot)).await?;
    let ready = "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}";
    cluster
        .wait(&["get", "node", credentials::NODE, "-o", ready], "True", PATIENCE)
        .await?;
    let (namespace, name) = dns::DEPLOYMENT;
    let available = [
        "-n",
        namespace,
        "get",
        "deployment",
        name,
        "-o",
        "jsonpath={.status.availableReplicas}",
    ];
    cluster.wait(&available, "1", PATIENCE).await?;
    Ok(cluster)
}

/// An earlier cluster's logs are kept until the next one starts.
fn clear_logs(state: &Path) -> Result<(), Error> {
    let logs = state.join("logs");
    if logs.exists() {
        fs::remove_dir_all(&logs).map_err(Error::file("removing", &logs))?;
    }
    Ok(())
}

fn write_settings(options: &Options, state: &Path, slot: Slot) -> Result<(), Error> {
    let cni = state.join("cni");
    fs::create_dir_all(&cni).map_err(Error::file("making", &cni))?;
    let kubelet = services::kubelet_settings(slot, &cgroup(state), options.log_rotation.as_ref());
    write_json(&state.join("kubelet.json"), &kubelet)?;
    write_json(&state.join("kube-proxy.json"), &services::proxy_settings(slot))?;
    write_json(&cni.join("pods.conflist"), &services::pod_network(slot))?;
    write(&state.join("containerd.toml"), services::CONTAINERD_SETTINGS)?;
    // Pods with `dnsPolicy: Default` ask nobody.
    write(&state.join("resolv.conf"), "")
}

fn write_json(path: &Path, value: &Value) -> Result<(), Error> {
    write(path, &format!("{value:#}"))
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::file("writing", path))
}

/// What every cluster needs: the pods' sandbox, the DNS server, and the examples' shell.
async fn add_own_images(node: &mut Node, state: &Path, coredns: &Path) -> Result<(), Error> {
    wait_for_containerd(node).await?;
    let images = [
        catalog::pause(state).await?,
        catalog::coredns(coredns),
        catalog::busybox().await?,
    ];
    for image in &images {
        add_image(node, state, image).await?;
    }
    Ok(())
}

/// Waits until containerd answers.
pub(super) async fn wait_for_containerd(node: &mut Node) -> Result<(), Error> {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let mut ctr = node.command("ctr");
        ctr.args(["--connect-timeout", "1s", "version"]);
        match crate::command::run(ctr, "asking containerd for its version").await {
            Ok(_) => return Ok(()),
            Err(error) if std::time::Instant::now() > deadline => return Err(error),
            Err(_) => node.check()?,
        }
        tokio::time::sleep(super::POLL).await;
    }
}

/// Writes an image and hands it to containerd.
pub(super) async fn add_image(node: &Node, state: &Path, image: &Image) -> Result<(), Error> {
    let (image, archive) = (image.clone(), state.join("image.tar"));
    let place = archive.clone();
    // Hashing and copying a hundred megabytes would hold up everything else in this thread.
    let written = tokio::task::spawn_blocking(move || image.write(&place)).await;
    written.unwrap_or_else(|panic| Err(Error::file("writing", &archive)(std::io::Error::other(panic))))?;
    let imported = import_image(node, &archive).await;
    fs::remove_file(&archive).map_err(Error::file("removing", &archive))?;
    imported
}
