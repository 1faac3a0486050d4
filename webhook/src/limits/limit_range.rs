//! `LimitRange`: what every container, and every pod, of a namespace must keep to.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{LimitRange as CoreLimitRange, LimitRangeItem};
use tributary_crds::quantity::ExactQuantity;

use super::amounts::{Amounts, RequestsAndLimits, Resource};

const OF_CONTAINERS: &str = "Container";
const OF_PODS: &str = "Pod";

/// One `LimitRange`, as far as it concerns sidecars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LimitRange {
    /// What containers get that say nothing.
    pub defaults: RequestsAndLimits,
    /// What each container must keep to.
    pub of_containers: Bounds,
    /// What each pod must keep to.
    pub of_pods: Bounds,
    /// Resources that sidecars have nothing of, of which containers get some that say nothing.
    pub other_defaults: BTreeSet<String>,
    /// Resources that sidecars have nothing of, of which each container must have some.
    pub other_demands: BTreeSet<String>,
}

/// Bounds of requests and limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Requests must be said and both be as much.
    pub min: Amounts,
    /// Limits must be said and both be no more.
    pub max: Amounts,
    /// Limits may be so many times the requests.
    pub ratio: Amounts,
}

impl LimitRange {
    /// Reads the object.
    pub fn new(limit_range: &CoreLimitRange) -> Self {
        let mut read = Self::default();
        let items = limit_range.spec.iter().flat_map(|spec| &spec.limits);
        for item in items {
            match item.type_.as_str() {
                OF_CONTAINERS => read.take_container_item(item),
                OF_PODS => read.of_pods.tighten(&Bounds::new(item)),
                _ => {}
            }
        }
        read
    }

    fn take_container_item(&mut self, item: &LimitRangeItem) {
        self.of_containers.tighten(&Bounds::new(item));
        self.defaults
            .limits
            .override_by(&Amounts::of_list(item.default.as_ref()));
        self.defaults
            .requests
            .override_by(&Amounts::of_list(item.default_request.as_ref()));
        let is_other = |name: &&String| Resource::named(name).is_none();
        let defaults = [&item.default, &item.default_request].into_iter().flatten();
        self.other_defaults
            .extend(defaults.flat_map(BTreeMap::keys).filter(is_other).cloned());
        let least = item.min.iter().flatten();
        let least = least
            .filter(|(_, amount)| {
                amount
                    .0
                    .parse()
                    .is_ok_and(|amount: ExactQuantity| !amount.is_zero())
            })
            .map(|(name, _)| name);
        let ratios = item.max_limit_request_ratio.iter().flat_map(BTreeMap::keys);
        self.other_demands
            .extend(least.chain(ratios).filter(is_other).cloned());
    }

    /// Takes what the other says too; both hold. Of two defaults either may be given, so ours stays.
    pub fn join(&mut self, other: &Self) {
        self.defaults.limits.default_to(&other.defaults.limits);
        self.defaults.requests.default_to(&other.defaults.requests);
        self.of_containers.tighten(&other.of_containers);
        self.of_pods.tighten(&other.of_pods);
        self.other_defaults.extend(other.other_defaults.iter().cloned());
        self.other_demands.extend(other.other_demands.iter().cloned());
    }
}

impl Bounds {
    fn new(item: &LimitRangeItem) -> Self {
        Self {
            min: Amounts::of_list(item.min.as_ref()),
            max: Amounts::of_list(item.max.as_ref()),
            ratio: Amounts::of_list(item.max_limit_request_ratio.as_ref()),
        }
    }

    /// Takes from both what allows less.
    pub fn tighten(&mut self, other: &Self) {
        self.min.raise_to(&other.min);
        self.max.lower_to(&other.max);
        self.ratio.lower_to(&other.ratio);
    }

    /// The first resource of which this asks for more than there is of it at most, and that most.
    pub fn exceeded_by(&self, asked: &RequestsAndLimits) -> Option<(Resource, ExactQuantity)> {
        let exceeds = |amounts: &Amounts, resource, max: ExactQuantity| {
            amounts.or_zero(resource).in_thousandths() > max.in_thousandths()
        };
        self.max.iter().find(|&(resource, max)| {
            exceeds(&asked.limits, resource, max) || exceeds(&asked.requests, resource, max)
        })
    }
}
