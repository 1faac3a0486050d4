//! What is asked for a sidecar.

use super::resources::{Defaults, SidecarResources};

/// A sidecar that is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Applicant<'a> {
    /// The container's name.
    pub name: &'a str,
    /// The annotation that asks for it.
    pub annotation: &'static str,
    /// What it needs.
    pub defaults: &'a Defaults,
    /// What is asked for it instead.
    pub resources: &'a SidecarResources,
}
