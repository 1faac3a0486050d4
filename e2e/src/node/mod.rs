//! A pretended node: a real API server that knows its pods, the files that the kubelet would write, and a real agent that reads
//! them. Only within [`crate::isolation`].

pub mod agent;
pub mod framing;
pub mod log;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ServiceAccount};
use kube::api::{Api, ObjectMeta, PostParams};
use tempfile::TempDir;
use tributary_cluster::components::Programs;
use tributary_cluster::{Component, ControlPlane};
use tributary_crds::names::{AGENTS_NAMESPACE, NODE_AGENT_SERVICE_ACCOUNT};

use crate::installation;
use crate::kubectl::Kubectl;

/// The node's name.
pub const NAME: &str = "node-1";
/// What Kubernetes gives every pod of its API server.
const CREDENTIALS: &str = "credentials";

/// The API server, with Tributary's manifests applied.
pub struct Kubernetes {
    control_plane: ControlPlane,
}

impl Kubernetes {
    /// Starts it. `programs` has kubectl.
    pub async fn start(programs: &Programs) -> anyhow::Result<Self> {
        let control_plane = ControlPlane::start().await?;
        let kubectl =
            Kubectl::with_kubeconfig(programs.path(Component::Kubectl), &control_plane.kubeconfig());
        installation::apply_manifest(&kubectl, "install.yaml").await?;
        Ok(Self { control_plane })
    }

    /// Makes a namespace.
    pub async fn create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<()> {
        Ok(self.control_plane.create_namespace(name, labels).await?)
    }

    /// Makes a pod on the node; its uid.
    pub async fn create_pod(
        &self,
        namespace: &str,
        name: &str,
        labels: &BTreeMap<String, String>,
    ) -> anyhow::Result<String> {
        let pod = Pod {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                labels: Some(labels.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                node_name: Some(NAME.to_owned()),
                containers: vec![Container {
                    name: "app".to_owned(),
                    image: Some("busybox:1.28".to_owned()),
                    ..Container::default()
                }],
                ..PodSpec::default()
            }),
            status: None,
        };
        let created = Api::<Pod>::namespaced(self.control_plane.client(), namespace)
            .create(&PostParams::default(), &pod)
            .await
            .with_context(|| format!("making the pod {namespace}/{name}"))?;
        created.metadata.uid.context("a pod without a uid")
    }

    /// Host and port of the API server.
    fn address(&self) -> anyhow::Result<(&str, &str)> {
        let url = self.control_plane.url();
        url.strip_prefix("https://")
            .and_then(|authority| authority.split_once(':'))
            .with_context(|| format!("{url} has no port"))
    }

    /// Writes what the pods of node agents have in `/var/run/secrets/kubernetes.io/serviceaccount`.
    async fn write_credentials(&self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(directory)?;
        let request = TokenRequest {
            spec: TokenRequestSpec::default(),
            ..TokenRequest::default()
        };
        let accounts: Api<ServiceAccount> = Api::namespaced(self.control_plane.client(), AGENTS_NAMESPACE);
        let token = accounts
            .create_token_request(NODE_AGENT_SERVICE_ACCOUNT, &PostParams::default(), &request)
            .await
            .context("asking for a token of the node agents")?;
        let token = token.status.context("a token request without an answer")?.token;
        fs::write(directory.join("token"), token)?;
        fs::write(directory.join("namespace"), AGENTS_NAMESPACE)?;
        let authority = self.control_plane.kubeconfig().with_file_name("ca.crt");
        fs::copy(authority, directory.join("ca.crt")).context("copying the authority's certificate")?;
        Ok(())
    }
}

/// The files of a node, in a directory of their own.
pub struct Node {
    directory: TempDir,
}

impl Node {
    /// One without any file but an agent's credentials.
    pub async fn new(kubernetes: &Kubernetes) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("tributary-node-")
            .tempdir()
            .context("making a directory for a node")?;
        kubernetes
            .write_credentials(&directory.path().join(CREDENTIALS))
            .await?;
        Ok(Self { directory })
    }

    /// Where a file or directory of the node is. `path` is absolute.
    pub fn path(&self, path: &str) -> PathBuf {
        self.directory
            .path()
            .join("root")
            .join(path.trim_start_matches('/'))
    }

    /// The same for what belongs to the agent's pod.
    fn of_agent(&self, part: &str) -> PathBuf {
        self.directory.path().join(part)
    }
}
