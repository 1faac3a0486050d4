//! Deployments whose pods the webhook is to serve.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::stage::Stage;

/// How long it may take until the webhook knows a policy and a pod is Ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// A Deployment of one pod, in a namespace whose policy has the name of the namespace.
pub struct Deployment<'d> {
    pub namespace: &'d str,
    pub name: &'d str,
    /// The pod's, in YAML of one line. Among the labels is `app`, whose value is `name`.
    pub metadata: &'d str,
    /// The fields of the pod's `spec`, in YAML: each is indented by six spaces.
    pub spec: &'d str,
}

impl Deployment<'_> {
    /// Makes it, until its pod is Ready and says by this label that the policy serves it: the webhook sees a policy a moment after
    /// the API server has it.
    pub fn until_served(&self, stage: &Stage, label: &str) -> anyhow::Result<()> {
        let Self { namespace, name, .. } = self;
        let label = label.replace('.', r"\.");
        stage.eventually("the webhook knows the policy", PATIENCE, || {
            stage.apply(&self.manifest())?;
            let rollout = format!("-n {namespace} rollout status deployment/{name} --timeout=60s");
            let describe = format!("-n {namespace} describe pod -l app={name}");
            stage
                .kubectl(&rollout)
                .with_context(|| stage.kubectl(&describe).unwrap_or_default())?;
            let policies = stage.kubectl(&format!(
                "-n {namespace} get pod -l app={name} -o jsonpath={{.items[*].metadata.labels.{label}}}"
            ))?;
            if policies != *namespace {
                stage.kubectl(&format!(
                    "-n {namespace} delete deployment {name} --cascade=foreground --timeout=20s"
                ))?;
            }
            ensure!(policies == *namespace, "its pods are served by {policies:?}");
            Ok(())
        })
    }

    fn manifest(&self) -> String {
        let Self {
            namespace,
            name,
            metadata,
            spec,
        } = self;
        format!(
            r"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {metadata}
    spec:
      terminationGracePeriodSeconds: 1
{spec}"
        )
    }
}
