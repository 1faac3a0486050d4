//! The cluster that the demo or a test runs on: one of our own, or one that the user named.

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use tributary_cluster::cluster::Options;
use tributary_cluster::components::{self, Programs};
use tributary_cluster::images::catalog;
use tributary_cluster::{Cluster, Component, Progress};
use tributary_crds::policy::Engine;

use crate::image;
use crate::kubectl::Kubectl;

/// The image of `manifests/samples/loki.yaml`.
const LOKI_IMAGE: &str = "docker.io/grafana/loki:3.7.8";

/// A cluster, ready to have Tributary installed.
pub struct Environment {
    /// For what users do.
    pub kubectl: Kubectl,
    /// For what only a program would do.
    pub client: Client,
    /// Where the programs that were built for it lie; `logcli` is one of them.
    pub programs: Programs,
    /// The cluster, when it is one of our own.
    pub cluster: Option<Cluster>,
}

impl Environment {
    /// Builds what is missing and starts a cluster on this machine, with every image that the samples name.
    ///
    /// Loki and the collector are programs built here from their Go modules; they go by the names of the images that
    /// their makers publish, so that the same manifests serve here and on any other cluster.
    pub async fn own(options: &Options, progress: &Progress) -> anyhow::Result<Self> {
        let wanted = [
            Component::Kubectl,
            Component::Otelcol,
            Component::Loki,
            Component::Logcli,
        ];
        let programs = components::ensure(&wanted, progress).await?;
        let tributary = image::build(progress).await?;
        let cluster = Cluster::start(options, progress).await?;
        let collector = catalog::otelcol(programs.path(Component::Otelcol));
        let images = [
            tributary,
            collector.named(Engine::OpenTelemetryCollector.default_image()),
            catalog::loki(programs.path(Component::Loki)).named(LOKI_IMAGE),
        ];
        let import = async {
            for image in &images {
                cluster.add_image(image).await?;
            }
            anyhow::Ok(())
        };
        progress.during("importing images", None, import).await?;
        let kubectl = Kubectl::with_kubeconfig(cluster.kubectl_program(), &cluster.kubeconfig());
        Ok(Self {
            kubectl,
            client: cluster.client(),
            programs,
            cluster: Some(cluster),
        })
    }

    /// Uses a context of the user's kubeconfig. Its nodes must be able to pull the images, or have them already.
    pub async fn existing(context: &str, progress: &Progress) -> anyhow::Result<Self> {
        let programs = components::ensure(&[Component::Kubectl, Component::Logcli], progress).await?;
        let options = KubeConfigOptions {
            context: Some(context.to_owned()),
            ..KubeConfigOptions::default()
        };
        let config = kube::Config::from_custom_kubeconfig(Kubeconfig::read()?, &options).await?;
        let kubectl = Kubectl::with_context(programs.path(Component::Kubectl), context);
        Ok(Self {
            kubectl,
            client: Client::try_from(config)?,
            programs,
            cluster: None,
        })
    }
}
