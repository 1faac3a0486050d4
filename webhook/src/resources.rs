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

/// The resources of one sidecar, before the pod is known.
#[derive(Clone, Debug, PartialEq)]
pub struct SidecarResources {
    requests: BTreeMap<String, Quantity>,
    limits: BTreeMap<String, Quantity>,
}

/// A text that is no quantity.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{resource}: {value:?} is no quantity; write one such as 100m or 32Mi")]
pub struct QuantityError {
    resource: String,
    value: String,
}

impl Default for SidecarResources {
    fn default() -> Self {
        let of = |cpu: &str, memory: &str| {
            [(CPU, cpu), (MEMORY, memory)]
                .map(|(name, value)| (name.to_owned(), Quantity(value.to_owned())))
                .into()
        };
        Self {
            requests: of("5m", "16Mi"),
            limits: of("100m", "32Mi"),
        }
    }
}

impl SidecarResources {
    /// The defaults with a policy's values over them. Where the two contradict (a request above its limit, which the API
    /// server refuses), the policy's value wins and the other follows.
    pub fn compile(policy: Option<&Resources>) -> Result<Self, QuantityError> {
        let mut compiled = Self::default();
        let Some(policy) = policy else { return Ok(compiled) };
        for (resource, quantity) in policy.requests.iter().chain(&policy.limits) {
            if nanos(&quantity.0).is_none_or(|value| value < 0) {
                return Err(QuantityError {
                    resource: resource.clone(),
                    value: quantity.0.clone(),
                });
            }
        }
        compiled.requests.extend(policy.requests.clone());
        compiled.limits.extend(policy.limits.clone());
        for (resource, request) in &mut compiled.requests {
            let Some(limit) = compiled.limits.get_mut(resource) else {
                continue;
            };
            if nanos(&request.0) > nanos(&limit.0) {
                if policy.limits.contains_key(resource) {
                    *request = limit.clone();
                } else {
                    *limit = request.clone();
                }
            }
        }
        Ok(compiled)
    }

    /// The resources of a sidecar in this pod. `None` where the pod as a whole has resources: those then hold for the
    /// sidecar too, and a container's own could exceed them.
    pub fn for_pod(&self, pod: &Pod<'_>) -> Option<ResourceRequirements> {
        if pod.spec.resources.is_some() {
            return None;
        }
        let Self {
            mut requests,
            mut limits,
        } = self.clone();
        if is_guaranteed(pod) {
            for resource in [CPU, MEMORY] {
                if let Some(limit) = limits.get(resource) {
                    requests.insert(resource.to_owned(), limit.clone());
                }
            }
        }
        // The kubelet compares the whole pod's use with the sum of the limits that there are, so a limit on the sidecar
        // alone would evict the application for its own files; and without one the sidecar would use up the others'.
        if every_application_container_has_a_disk_limit(pod) {
            let default = |value: &str| Quantity(value.to_owned());
            limits
                .entry(DISK.to_owned())
                .or_insert_with(|| default(DISK_LIMIT));
            requests
                .entry(DISK.to_owned())
                .or_insert_with(|| default(DISK_REQUEST));
        }
        Some(ResourceRequirements {
            requests: Some(requests),
            limits: Some(limits),
            claims: None,
        })
    }
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
    match quantities?.get(resource)? {
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

    fn resolved(resources: &str) -> (BTreeMap<String, Quantity>, BTreeMap<String, Quantity>) {
        let json = pod_with(resources);
        let resolved = SidecarResources::default()
            .for_pod(&Pod::parse(&json).unwrap())
            .unwrap();
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
    fn disk_is_limited_only_where_all_of_the_application_is() {
        assert!(!resolved("{}").1.contains_key(DISK));
        let (requests, limits) = resolved(r#"{"limits":{"ephemeral-storage":"1Gi"}}"#);
        assert_eq!(
            (requests[DISK].0.as_str(), limits[DISK].0.as_str()),
            ("1Mi", "128Mi")
        );
    }

    #[test]
    fn resources_of_the_whole_pod_hold_for_the_sidecar() {
        let json = r#"{"spec":{"resources":{"limits":{"cpu":"1"}},"containers":[{"name":"app"}]}}"#;
        assert_eq!(
            SidecarResources::default().for_pod(&Pod::parse(json).unwrap()),
            None
        );
    }

    #[test]
    fn a_policys_value_wins_and_the_other_follows() {
        let policy = |json: &str| serde_json::from_str::<Resources>(json).unwrap();
        let compiled = SidecarResources::compile(Some(&policy(r#"{"requests":{"memory":"64Mi"}}"#))).unwrap();
        assert_eq!(compiled.limits["memory"].0, "64Mi");
        let compiled = SidecarResources::compile(Some(&policy(r#"{"limits":{"cpu":"1m"}}"#))).unwrap();
        assert_eq!(compiled.requests["cpu"].0, "1m");
        let error = SidecarResources::compile(Some(&policy(r#"{"limits":{"cpu":"lots"}}"#))).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cpu: \"lots\" is no quantity; write one such as 100m or 32Mi"
        );
    }
}
