//! Installing Tributary as its users do, and waiting until it works.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tributary_crds::names;

use crate::kubectl::{self, Kubectl};

/// How long a Deployment may take to become available.
const ROLLOUT_TIMEOUT: &str = "--timeout=180s";
/// How long the operator may take to give the webhook its certificate and the API server its authority.
const CERTIFICATE_TIMEOUT: Duration = Duration::from_secs(60);

/// Why the installation did not come up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `kubectl` failed.
    #[error(transparent)]
    Kubectl(#[from] kubectl::Error),
    /// The API server does not know the webhook's authority.
    #[error(
        "the MutatingWebhookConfiguration {} has no caBundle after {} s: see `kubectl -n {} logs deploy/tributary-operator`",
        names::WEBHOOK_CONFIGURATION, CERTIFICATE_TIMEOUT.as_secs(), names::SYSTEM_NAMESPACE
    )]
    NoAuthority,
}

/// A file below the repository's `manifests/`.
pub fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(name)
}

/// What a user does first: the manifests, a backend, the first policy. Returns when agents run.
pub async fn install(kubectl: &Kubectl) -> Result<(), Error> {
    apply_manifest(kubectl, "install.yaml").await?;
    apply_manifest(kubectl, "samples/loki.yaml").await?;
    wait(kubectl).await?;
    apply_manifest(kubectl, "samples/policy.yaml").await?;
    kubectl
        .run(&[
            "-n",
            "logging",
            "rollout",
            "status",
            "statefulset/loki",
            ROLLOUT_TIMEOUT,
        ])
        .await?;
    kubectl
        .run(&["wait", "--for=condition=Ready", "lp/default", ROLLOUT_TIMEOUT])
        .await?;
    Ok(())
}

/// Applies a file below `manifests/`.
pub async fn apply_manifest(kubectl: &Kubectl, name: &str) -> Result<kubectl::Output, Error> {
    let path = manifest(name);
    Ok(kubectl.run(&["apply", "-f", &path.to_string_lossy()]).await?)
}

/// Waits until both Deployments are available and the API server trusts the webhook.
async fn wait(kubectl: &Kubectl) -> Result<(), Error> {
    for deployment in ["deployment/tributary-operator", "deployment/tributary-webhook"] {
        let arguments = [
            "-n",
            names::SYSTEM_NAMESPACE,
            "rollout",
            "status",
            deployment,
            ROLLOUT_TIMEOUT,
        ];
        kubectl.run(&arguments).await?;
    }
    let deadline = Instant::now() + CERTIFICATE_TIMEOUT;
    let arguments = [
        "get",
        "mutatingwebhookconfiguration",
        names::WEBHOOK_CONFIGURATION,
        "-o",
        "jsonpath={.webhooks[0].clientConfig.caBundle}",
    ];
    while kubectl.run(&arguments).await?.stdout.is_empty() {
        if Instant::now() >= deadline {
            return Err(Error::NoAuthority);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Ok(())
}
