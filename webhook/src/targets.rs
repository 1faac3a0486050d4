//! Which container writes a file, and what its sidecar is called.

use std::collections::BTreeSet;

use tributary_crds::Reason;
use tributary_crds::annotation::FileSpec;

use crate::decide::DEFAULT_CONTAINER;
use crate::explain::{Finding, Quoted, did_you_mean};
use crate::names;
use crate::pod::{ContainerRef, Pod};
use crate::sidecar::streaming;
use crate::volumes::Target;

/// The container that a file is written by. Without a name it is the pod's default container: the first one, unless an
/// annotation names another, as ours does from the first pass on, so that a container put before it changes nothing.
pub fn resolve<'p>(pod: &'p Pod<'p>, spec: &'p FileSpec) -> Result<Target<'p>, Finding> {
    let selectable = || {
        pod.all_containers()
            .filter(|c| !streaming::is_streaming_sidecar(c.container))
    };
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
    })
}

/// A name for the sidecar of each target, and whether the pod has that sidecar already.
///
/// Names go to all targets, also to those that get no sidecar, so that a later pass that can serve more of them finds
/// the same names.
pub fn sidecar_names(pod: &Pod<'_>, targets: &[Target<'_>]) -> Vec<(String, bool)> {
    let mut given: BTreeSet<String> = BTreeSet::new();
    let mut name_of = |target: &Target<'_>| {
        let container = target.container.container.name.as_str();
        let mut candidates = names::sidecar_candidates(container, target.path);
        let free = candidates.find_map(|candidate| {
            let holder = pod.all_containers().find(|c| c.container.name == candidate);
            let exists = holder.is_some_and(|holder| streaming::prints(holder.container, target.path));
            let usable = (holder.is_none() || exists) && given.insert(candidate.clone());
            usable.then_some((candidate, exists))
        });
        free.expect("candidates have no end, and a pod's containers do")
    };
    targets.iter().map(&mut name_of).collect()
}
