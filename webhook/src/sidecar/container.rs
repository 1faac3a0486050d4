//! The container of every sidecar, before it is given its work.

use k8s_openapi::api::core::v1::{Container, ResourceRequirements};

use super::security::restricted;
use super::user::RunAs;

/// A native sidecar that meets the Pod Security Standard `restricted`. It has no port and no probe: nothing waits for it.
pub fn native_sidecar(
    name: &str,
    image: &str,
    user: RunAs,
    resources: Option<ResourceRequirements>,
) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(image.to_owned()),
        // Never a reason to wait for a registry when the node has the image.
        image_pull_policy: Some("IfNotPresent".to_owned()),
        resources,
        restart_policy: Some("Always".to_owned()),
        security_context: Some(restricted(user)),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..Container::default()
    }
}
