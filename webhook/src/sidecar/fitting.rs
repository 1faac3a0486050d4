//! Fits sidecars into their pod and its namespace, such that whatever admits the pod without them admits it with them, in the
//! same quality of service class.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tributary_crds::Reason;
use tributary_crds::quantity::ExactQuantity;

use super::applicant::Applicant;
use super::resources::SidecarResources;
use super::room::Room;
use crate::explain::{Finding, Quoted};
use crate::limits::NamespaceLimits;
use crate::limits::amounts::{Amounts, RequestsAndLimits, Resource};
use crate::limits::limit_range::LimitRange;
use crate::limits::pod_resources::{PodResources, QualityOfService};
use crate::pod::Pod;

/// The sidecars of one pod, one after the other: of those that do not all fit, the first are taken.
///
/// What is decided depends on the application, its namespace and the sidecars that were asked for before, and not on which of
/// them the pod has already: so a second pass decides the same.
#[derive(Debug)]
pub struct Fitting<'f> {
    pod: &'f Pod<'f>,
    limits: &'f NamespaceLimits,
    /// All `LimitRange`s together.
    rules: LimitRange,
    /// What quotas ask every container to say.
    demanded: RequestsAndLimits,
    application: PodResources,
    room: Room<'f>,
}

/// What a sidecar gets.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// Its resources; `None` when it says nothing of any.
    pub resources: Option<ResourceRequirements>,
    /// Its limit of memory in bytes.
    pub memory_limit: Option<u64>,
    /// What to say when it is not what a policy or an annotation asks for.
    pub note: Option<Finding>,
}

/// A limit that is less than a sidecar needs.
struct TooLittle {
    resource: Resource,
    needed: ExactQuantity,
    allowed: ExactQuantity,
}

/// A request and a limit of one resource.
type Pair = (Option<ExactQuantity>, Option<ExactQuantity>);

impl<'f> Fitting<'f> {
    /// Begins with a pod without sidecars.
    pub fn new(pod: &'f Pod<'f>, limits: &'f NamespaceLimits) -> Self {
        let mut rules = LimitRange::default();
        for limit_range in limits.limit_ranges().values() {
            rules.join(limit_range);
        }
        let application = PodResources::of_application(pod, &rules.defaults);
        let room = Room::new(pod, limits, &application);
        let mut demanded = RequestsAndLimits::default();
        if application.whole().is_none() {
            for (_, quota) in room.quotas() {
                demanded.raise_to(&quota.demanded());
            }
        }
        Self {
            pod,
            limits,
            rules,
            demanded,
            application,
            room,
        }
    }

    /// The pod.
    pub fn pod(&self) -> &'f Pod<'f> {
        self.pod
    }

    /// What the next sidecar gets, or why it is left out. One that the pod has already stays as it is.
    ///
    /// # Errors
    /// When no resources with which it would run are allowed, or when there is no room for it.
    pub fn fit(&mut self, applicant: Applicant<'_>) -> Result<Fitted, Finding> {
        let present = self
            .pod
            .all_containers()
            .map(|container| container.container)
            .find(|container| container.name == applicant.name && container.is_ours());
        let fitted = self.fit_container(applicant);
        if let Some(present) = present {
            let actual = present.resources.unwrap_or_default();
            self.room.take(applicant, &actual, true);
            let given = fitted.unwrap_or(actual);
            return Ok(self.fitted(applicant, &given));
        }
        let given = fitted.map_err(|problem| self.conflict(applicant, &problem))?;
        if let Some(other) = self.rules.other_demands.first() {
            let message = format!("a LimitRange demands {} of every container", Quoted(other));
            let remedy = "ask for a LimitRange that demands it of pods, or of no container";
            return Err(Finding::new(Reason::LimitRangeConflict, message, remedy).about(applicant.annotation));
        }
        if let Some(refusal) = self.room.refusal(applicant, &given) {
            return Err(refusal.about(applicant.annotation));
        }
        self.room.take(applicant, &given, false);
        Ok(self.fitted(applicant, &given))
    }

    /// Requests and limits that every `LimitRange` allows a container.
    fn fit_container(&self, applicant: Applicant<'_>) -> Result<RequestsAndLimits, TooLittle> {
        let mut given = RequestsAndLimits::default();
        for resource in Resource::ALL {
            let asked = self.asked(resource, applicant);
            let Some(asked) = asked else {
                continue;
            };
            let (request, limit) = self.fit_resource(resource, asked, applicant)?;
            if let Some(request) = request {
                given.requests.set(resource, request);
            }
            if let Some(limit) = limit {
                given.limits.set(resource, limit);
            }
        }
        Ok(given)
    }

    /// What a sidecar would have of a resource if there were no `LimitRange`. `None` where it must say nothing.
    fn asked(&self, resource: Resource, applicant: Applicant<'_>) -> Option<Pair> {
        let defaults = applicant.defaults;
        let default = (
            defaults.amounts.requests.get(resource),
            defaults.amounts.limits.get(resource),
        );
        if resource == Resource::Disk {
            // The kubelet compares the whole pod's use with the sum of the limits that there are, so a limit on the sidecar
            // alone would evict the application for its own files; and without one the sidecar would use up the others'.
            let (request, limit) = overruled(resource, default, applicant.resources);
            return match (self.application.limits_disk(), self.says(resource).0) {
                (true, _) => Some((request, limit)),
                (false, true) => Some((request, None)),
                (false, false) => {
                    let request = applicant.resources.asked.requests.get(resource);
                    request.map(|request| (Some(request), None))
                }
            };
        }
        if let Some(whole) = self.application.whole() {
            // The sidecar shares the pod's own. What it says counts against the requests that these may have been made from, so
            // it says something only where it must, and no more than is left.
            let (must_request, must_limit) = self.says(resource);
            let at_most = |amount: ExactQuantity, most: Option<ExactQuantity>| {
                most.map_or(amount, |most| amount.min(most))
            };
            let left = self.room.left_of_requests(resource);
            let limit = default.1.filter(|_| must_limit);
            let limit = limit.map(|limit| at_most(limit, whole.limits.get(resource)));
            let request = default.0.filter(|_| must_request)?;
            return Some((Some(at_most(request, left)), limit));
        }
        match self.application.quality_of_containers() {
            QualityOfService::BestEffort => {
                // Of a pod that says zero: then the sidecar says it too where it must say something.
                let (must_request, must_limit) = self.says(resource);
                let zero = |must: bool| must.then_some(ExactQuantity::ZERO);
                must_request.then_some((zero(must_request), zero(must_limit)))
            }
            QualityOfService::Burstable => {
                let default = (
                    default.0,
                    default.1.filter(|_| !self.is_free(resource, applicant)),
                );
                Some(overruled(resource, default, applicant.resources))
            }
            QualityOfService::Guaranteed => {
                let (_, limit) = overruled(resource, default, applicant.resources);
                Some((limit, limit))
            }
        }
    }

    /// Whether nothing asks for a limit where a sidecar would rather have none.
    fn is_free(&self, resource: Resource, applicant: Applicant<'_>) -> bool {
        let asked = applicant.resources.asked.limits.get(resource).is_some();
        applicant.defaults.cpu_is_free && resource == Resource::Cpu && !asked && !self.says(resource).1
    }

    /// Whether something asks that requests, and limits, of a resource are said: or else `LimitRanger` would say them.
    fn says(&self, resource: Resource) -> (bool, bool) {
        let has = |amounts: &Amounts| amounts.get(resource).is_some();
        let (bounds, defaults) = (&self.rules.of_containers, &self.rules.defaults);
        let limit =
            has(&bounds.max) || has(&bounds.ratio) || has(&defaults.limits) || has(&self.demanded.limits);
        let request = limit || has(&bounds.min) || has(&defaults.requests) || has(&self.demanded.requests);
        (request, limit)
    }

    /// Raises to the minimum, cuts to the maximum, and keeps limits within the ratio to requests.
    fn fit_resource(
        &self,
        resource: Resource,
        (request, limit): Pair,
        applicant: Applicant<'_>,
    ) -> Result<Pair, TooLittle> {
        let bounds = &self.rules.of_containers;
        if limit.is_some_and(ExactQuantity::is_zero) {
            return Ok((request, limit));
        }
        let (min, max) = (bounds.min.or_zero(resource), bounds.max.get(resource));
        let most = |amount: ExactQuantity| max.map_or(amount, |max| amount.min(max));
        let mut request = most(request.unwrap_or_default().max(min));
        let Some(limit) = limit else {
            return Ok((Some(request), None));
        };
        let least = applicant.defaults.least_limits.or_zero(resource);
        let mut limit = most(limit.max(least).max(min).max(request));
        if limit < least || request < min {
            return Err(TooLittle {
                resource,
                needed: least.max(min),
                allowed: limit,
            });
        }
        let is_guaranteed = self.application.whole().is_none()
            && self.application.quality_of_containers() == QualityOfService::Guaranteed;
        if is_guaranteed && resource != Resource::Disk {
            return Ok((Some(limit), Some(limit)));
        }
        // Of a pod that keeps to a ratio and a container that does, the sum does too.
        let of_pods = &self.rules.of_pods.ratio;
        let ratio = [&bounds.ratio, of_pods]
            .into_iter()
            .filter_map(|ratio| ratio.get(resource));
        if let Some(ratio) = ratio.min() {
            (request, limit) = within_ratio(resource, request, limit, least, ratio);
        }
        Ok((Some(request), Some(limit)))
    }

    fn conflict(&self, applicant: Applicant<'_>, problem: &TooLittle) -> Finding {
        let name = |limit_range: &LimitRange| limit_range.of_containers.max.get(problem.resource);
        let by = self
            .limits
            .limit_ranges()
            .iter()
            .filter_map(|(by, limit_range)| Some((name(limit_range)?, by)))
            .min();
        let by = by.map_or("", |(_, by)| by.as_str());
        let resource = problem.resource.name();
        let message = format!(
            "{} of {resource} allowed by LimitRange {}, {} needed",
            problem.allowed,
            Quoted(by),
            problem.needed
        );
        let remedy = format!(
            "ask for a LimitRange that allows a container {} of {resource}",
            problem.needed
        );
        Finding::new(Reason::LimitRangeConflict, message, remedy).about(applicant.annotation)
    }

    fn fitted(&self, applicant: Applicant<'_>, given: &RequestsAndLimits) -> Fitted {
        let list = |amounts: &Amounts| {
            let ours = amounts
                .iter()
                .map(|(resource, amount)| (resource.name().to_owned(), Quantity::from(amount)));
            // What LimitRanger would otherwise give it of devices and the like.
            let none = self.rules.other_defaults.iter();
            let none = none.map(|name| (name.clone(), Quantity("0".to_owned())));
            Some(ours.chain(none).collect()).filter(|list: &BTreeMap<_, _>| !list.is_empty())
        };
        let resources = ResourceRequirements {
            requests: list(&given.requests),
            limits: list(&given.limits),
            claims: None,
        };
        Fitted {
            resources: Some(resources).filter(|resources| *resources != ResourceRequirements::default()),
            memory_limit: given
                .limits
                .get(Resource::Memory)
                .filter(|limit| !limit.is_zero())
                .and_then(ExactQuantity::in_units),
            note: note(applicant, given),
        }
    }
}

/// What is said where a sidecar does not have what was asked for it.
fn note(applicant: Applicant<'_>, given: &RequestsAndLimits) -> Option<Finding> {
    let asked = &applicant.resources.asked;
    let kinds = [
        ("requests", &asked.requests, &given.requests),
        ("limits", &asked.limits, &given.limits),
    ];
    let differences: Vec<String> = kinds
        .into_iter()
        .flat_map(|(kind, asked, given)| {
            asked.iter().filter_map(move |(resource, asked)| {
                let given = given.get(resource);
                let name = resource.name();
                let given = match given {
                    Some(given) if given == asked => return None,
                    Some(given) => given.to_string(),
                    None => "nothing".to_owned(),
                };
                Some(format!("{kind}.{name} {given} instead of {asked}"))
            })
        })
        .collect();
    if differences.is_empty() {
        return None;
    }
    let message = format!("fitted to the pod: {}", differences.join(", "));
    let remedy = "nothing, or ask for what the pod and its namespace allow";
    Some(Finding::new(Reason::ResourcesFitted, message, remedy).about(applicant.annotation))
}

/// Puts what is asked for over the defaults. Where the two contradict (a request above its limit, which the API server refuses),
/// what is asked for wins and the other follows.
fn overruled(resource: Resource, (request, limit): Pair, resources: &SidecarResources) -> Pair {
    let limits = &resources.asked.limits;
    let asked = (
        resources.asked.requests.get(resource),
        // Kubernetes takes zero for no limit.
        limits.get(resource).filter(|limit| !limit.is_zero()),
    );
    match (asked.0.or(request), asked.1.or(limit)) {
        (Some(request), Some(limit)) if request > limit && asked.1.is_some() => (Some(limit), Some(limit)),
        (Some(request), Some(limit)) if request > limit => (Some(request), Some(request)),
        pair => pair,
    }
}

/// A request and a limit of at most `ratio` times that: by a lower limit where that is enough to run with, else by a higher
/// request.
fn within_ratio(
    resource: Resource,
    request: ExactQuantity,
    limit: ExactQuantity,
    least: ExactQuantity,
    ratio: ExactQuantity,
) -> (ExactQuantity, ExactQuantity) {
    let step = resource.step();
    let limit = limit.min(request.times(ratio, step).max(least));
    let request = request.max(limit.divided_by(ratio, step));
    // The API server divides in floating point, where a ratio that is no whole number may come out a little larger.
    let is_close = request.times(ratio, ExactQuantity::NANO) <= limit + step;
    if is_close && ratio.in_thousandths() % 1000 != 0 {
        return ((request + step).min(limit), limit);
    }
    (request.min(limit), limit)
}
