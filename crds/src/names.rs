//! Names that several parts must agree on.

/// Where the operator and the webhook run.
pub const SYSTEM_NAMESPACE: &str = "tributary-system";
/// Where agents run and where a policy's Secrets are.
pub const AGENTS_NAMESPACE: &str = "tributary-agents";
/// The field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "tributary";
/// The prefix of every annotation and label of ours.
pub const DOMAIN: &str = "tributary.dev";

/// The `ServiceAccount` of node agents, shipped in the manifests.
pub const NODE_AGENT_SERVICE_ACCOUNT: &str = "tributary-node-agent";
/// The `Service` of the webhook.
pub const WEBHOOK_SERVICE: &str = "tributary-webhook";
/// The `MutatingWebhookConfiguration`, and the `ValidatingWebhookConfiguration`.
pub const WEBHOOK_CONFIGURATION: &str = "tributary";
/// The Secret (type `kubernetes.io/tls`: `tls.crt`, `tls.key`) that the webhook serves with.
pub const WEBHOOK_CERTIFICATE_SECRET: &str = "tributary-webhook-tls";
/// The Secret of the certificate authority, which only the operator reads.
pub const WEBHOOK_CA_SECRET: &str = "tributary-webhook-ca";

/// Labels of objects that Tributary makes.
pub mod label {
    /// Always `tributary`.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The part: `node-agent`.
    pub const COMPONENT: &str = "app.kubernetes.io/component";
    /// The policy that an object belongs to.
    pub const POLICY: &str = "tributary.dev/policy";
    /// On pods with streaming sidecars: the policy that they were added under.
    pub const STREAMING: &str = "tributary.dev/streaming";
    /// On pods with an agent sidecar: the policy that it was added under.
    pub const AGENT: &str = "tributary.dev/agent";
    /// On pods with an agent sidecar: which configuration its policy gave it, as a hash that changes with the policy.
    pub const AGENT_REVISION: &str = "tributary.dev/agent-revision";
    /// On pods that push for themselves: the policy that they got their environment under.
    pub const DIRECT: &str = "tributary.dev/direct";
    /// The value of [`MANAGED_BY`].
    pub const MANAGED_BY_VALUE: &str = "tributary";
    /// The value of [`COMPONENT`] for node agents.
    pub const COMPONENT_NODE_AGENT: &str = "node-agent";
}

/// The name of the node agent's `DaemonSet`; its `ConfigMap`s add `-HASH`.
pub fn node_agent(policy: &str) -> String {
    format!("{policy}-node-agent")
}
