//! CPU, memory and disk of a sidecar, such that nothing changes for the pod.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use tributary_crds::policy::Resources;

use crate::pod::{Amount, Container, ContainerResources, Pod};

const CPU: &str = "cpu";
const MEMORY: &str = "memory";
const DISK: &str = "ephemeral-storage";
/// Room for the sidecar's own stdout as the kubelet keeps it: five files of 10 MiB by default, and one being compressed.
const DISK_LIMIT: &str = "128Mi";
/// What a sidecar's stdout takes at least.
const DISK_REQUEST: &str = "1Mi";

/// The resources of one sidecar, before the pod is known: what the policy says, the rest follows from the pod.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SidecarResources {
    policy: Resources,
}

/// A text that is no quantity.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{resource}: {value:?} is no quantity; write one such as 100m or 32Mi")]
pub struct QuantityError {
    resource: String,
    value: String,
}

impl SidecarResources {
    /// Takes what a policy says, if every value is a quantity.
    pub fn compile(policy: Option<&Resources>) -> Result<Self, QuantityError> {
        let policy = policy.cloned().unwrap_or_default();
        for (resource, quantity) in policy.requests.iter().chain(&policy.limits) {
            if nanos(&quantity.0).is_none_or(|value| value < 0) {
                return Err(QuantityError {
                    resource: resource.clone(),
                    value: quantity.0.clone(),
                });
            }
        }
        Ok(Self { policy })
    }

    /// The resources of a sidecar in this pod: defaults that fit the pod, and the policy's values over them. `None` where the
    /// pod as a whole has resources: those then hold for the sidecar too, and a container's own could exceed them.
    pub fn for_pod(&self, pod: &Pod<'_>) -> Option<ResourceRequirements> {
        if pod.spec.resources.as_ref().is_some_and(says_something) {
            return None;
        }
        let mut resources = Resources::default();
        // A pod that reaches us as BestEffort lives where nothing asks for more: a LimitRange's defaults would be in it
        // (LimitRanger runs before webhooks, and again after them, to no effect on what has none), and a ResourceQuota of
        // CPU or memory refuses such a pod with or without us.
        if !is_best_effort(pod) {
            set(&mut resources, CPU, "5m", "100m");
            set(&mut resources, MEMORY, "16Mi", "32Mi");
        }
        // The kubelet compares the whole pod's use with the sum of the limits that there are, so a limit on the sidecar
        // alone would evict the application for its own files; and without one the sidecar would use up the others'.
        if every_application_container_has_a_disk_limit(pod) {
            set(&mut resources, DISK, DISK_REQUEST, DISK_LIMIT);
        }
        self.overrule(&mut resources);
        if is_guaranteed(pod) {
            for resource in [CPU, MEMORY] {
                if let Some(limit) = resources.limits.get(resource) {
                    resources.requests.insert(resource.to_owned(), limit.clone());
                }
            }
        }
        (resources != Resources::default()).then(|| resources.into())
    }

    /// Puts the policy's values over the defaults. Where the two contradict (a request above its limit, which the API server
    /// refuses), the policy's value wins and the other follows.
    fn overrule(&self, resources: &mut Resources) {
        resources.requests.extend(self.policy.requests.clone());
        resources.limits.extend(self.policy.limits.clone());
        for (resource, request) in &mut resources.requests {
            let Some(limit) = resources.limits.get_mut(resource) else {
                continue;
            };
            if nanos(&request.0) > nanos(&limit.0) {
                if self.policy.limits.contains_key(resource) {
                    *request = limit.clone();
                } else {
                    *limit = request.clone();
                }
            }
        }
    }
}

fn set(resources: &mut Resources, resource: &str, request: &str, limit: &str) {
    let quantity = |value: &str| (resource.to_owned(), Quantity(value.to_owned()));
    resources.requests.extend([quantity(request)]);
    resources.limits.extend([quantity(limit)]);
}

fn says_something(resources: &ContainerResources) -> bool {
    [&resources.requests, &resources.limits]
        .into_iter()
        .flatten()
        .any(|quantities| !quantities.is_empty())
}

/// Whether the pod's quality of service is `BestEffort`: no container asks for CPU or memory or limits it; zero counts as
/// nothing. Our own sidecars do not count, so that a second pass gives a later one what the first ones got.
fn is_best_effort(pod: &Pod<'_>) -> bool {
    let asks = |quantities: Option<&BTreeMap<String, Amount>>| {
        [CPU, MEMORY].iter().any(|resource| {
            let asked = quantities.and_then(|quantities| quantities.get(*resource));
            asked.is_some_and(|amount| in_nanos(amount) != Some(0))
        })
    };
    pod.all_containers()
        .map(|container| container.container)
        .filter(|container| !container.is_ours())
        .filter_map(|container| container.resources.as_ref())
        .all(|resources| !asks(resources.requests.as_ref()) && !asks(resources.limits.as_ref()))
}

/// Whether the pod's quality of service is Guaranteed: CPU and memory limited everywhere, and requested to the same amount.
fn is_guaranteed(pod: &Pod<'_>) -> bool {
    let fixed = |container: &Container<'_>| {
        let Some(resources) = &container.resources else {
            return false;
        };
        [CPU, MEMORY].iter().all(|resource| {
            let limit = amount(resources.limits.as_ref(), resource);
            let request = amount(resources.requests.as_ref(), resource);
            limit.is_some_and(|limit| limit > 0) && request.is_none_or(|request| Some(request) == limit)
        })
    };
    pod.all_containers().all(|container| fixed(container.container))
}

fn every_application_container_has_a_disk_limit(pod: &Pod<'_>) -> bool {
    let limited = |resources: &ContainerResources| amount(resources.limits.as_ref(), DISK).is_some();
    pod.spec
        .containers
        .iter()
        .all(|container| container.resources.as_ref().is_some_and(limited))
}

fn amount(quantities: Option<&BTreeMap<String, Amount>>, resource: &str) -> Option<i128> {
    in_nanos(quantities?.get(resource)?)
}

fn in_nanos(amount: &Amount) -> Option<i128> {
    match amount {
        Amount::Text(text) => nanos(text),
        Amount::Number(number) => nanos(&number.to_string()),
    }
}

/// A quantity in thousand-millionths, for comparing: `None` for what the API server would refuse as well.
fn nanos(text: &str) -> Option<i128> {
    const UNIT: i128 = 1_000_000_000;
    let end = text
        .find(|c: char| !c.is_ascii_digit() && !"+-.".contains(c))
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || whole.len() + fraction.len() == 0 || whole.len() > 15 {
        return None;
    }
    let scale = match suffix {
        "n" => 1,
        "u" => 1_000,
        "m" => 1_000_000,
        "" => UNIT,
        "k" => UNIT * 1_000,
        "Ki" => UNIT << 10,
        "M" => UNIT * 1_000_000,
        "Mi" => UNIT << 20,
        "G" => UNIT * UNIT,
        "Gi" => UNIT << 30,
        "T" => UNIT * UNIT * 1_000,
        "Ti" => UNIT << 40,
        _ => exponent(suffix)?,
    };
    // Digits beyond the ninth are below what a quantity can hold.
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let value = format!("{whole:0>1}{fraction}").parse::<i128>().ok()?;
    Some(sign * value.checked_mul(scale)? / UNIT)
}

/// `e3` and `E3`: a power of ten.
fn exponent(suffix: &str) -> Option<i128> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let power = u32::try_from(power.checked_add(9)?).ok()?;
    (power <= 21).then(|| 10_i128.pow(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod_with(resources: &str) -> String {
        format!(r#"{{"spec":{{"containers":[{{"name":"app","resources":{resources}}}]}}}}"#)
    }

    fn policy(json: &str) -> SidecarResources {
        SidecarResources::compile(Some(&serde_json::from_str(json).unwrap())).unwrap()
    }

    fn of(sidecar: &SidecarResources, resources: &str) -> Option<ResourceRequirements> {
        sidecar.for_pod(&Pod::parse(&pod_with(resources)).unwrap())
    }

    fn resolved(resources: &str) -> (BTreeMap<String, Quantity>, BTreeMap<String, Quantity>) {
        let resolved = of(&SidecarResources::default(), resources).unwrap();
        (resolved.requests.unwrap(), resolved.limits.unwrap())
    }

    #[test]
    fn quantities_compare_across_units() {
        for (a, b) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1Gi", "1024Mi"),
            ("1e3", "1k"),
            (".5", "0.50"),
            ("1M", "1000k"),
        ] {
            assert_eq!(nanos(a), nanos(b), "{a} {b}");
            assert!(nanos(a).is_some());
        }
        assert!(nanos("1Mi") > nanos("1M"));
        for bad in ["", ".", "abc", "1MiB", "1 Gi", "--1", "1.2.3", "e3", "1e99"] {
            assert_eq!(nanos(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_guaranteed_pod_stays_guaranteed() {
        let (requests, limits) = resolved(r#"{"requests":{"cpu":"1"},"limits":{"cpu":1,"memory":"1Gi"}}"#);
        assert_eq!(requests, limits);
    }

    #[test]
    fn a_burstable_pod_pays_little() {
        let (requests, limits) = resolved(r#"{"requests":{"cpu":"1"},"limits":{"cpu":"2","memory":"1Gi"}}"#);
        assert_eq!(
            (requests["cpu"].0.as_str(), limits["cpu"].0.as_str()),
            ("5m", "100m")
        );
        assert_eq!(
            (requests["memory"].0.as_str(), limits["memory"].0.as_str()),
            ("16Mi", "32Mi")
        );
    }

    #[test]
    fn a_best_effort_pod_stays_best_effort() {
        for resources in [
            "{}",
            "null",
            r#"{"requests":{"cpu":0},"limits":{"memory":"0"}}"#,
            r#"{"requests":{"hugepages-2Mi":"2Mi"}}"#,
        ] {
            assert_eq!(of(&SidecarResources::default(), resources), None, "{resources}");
        }
        let (requests, limits) = resolved(r#"{"limits":{"ephemeral-storage":"1Gi"}}"#);
        assert_eq!(
            requests.keys().chain(limits.keys()).collect::<Vec<_>>(),
            [DISK, DISK]
        );
    }

    #[test]
    fn in_a_best_effort_pod_only_what_the_policy_says_is_set() {
        let resources = of(&policy(r#"{"requests":{"memory":"64Mi"}}"#), "{}").unwrap();
        assert_eq!(resources.requests.unwrap()["memory"].0, "64Mi");
        assert_eq!(resources.limits, None);
    }

    #[test]
    fn disk_is_limited_only_where_all_of_the_application_is() {
        assert!(!resolved(r#"{"limits":{"cpu":1}}"#).1.contains_key(DISK));
        let (requests, limits) = resolved(r#"{"limits":{"ephemeral-storage":"1Gi"}}"#);
        assert_eq!(
            (requests[DISK].0.as_str(), limits[DISK].0.as_str()),
            ("1Mi", "128Mi")
        );
    }

    #[test]
    fn resources_of_the_whole_pod_hold_for_the_sidecar() {
        let of_pod = |resources: &str| {
            let container = r#"{"name":"app","resources":{"requests":{"cpu":"1"}}}"#;
            let json = format!(r#"{{"spec":{{"resources":{resources},"containers":[{container}]}}}}"#);
            SidecarResources::default().for_pod(&Pod::parse(&json).unwrap())
        };
        assert_eq!(of_pod(r#"{"limits":{"cpu":"1"}}"#), None);
        assert!(of_pod("{}").is_some());
    }

    #[test]
    fn a_policys_value_wins_and_the_other_follows() {
        const BURSTABLE: &str = r#"{"requests":{"cpu":"1"},"limits":{"ephemeral-storage":"1Gi"}}"#;
        let wins = |json: &str| of(&policy(json), BURSTABLE).unwrap();
        let limits = wins(r#"{"requests":{"memory":"64Mi","ephemeral-storage":"1Gi"}}"#)
            .limits
            .unwrap();
        assert_eq!(
            (limits["memory"].0.as_str(), limits[DISK].0.as_str()),
            ("64Mi", "1Gi")
        );
        let requests = wins(r#"{"limits":{"cpu":"1m","ephemeral-storage":"1Ki"}}"#)
            .requests
            .unwrap();
        assert_eq!(
            (requests["cpu"].0.as_str(), requests[DISK].0.as_str()),
            ("1m", "1Ki")
        );
        let lots = serde_json::from_str(r#"{"limits":{"cpu":"lots"}}"#).unwrap();
        assert_eq!(
            SidecarResources::compile(Some(&lots)).unwrap_err().to_string(),
            "cpu: \"lots\" is no quantity; write one such as 100m or 32Mi"
        );
    }
}
