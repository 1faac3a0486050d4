//! Which container writes a file.

use tributary_crds::Reason;
use tributary_crds::annotation::{AbsolutePath, FileSpec};

use crate::explain::{Finding, Quoted, did_you_mean};
use crate::pod::{ContainerRef, DEFAULT_CONTAINER, Pod};

/// A file that is asked for, in the container that writes it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'p> {
    /// The container.
    pub container: ContainerRef<'p>,
    /// The file or pattern, as that container sees it.
    pub path: &'p AbsolutePath,
    /// Whether an emptyDir may be made at its directory when no volume covers it.
    pub create_volume: bool,
}

/// The container that a file is written by. Without a name it is the pod's default container: the first one, unless an
/// annotation names another, as ours does from the first pass on, so that a container put before it changes nothing.
pub fn resolve<'p>(pod: &'p Pod<'p>, spec: &'p FileSpec, create_volume: bool) -> Result<Target<'p>, Finding> {
    let selectable = || pod.all_containers().filter(|c| !c.container.is_ours());
    let find = |name: &str| selectable().find(|c| c.container.name == name);
    let container: Option<ContainerRef<'_>> = match &spec.container {
        Some(name) => find(name),
        None => pod
            .annotation(DEFAULT_CONTAINER)
            .and_then(find)
            .or_else(|| selectable().next()),
    };
    let Some(container) = container else {
        let unknown = spec.container.as_deref().unwrap_or_default();
        let names: Vec<&str> = selectable().map(|c| c.container.name.as_str()).collect();
        let remedy = match did_you_mean(unknown, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("write one of: {}", names.join(", ")),
        };
        let message = format!("there is no container {}", Quoted(unknown));
        return Err(Finding::new(Reason::UnknownContainer, message, remedy));
    };
    Ok(Target {
        container,
        path: &spec.path,
        create_volume,
    })
}
