//! What a pod asks for, added up as the API server adds it.

use tributary_crds::quantity::ExactQuantity;

use super::amounts::{Amounts, RequestsAndLimits, Resource};
use crate::pod::{Container, Pod};

/// A pod's class, by which the node decides what goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QualityOfService {
    /// Requests are the limits.
    Guaranteed,
    /// Something between.
    Burstable,
    /// Nothing is asked for.
    BestEffort,
}

/// What the containers of a pod ask for, without our sidecars, and what the pod asks for as a whole.
#[derive(Clone, Debug)]
pub struct PodResources {
    containers: Vec<RequestsAndLimits>,
    /// Sidecars that come before all init containers.
    sidecars_first: RequestsAndLimits,
    /// Init containers, and whether each is a native sidecar.
    init_containers: Vec<(RequestsAndLimits, bool)>,
    /// Of the pod as a whole (`spec.resources`), where it says any.
    whole: Option<RequestsAndLimits>,
    overhead: Amounts,
}

impl PodResources {
    /// A pod without our sidecars, as it is once containers that say nothing got `defaults`: a pod from the API server has them,
    /// one from a file or a template does not.
    pub fn of_application(pod: &Pod<'_>, defaults: &RequestsAndLimits) -> Self {
        let asked = |container: &Container<'_>| {
            let mut asked = container.resources.unwrap_or_default();
            asked.requests.default_to(&asked.limits);
            asked
        };
        let init_containers = pod
            .init_containers()
            .iter()
            .filter(|container| !container.is_ours());
        let mut resources = Self {
            containers: pod.spec.containers.iter().map(asked).collect(),
            sidecars_first: RequestsAndLimits::default(),
            init_containers: init_containers
                .map(|container| (asked(container), container.is_native_sidecar()))
                .collect(),
            whole: pod.spec.resources,
            overhead: pod.spec.overhead.unwrap_or_default(),
        };
        // In this order: the first is done when a pod is read, the second when it is admitted.
        resources.default_whole();
        resources.default_containers(defaults);
        resources
    }

    fn default_containers(&mut self, defaults: &RequestsAndLimits) {
        let init_containers = self.init_containers.iter_mut().map(|(container, _)| container);
        for container in self.containers.iter_mut().chain(init_containers) {
            container.limits.default_to(&defaults.limits);
            container.requests.default_to(&defaults.requests);
        }
    }

    /// A pod that has limits as a whole requests as much as its containers do, or else as much as those limits. Also what its
    /// containers request since that was done: it is done again after each change.
    fn default_whole(&mut self) {
        let by_containers = self.of_containers().requests;
        let Some(whole) = &mut self.whole else {
            return;
        };
        if whole.limits == Amounts::default() {
            return;
        }
        for resource in Resource::OF_PODS {
            let default = by_containers.get(resource).or(whole.limits.get(resource));
            if let (None, Some(default)) = (whole.requests.get(resource), default) {
                whole.requests.set(resource, default);
            }
        }
    }

    /// Adds a sidecar before all init containers.
    pub fn add_sidecar(&mut self, sidecar: &RequestsAndLimits) {
        self.sidecars_first.add(sidecar);
    }

    /// What the pod asks for as a whole, where it says anything.
    pub fn whole(&self) -> Option<&RequestsAndLimits> {
        self.whole.as_ref().filter(|whole| !whole.is_empty())
    }

    /// What all containers ask for together: those that run at the same time, or an init container with the sidecars before it
    /// where that is more.
    pub fn of_containers(&self) -> RequestsAndLimits {
        let mut running = self.sidecars_first;
        for container in &self.containers {
            running.add(container);
        }
        let mut sidecars = self.sidecars_first;
        let mut starting = RequestsAndLimits::default();
        for (container, is_sidecar) in &self.init_containers {
            let mut at_once = sidecars;
            at_once.add(container);
            if *is_sidecar {
                sidecars = at_once;
                running.add(container);
            }
            starting.raise_to(&at_once);
        }
        running.raise_to(&starting);
        running
    }

    /// What the pod asks for: as a whole where it says so, else by its containers.
    pub fn total(&self) -> RequestsAndLimits {
        let mut total = self.of_containers();
        if let Some(whole) = &self.whole {
            total.requests.override_by(&whole.requests);
            total.limits.override_by(&whole.limits);
        }
        total
    }

    /// What a quota counts: the runtime's overhead too, among limits where there is one.
    pub fn charged(&self) -> RequestsAndLimits {
        let mut charged = self.total();
        charged.requests.add(&self.overhead);
        for (resource, overhead) in self.overhead.iter() {
            if let Some(limit) = charged.limits.get(resource).filter(|limit| !limit.is_zero()) {
                charged.limits.set(resource, limit + overhead);
            }
        }
        charged
    }

    /// The class that Kubernetes gives the pod.
    pub fn quality_of_service(&self) -> QualityOfService {
        match &self.whole {
            // Also where the whole says nothing: then the containers do not count either.
            Some(whole) => class([whole].into_iter()),
            None => self.quality_of_containers(),
        }
    }

    /// The class that the containers would give the pod.
    pub fn quality_of_containers(&self) -> QualityOfService {
        class(self.applications())
    }

    /// Whether any container limits its disk: then the kubelet compares all that the pod has there with the sum of these limits.
    pub fn limits_disk(&self) -> bool {
        self.applications()
            .any(|container| container.limits.get(Resource::Disk).is_some())
    }

    fn applications(&self) -> impl Iterator<Item = &RequestsAndLimits> {
        let init = self.init_containers.iter().map(|(container, _)| container);
        self.containers.iter().chain(init)
    }
}

fn class<'r>(parts: impl Iterator<Item = &'r RequestsAndLimits>) -> QualityOfService {
    let counts = |amount: Option<ExactQuantity>| amount.filter(|amount| !amount.is_zero());
    let (mut nothing, mut fixed) = (true, true);
    for part in parts {
        for resource in Resource::OF_PODS {
            let request = counts(part.requests.get(resource));
            let limit = counts(part.limits.get(resource));
            nothing &= request.is_none() && limit.is_none();
            fixed &= limit.is_some() && request == limit;
        }
    }
    match (nothing, fixed) {
        (true, _) => QualityOfService::BestEffort,
        (false, true) => QualityOfService::Guaranteed,
        (false, false) => QualityOfService::Burstable,
    }
}
