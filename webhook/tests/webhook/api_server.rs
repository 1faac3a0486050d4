//! What a Kubernetes 1.34 API server makes of a pod's resources before it stores the pod: its defaults, `LimitRanger`,
//! validation and `ResourceQuota`, written down apart from the webhook's own reckoning. Amounts are thousandths, as integers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Amounts by resource.
pub type Amounts = BTreeMap<String, i128>;

/// A quantity in thousandths.
pub fn thousandths(text: &Value) -> i128 {
    let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: i128 = text[..end].parse().unwrap();
    let scale = match &text[end..] {
        "m" => 1,
        "" => 1000,
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        other => panic!("the test has no {other:?}"),
    };
    number * scale
}

pub fn amounts(list: &Value) -> Amounts {
    let entries = list.as_object().into_iter().flatten();
    entries
        .map(|(name, text)| (name.clone(), thousandths(text)))
        .collect()
}

fn containers<'p>(pod: &'p Value, list: &str) -> impl Iterator<Item = &'p Value> {
    pod["spec"][list].as_array().into_iter().flatten()
}

fn each_container(pod: &mut Value, mut change: impl FnMut(&mut Value)) {
    for list in ["containers", "initContainers"] {
        for container in pod["spec"]
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            change(container);
        }
    }
}

/// Puts in what is absent.
fn fill(target: &mut Value, defaults: &Value) {
    let Some(defaults) = defaults.as_object() else {
        return;
    };
    for (name, value) in defaults {
        if target.get(name).is_none() {
            target[name] = value.clone();
        }
    }
}

/// What is done whenever a pod is read: requests default to limits, those of the whole pod to the sum of its containers.
fn default_pod(pod: &mut Value) {
    each_container(pod, |container| {
        let limits = container["resources"]["limits"].clone();
        if limits.is_object() {
            fill(&mut container["resources"]["requests"], &limits);
        }
    });
    if pod["spec"]["resources"]["limits"]
        .as_object()
        .is_none_or(Map::is_empty)
    {
        return;
    }
    let sums = sum(pod, "requests");
    let whole = &mut pod["spec"]["resources"];
    for name in ["cpu", "memory"] {
        if let Some(sum) = sums.get(name) {
            fill(&mut whole["requests"], &json!({name: format!("{sum}m")}));
        }
    }
    let limits = whole["limits"].clone();
    fill(&mut whole["requests"], &limits);
}

/// What `LimitRanger` does before and after webhooks: containers that say nothing get its defaults.
fn mutate(pod: &mut Value, namespace: &Value) {
    for item in items(namespace, "Container") {
        each_container(pod, |container| {
            fill(&mut container["resources"]["limits"], &item["default"]);
            fill(&mut container["resources"]["requests"], &item["defaultRequest"]);
        });
    }
}

fn items<'n>(namespace: &'n Value, of: &str) -> impl Iterator<Item = &'n Value> {
    let ranges = namespace["limitRanges"].as_array().into_iter().flatten();
    ranges
        .flat_map(|range| range["spec"]["limits"].as_array().into_iter().flatten())
        .filter(move |item| item["type"] == of)
}

/// A pod as webhooks see it, or as it is checked after them.
pub fn read(mut pod: Value, namespace: &Value) -> Value {
    default_pod(&mut pod);
    mutate(&mut pod, namespace);
    pod
}

/// Sums of a kind over containers: what runs at the same time, or what starts where that is more.
fn sum(pod: &Value, kind: &str) -> Amounts {
    let add = |sum: &mut Amounts, more: &Amounts| {
        for (name, amount) in more {
            *sum.entry(name.clone()).or_default() += amount;
        }
    };
    let (mut running, mut sidecars, mut starting) = (Amounts::new(), Amounts::new(), Amounts::new());
    for container in containers(pod, "containers") {
        add(&mut running, &amounts(&container["resources"][kind]));
    }
    for container in containers(pod, "initContainers") {
        let own = amounts(&container["resources"][kind]);
        let mut at_once = sidecars.clone();
        add(&mut at_once, &own);
        if container["restartPolicy"] == "Always" {
            add(&mut running, &own);
            sidecars = at_once.clone();
        }
        for (name, amount) in at_once {
            let most = starting.entry(name).or_default();
            *most = amount.max(*most);
        }
    }
    for (name, amount) in starting {
        let most = running.entry(name).or_default();
        *most = amount.max(*most);
    }
    running
}

fn total(pod: &Value, kind: &str) -> Amounts {
    let mut total = sum(pod, kind);
    total.extend(amounts(&pod["spec"]["resources"][kind]));
    total
}

/// What a quota counts, by the quota's names.
pub fn charged(pod: &Value) -> Amounts {
    let overhead = amounts(&pod["spec"]["overhead"]);
    let mut charged = Amounts::from([("pods".to_owned(), 1000)]);
    for kind in ["requests", "limits"] {
        let mut total = total(pod, kind);
        for (name, more) in &overhead {
            match total.get_mut(name) {
                Some(amount) if kind == "requests" || *amount > 0 => *amount += more,
                None if kind == "requests" => {
                    total.insert(name.clone(), *more);
                }
                _ => {}
            }
        }
        for (name, amount) in total {
            charged.insert(format!("{kind}.{name}"), amount);
        }
    }
    charged
}

/// Why the pod is refused, if it is. The pod is as [`read`] left it.
pub fn refusal(pod: &Value, namespace: &Value, is_best_effort: bool) -> Option<String> {
    invalid(pod)
        .or_else(|| out_of_range(pod, namespace))
        .or_else(|| over_quota(pod, namespace, is_best_effort))
}

fn invalid(pod: &Value) -> Option<String> {
    for list in ["containers", "initContainers"] {
        for container in containers(pod, list) {
            let limits = amounts(&container["resources"]["limits"]);
            for (name, request) in amounts(&container["resources"]["requests"]) {
                let limit = limits.get(&name);
                if limit.is_some_and(|limit| request > *limit) {
                    return Some(format!("{name} of {}: request above limit", container["name"]));
                }
                if name.contains('/') && limit != Some(&request) {
                    return Some(format!(
                        "{name} of {}: request is not the limit",
                        container["name"]
                    ));
                }
            }
        }
    }
    let whole = &pod["spec"]["resources"];
    let (requests, limits) = (amounts(&whole["requests"]), amounts(&whole["limits"]));
    let sums = sum(pod, "requests");
    let above = |(name, request): (&String, &i128)| limits.get(name).is_some_and(|limit| request > limit);
    if requests.iter().any(above) {
        return Some("the pod's request is above its limit".to_owned());
    }
    for (name, reserved) in &requests {
        if sums.get(name).is_some_and(|sum| sum > reserved) {
            return Some(format!("containers request more {name} than the pod"));
        }
    }
    for container in containers(pod, "containers") {
        for (name, limit) in amounts(&container["resources"]["limits"]) {
            if limits.get(&name).is_some_and(|most| limit > *most) {
                return Some(format!("a container's limit of {name} is above the pod's"));
            }
        }
    }
    None
}

fn out_of_range(pod: &Value, namespace: &Value) -> Option<String> {
    let every = containers(pod, "containers").chain(containers(pod, "initContainers"));
    let of_containers = every.flat_map(|container| {
        let of = |kind: &str| amounts(&container["resources"][kind]);
        items(namespace, "Container")
            .map(move |item| (container["name"].to_string(), item, of("requests"), of("limits")))
    });
    let of_pod = items(namespace, "Pod").map(|item| {
        (
            "the pod".to_owned(),
            item,
            total(pod, "requests"),
            total(pod, "limits"),
        )
    });
    of_containers
        .chain(of_pod)
        .find_map(|(who, item, requests, limits)| {
            breaks(item, &requests, &limits).map(|what| format!("{who}: {what}"))
        })
}

fn breaks(item: &Value, requests: &Amounts, limits: &Amounts) -> Option<String> {
    for (name, min) in amounts(&item["min"]) {
        let enough = |amount: Option<&i128>| amount.is_none_or(|amount| *amount >= min);
        if !requests.contains_key(&name) || !enough(requests.get(&name)) || !enough(limits.get(&name)) {
            return Some(format!("below the minimum of {name}"));
        }
    }
    for (name, max) in amounts(&item["max"]) {
        let little = |amount: Option<&i128>| amount.is_none_or(|amount| *amount <= max);
        if !limits.contains_key(&name) || !little(requests.get(&name)) || !little(limits.get(&name)) {
            return Some(format!("above the maximum of {name}"));
        }
    }
    for (name, ratio) in amounts(&item["maxLimitRequestRatio"]) {
        let (request, limit) = (requests.get(&name).copied(), limits.get(&name).copied());
        let (Some(request @ 1..), Some(limit @ 1..)) = (request, limit) else {
            return Some(format!("no ratio of {name}"));
        };
        #[allow(clippy::cast_precision_loss, reason = "this is how the API server does it")]
        if limit as f64 / request as f64 * 1000.0 > ratio as f64 {
            return Some(format!("{limit} to {request} {name} is above the ratio"));
        }
    }
    None
}

fn over_quota(pod: &Value, namespace: &Value, is_best_effort: bool) -> Option<String> {
    let quotas = namespace["resourceQuotas"].as_array().into_iter().flatten();
    let counting = quotas.filter(|quota| {
        let scopes = quota["spec"]["scopes"].as_array().into_iter().flatten();
        scopes.into_iter().all(|scope| match scope.as_str().unwrap() {
            "BestEffort" => is_best_effort,
            "NotBestEffort" => !is_best_effort,
            "Terminating" => pod["spec"]["activeDeadlineSeconds"].is_i64(),
            "NotTerminating" => !pod["spec"]["activeDeadlineSeconds"].is_i64(),
            other => panic!("the test has no scope {other}"),
        })
    });
    let charged = charged(pod);
    counting.into_iter().find_map(|quota| {
        let used = amounts(&quota["status"]["used"]);
        amounts(&quota["status"]["hard"])
            .into_iter()
            .find_map(|(name, hard)| {
                if let Some(container) = unsaid(pod, &name) {
                    return Some(format!("{container} must say {name}"));
                }
                let asked = charged.get(&name).copied().unwrap_or_default();
                (asked > 0 && used[&name] + asked > hard).then(|| format!("{asked} of {name} is over {hard}"))
            })
    })
}

/// A container that does not say what a quota on CPU or memory demands of each, unless the pod says it as a whole.
fn unsaid(pod: &Value, name: &str) -> Option<String> {
    let (kind, resource) = name.split_once('.')?;
    let whole = &pod["spec"]["resources"];
    let says = |kind: &str| whole[kind].as_object().is_some_and(|said| !said.is_empty());
    if !["cpu", "memory"].contains(&resource) || says("requests") || says("limits") {
        return None;
    }
    let mut every = containers(pod, "containers").chain(containers(pod, "initContainers"));
    let silent = every.find(|container| container["resources"][kind].get(resource).is_none());
    silent.map(|container| container["name"].to_string())
}
