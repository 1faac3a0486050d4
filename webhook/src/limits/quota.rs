//! `ResourceQuota`: what all pods of a namespace may ask for together.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceQuota, ScopedResourceSelectorRequirement};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::Value;
use tributary_crds::quantity::ExactQuantity;

use super::amounts::{Amounts, RequestsAndLimits, Resource};
use super::pod_resources::{PodResources, QualityOfService};
use crate::pod::Pod;

/// One `ResourceQuota`, as far as it concerns sidecars.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quota {
    scopes: Vec<Scope>,
    hard: RequestsAndLimits,
    used: RequestsAndLimits,
}

/// Which pods a quota counts.
#[derive(Clone, Debug, PartialEq)]
enum Scope {
    Terminating,
    NotTerminating,
    BestEffort,
    NotBestEffort,
    PriorityClass(Selector),
    CrossNamespacePodAffinity,
    /// One that selects no pod.
    Other,
}

/// How a priority class is selected.
#[derive(Clone, Debug, PartialEq)]
enum Selector {
    Exists,
    DoesNotExist,
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// A quota that has too little left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// `requests.cpu`, for example.
    pub resource: &'static str,
    /// What is left.
    pub left: ExactQuantity,
    /// What the pod asks for.
    pub asked: ExactQuantity,
    /// What the quota would have to be.
    pub needed: ExactQuantity,
}

impl Quota {
    /// Reads the object. What counts is the status, as for the API server: a quota that was not counted yet limits nothing.
    pub fn new(quota: &ResourceQuota) -> Self {
        let status = quota.status.as_ref();
        let spec = quota.spec.as_ref();
        let plain = spec.and_then(|spec| spec.scopes.as_ref()).into_iter().flatten();
        let selected = spec.and_then(|spec| spec.scope_selector.as_ref());
        let selected = selected.and_then(|selector| selector.match_expressions.as_ref());
        Self {
            scopes: plain
                .map(|name| Scope::new(name, Some(Selector::Exists)))
                .chain(selected.into_iter().flatten().map(Scope::selected))
                .collect(),
            hard: counted(status.and_then(|status| status.hard.as_ref())),
            used: counted(status.and_then(|status| status.used.as_ref())),
        }
    }

    /// Whether it limits anything of which sidecars have some.
    pub fn limits_anything(&self) -> bool {
        !self.hard.is_empty()
    }

    /// Whether it counts this pod.
    pub fn counts(&self, pod: &Pod<'_>, class: QualityOfService) -> bool {
        self.scopes.iter().all(|scope| scope.holds(pod, class))
    }

    /// What every container must say in a pod that the quota counts: whatever it limits of CPU and memory. How much does not
    /// matter.
    pub fn demanded(&self) -> RequestsAndLimits {
        let mut demanded = self.hard;
        demanded.requests.forget(Resource::Disk);
        demanded.limits.forget(Resource::Disk);
        demanded
    }

    /// Of what less is left than the pod asks for.
    pub fn shortage(&self, pod: &PodResources) -> Option<Shortage> {
        let asked = pod.charged();
        let kinds = [
            (
                &self.hard.requests,
                &self.used.requests,
                &asked.requests,
                REQUESTS,
            ),
            (&self.hard.limits, &self.used.limits, &asked.limits, LIMITS),
        ];
        kinds.into_iter().find_map(|(hard, used, asked, names)| {
            hard.iter().find_map(|(resource, hard)| {
                let (used, asked) = (used.or_zero(resource), asked.or_zero(resource));
                let needed = used + asked;
                (!asked.is_zero() && needed > hard).then(|| Shortage {
                    resource: names[resource as usize],
                    left: (hard - used).max(ExactQuantity::ZERO),
                    asked,
                    needed,
                })
            })
        })
    }
}

/// By the order of [`Resource`].
const REQUESTS: [&str; 3] = ["requests.cpu", "requests.memory", "requests.ephemeral-storage"];
const LIMITS: [&str; 3] = ["limits.cpu", "limits.memory", "limits.ephemeral-storage"];

/// What a quota says of requests and limits; `cpu` is the old name of `requests.cpu`. Of two values the smaller one is taken among
/// hard limits, and both are the same among what is used.
fn counted(list: Option<&BTreeMap<String, Quantity>>) -> RequestsAndLimits {
    let mut counted = RequestsAndLimits::default();
    for (name, quantity) in list.into_iter().flatten() {
        let (amounts, resource) = match name.strip_prefix("limits.") {
            Some(resource) => (&mut counted.limits, resource),
            None => (
                &mut counted.requests,
                name.strip_prefix("requests.").unwrap_or(name),
            ),
        };
        if let (Some(resource), Ok(amount)) = (Resource::named(resource), quantity.0.parse()) {
            let mut one = Amounts::default();
            one.set(resource, amount);
            amounts.lower_to(&one);
        }
    }
    counted
}

impl Scope {
    fn new(name: &str, selector: Option<Selector>) -> Self {
        match (name, selector) {
            ("Terminating", _) => Self::Terminating,
            ("NotTerminating", _) => Self::NotTerminating,
            ("BestEffort", _) => Self::BestEffort,
            ("NotBestEffort", _) => Self::NotBestEffort,
            ("PriorityClass", Some(selector)) => Self::PriorityClass(selector),
            ("CrossNamespacePodAffinity", _) => Self::CrossNamespacePodAffinity,
            _ => Self::Other,
        }
    }

    fn selected(requirement: &ScopedResourceSelectorRequirement) -> Self {
        let values = || requirement.values.clone().unwrap_or_default();
        let selector = match requirement.operator.as_str() {
            "Exists" => Some(Selector::Exists),
            "DoesNotExist" => Some(Selector::DoesNotExist),
            "In" => Some(Selector::In(values())),
            "NotIn" => Some(Selector::NotIn(values())),
            _ => None,
        };
        Self::new(&requirement.scope_name, selector)
    }

    fn holds(&self, pod: &Pod<'_>, class: QualityOfService) -> bool {
        let ends = pod
            .spec
            .active_deadline_seconds
            .is_some_and(|seconds| seconds >= 0);
        match self {
            Self::Terminating => ends,
            Self::NotTerminating => !ends,
            Self::BestEffort => class == QualityOfService::BestEffort,
            Self::NotBestEffort => class != QualityOfService::BestEffort,
            Self::PriorityClass(selector) => {
                let name = pod.spec.priority_class_name.as_deref();
                selector.selects(name.filter(|name| !name.is_empty()))
            }
            Self::CrossNamespacePodAffinity => names_other_namespaces(pod),
            Self::Other => false,
        }
    }
}

impl Selector {
    fn selects(&self, name: Option<&str>) -> bool {
        let is_among = |values: &[String]| name.is_some_and(|name| values.iter().any(|value| value == name));
        match self {
            Self::Exists => name.is_some(),
            Self::DoesNotExist => name.is_none(),
            Self::In(values) => is_among(values),
            Self::NotIn(values) => !is_among(values),
        }
    }
}

/// Whether the pod's place depends on pods of other namespaces.
fn names_other_namespaces(pod: &Pod<'_>) -> bool {
    let affinity: Option<Value> = pod
        .spec
        .affinity
        .and_then(|affinity| serde_json::from_str(affinity.get()).ok());
    let Some(affinity) = affinity else {
        return false;
    };
    let terms = |of: &Value| -> Vec<Value> {
        let list = |field: &str| of[field].as_array().cloned().unwrap_or_default();
        let preferred = list("preferredDuringSchedulingIgnoredDuringExecution");
        let preferred = preferred
            .into_iter()
            .map(|mut term| term["podAffinityTerm"].take());
        let required = list("requiredDuringSchedulingIgnoredDuringExecution");
        required.into_iter().chain(preferred).collect()
    };
    ["podAffinity", "podAntiAffinity"]
        .into_iter()
        .flat_map(|kind| terms(&affinity[kind]))
        .any(|term| {
            let named = term["namespaces"].as_array();
            named.is_some_and(|named| !named.is_empty()) || !term["namespaceSelector"].is_null()
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quota(spec: &Value, status: &Value) -> Quota {
        Quota::new(&serde_json::from_value(json!({"spec": spec, "status": status})).unwrap())
    }

    #[test]
    fn a_quota_counts_the_pods_of_its_scopes() {
        let plain = r#"{"containers":[]}"#;
        let ends = r#"{"containers":[],"activeDeadlineSeconds":60}"#;
        let important = r#"{"containers":[],"priorityClassName":"important"}"#;
        let afar = r#"{"containers":[],"affinity":{"podAntiAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[
            {"weight":1,"podAffinityTerm":{"namespaces":["other"],"topologyKey":"zone"}}]}}}"#;
        let near = r#"{"containers":[],"affinity":{"podAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[
            {"namespaces":[],"topologyKey":"zone"}]}}}"#;
        let scopes = |names: &[&str]| json!({"scopes": names});
        let class = |operator: &str, values: &[&str]| {
            let selector = json!({"scopeName": "PriorityClass", "operator": operator, "values": values});
            json!({"scopeSelector": {"matchExpressions": [selector]}})
        };
        for (spec, pod, counts) in [
            (json!({}), plain, true),
            (scopes(&["Terminating"]), ends, true),
            (scopes(&["Terminating"]), plain, false),
            (scopes(&["NotTerminating"]), plain, true),
            (scopes(&["NotTerminating", "BestEffort"]), plain, false),
            (scopes(&["NotTerminating", "NotBestEffort"]), plain, true),
            (scopes(&["PriorityClass"]), important, true),
            (scopes(&["PriorityClass"]), plain, false),
            (class("Exists", &[]), important, true),
            (class("DoesNotExist", &[]), important, false),
            (class("DoesNotExist", &[]), plain, true),
            (class("In", &["other", "important"]), important, true),
            (class("In", &["other"]), important, false),
            (class("In", &["other"]), plain, false),
            (class("NotIn", &["other"]), important, true),
            (class("NotIn", &["other"]), plain, true),
            (class("NotIn", &["important"]), important, false),
            (scopes(&["CrossNamespacePodAffinity"]), afar, true),
            (scopes(&["CrossNamespacePodAffinity"]), near, false),
            (scopes(&["CrossNamespacePodAffinity"]), plain, false),
            (scopes(&["OfTheFuture"]), plain, false),
        ] {
            let pod = format!(r#"{{"spec":{pod}}}"#);
            let pod = Pod::parse(&pod).unwrap();
            let quota = quota(&spec, &json!({}));
            assert_eq!(
                quota.counts(&pod, QualityOfService::Burstable),
                counts,
                "{spec} {pod:?}"
            );
        }
    }

    #[test]
    fn old_names_are_requests_and_only_what_sidecars_have_is_kept() {
        let list = json!({"cpu": "2", "requests.cpu": "1", "limits.ephemeral-storage": "1Gi", "pods": "3", "requests.storage": "1Ti"});
        let read = quota(&json!({}), &json!({"hard": list, "used": {}}));
        assert_eq!(read.hard.requests.or_zero(Resource::Cpu).to_string(), "1");
        assert_eq!(read.hard.limits.or_zero(Resource::Disk).to_string(), "1Gi");
        assert_eq!(
            read.hard.requests.iter().count() + read.hard.limits.iter().count(),
            2
        );
        let demanded = read.demanded();
        assert!(demanded.requests.get(Resource::Cpu).is_some() && demanded.limits == Amounts::default());
        assert!(
            !quota(&json!({"hard": {"cpu": "1"}}), &json!({})).limits_anything(),
            "not counted yet"
        );
    }
}
