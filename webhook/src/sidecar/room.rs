//! Whether a pod with one more sidecar still fits: into its own resources, and into what its namespace allows and has left.

use tributary_crds::Reason;
use tributary_crds::quantity::ExactQuantity;

use super::applicant::Applicant;
use crate::explain::{Finding, Quoted};
use crate::limits::NamespaceLimits;
use crate::limits::amounts::{Amounts, RequestsAndLimits, Resource};
use crate::limits::pod_resources::PodResources;
use crate::limits::quota::{Quota, Shortage};
use crate::pod::Pod;

/// A pod that grows by one sidecar after the other.
#[derive(Debug)]
pub struct Room<'r> {
    limits: &'r NamespaceLimits,
    /// The quotas that count the pod, by name.
    quotas: Vec<(&'r str, &'r Quota)>,
    application: PodResources,
    /// With the sidecars that were taken so far.
    with_taken: PodResources,
    /// With every sidecar that the pod has already, and those that are added.
    with_present: PodResources,
    /// What the sidecars taken so far need of the pod's own resources.
    needed: Amounts,
}

impl<'r> Room<'r> {
    /// Begins without sidecars.
    pub fn new(pod: &Pod<'_>, limits: &'r NamespaceLimits, application: &PodResources) -> Self {
        let mut with_present = application.clone();
        for present in pod
            .init_containers()
            .iter()
            .filter(|container| container.is_ours())
        {
            with_present.add_sidecar(&present.resources.unwrap_or_default());
        }
        let class = application.quality_of_service();
        let quotas = limits.quotas().iter();
        Self {
            limits,
            quotas: quotas
                .filter(|(_, quota)| quota.counts(pod, class))
                .map(|(name, quota)| (name.as_str(), quota))
                .collect(),
            application: application.clone(),
            with_taken: application.clone(),
            with_present,
            needed: Amounts::default(),
        }
    }

    /// The quotas that count the pod.
    pub fn quotas(&self) -> &[(&'r str, &'r Quota)] {
        &self.quotas
    }

    /// What the containers leave of the requests of the pod as a whole, where it has any.
    pub fn left_of_requests(&self, resource: Resource) -> Option<ExactQuantity> {
        let reserved = self.with_taken.whole()?.requests.get(resource)?;
        let taken = self.with_taken.of_containers().requests.or_zero(resource);
        Some((reserved - taken).max(ExactQuantity::ZERO))
    }

    /// Takes a sidecar.
    pub fn take(&mut self, applicant: Applicant<'_>, given: &RequestsAndLimits, is_present: bool) {
        self.with_taken.add_sidecar(given);
        self.needed.add(&applicant.defaults.amounts.requests);
        if !is_present {
            self.with_present.add_sidecar(given);
        }
    }

    /// Why a sidecar with these resources would not fit, if it would not.
    pub fn refusal(&self, applicant: Applicant<'_>, given: &RequestsAndLimits) -> Option<Finding> {
        if self.has_no_bounds() {
            return None;
        }
        let refusal = |pod: &PodResources| {
            let mut pod = pod.clone();
            pod.add_sidecar(given);
            self.refusal_by_pod(applicant, &pod)
                .or_else(|| self.refusal_by_limit_range(&pod))
                .or_else(|| self.refusal_by_quota(&pod))
        };
        // The first is what every pass finds; the second is what counts where the pod came with sidecars that are not asked for.
        refusal(&self.with_taken).or_else(|| refusal(&self.with_present))
    }

    /// Whether nothing could refuse a sidecar, as it is for most pods.
    fn has_no_bounds(&self) -> bool {
        self.application.whole().is_none() && self.limits.limit_ranges().is_empty() && self.quotas.is_empty()
    }

    /// The pod's own requests must hold what its containers request, and its limits are shared by all that run.
    fn refusal_by_pod(&self, applicant: Applicant<'_>, with: &PodResources) -> Option<Finding> {
        let whole = with.whole()?;
        let (before, after) = (
            self.application.of_containers().requests,
            with.of_containers().requests,
        );
        Resource::OF_PODS.into_iter().find_map(|resource| {
            let reserved = whole.requests.get(resource);
            let fits =
                |amounts: &Amounts| reserved.is_none_or(|reserved| amounts.or_zero(resource) <= reserved);
            if fits(&before) && !fits(&after) {
                let (reserved, asked) = (reserved.unwrap_or_default(), after.or_zero(resource));
                return Some(too_small(resource, reserved, before.or_zero(resource), asked));
            }
            let limit = whole.limits.get(resource).filter(|limit| !limit.is_zero())?;
            let taken = before.or_zero(resource) + self.needed.or_zero(resource);
            let asked = taken + applicant.defaults.amounts.requests.or_zero(resource);
            (asked > limit).then(|| too_small(resource, limit, taken, asked))
        })
    }

    fn refusal_by_limit_range(&self, with: &PodResources) -> Option<Finding> {
        let (before, after) = (self.application.total(), with.total());
        self.limits.limit_ranges().iter().find_map(|(name, limit_range)| {
            let bounds = &limit_range.of_pods;
            if bounds.exceeded_by(&before).is_some() {
                return None;
            }
            let (resource, max) = bounds.exceeded_by(&after)?;
            let asked = after
                .limits
                .or_zero(resource)
                .max(after.requests.or_zero(resource));
            let resource = resource.name();
            let message = format!(
                "{max} of {resource} allowed a pod by LimitRange {}, {asked} needed",
                Quoted(name)
            );
            let remedy = format!("ask for a LimitRange that allows a pod {asked} of {resource}");
            Some(Finding::new(Reason::LimitRangeConflict, message, remedy))
        })
    }

    /// A quota without room for the pod itself refuses it in any case, or has changed since: then the sidecar stays.
    fn refusal_by_quota(&self, with: &PodResources) -> Option<Finding> {
        let short = |quota: &Quota| match quota.shortage(&self.application) {
            Some(_) => None,
            None => quota.shortage(with),
        };
        self.quotas
            .iter()
            .find_map(|(name, quota)| Some(tight(name, short(quota)?)))
    }
}

fn too_small(resource: Resource, has: ExactQuantity, taken: ExactQuantity, asked: ExactQuantity) -> Finding {
    let resource = resource.name();
    let message = format!(
        "{taken} of the pod's {has} of {resource} taken, {} needed",
        asked - taken
    );
    let remedy = format!("raise {resource} in the pod's spec.resources to {asked}");
    Finding::new(Reason::PodResourcesTooSmall, message, remedy)
}

fn tight(quota: &str, shortage: Shortage) -> Finding {
    let Shortage {
        resource,
        left,
        asked,
        needed,
    } = shortage;
    let message = format!(
        "{left} of {resource} left in quota {}, {asked} needed",
        Quoted(quota)
    );
    let remedy = format!(
        "raise the quota to {needed}, or annotate {} with less; then create the pod again",
        tributary_crds::annotation::RESOURCES
    );
    Finding::new(Reason::QuotaTight, message, remedy)
}
