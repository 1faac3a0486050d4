//! Whatever admits a pod without us admits it with us, in the same class: generated pods in namespaces that are about as tight
//! as the pods need, against the API server's own arithmetic.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::api_server::{Amounts, charged, read, refusal, thousandths};
use crate::quality_of_service::{Class, class};
use crate::support::{decide_under, limits_of, patched, policies};

const RESOURCES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

fn amount(resource: &str) -> BoxedStrategy<&'static str> {
    match resource {
        "cpu" => select(vec!["0", "10m", "100m", "250m", "1", "1000m"]).boxed(),
        "memory" => select(vec!["0", "8Mi", "64Mi", "100Mi", "1Gi", "1024Mi"]).boxed(),
        _ => select(vec!["64Mi", "1Gi"]).boxed(),
    }
}

/// Requests and limits of one resource: neither, either, both, or both the same.
fn said(resource: &'static str) -> impl Strategy<Value = (Option<&'static str>, Option<&'static str>)> {
    let some = move || amount(resource).prop_map(Some);
    prop_oneof![
        2 => Just((None, None)),
        1 => some().prop_map(|request| (request, None)),
        2 => some().prop_map(|limit| (None, limit)),
        2 => (some(), some()).prop_map(move |(a, b)| {
            let value = |text: Option<&str>| thousandths(&json!(text));
            if value(a) <= value(b) { (a, b) } else { (b, a) }
        }),
        2 => some().prop_map(|same| (same, same)),
    ]
}

fn resources(of: &'static [&'static str]) -> impl Strategy<Value = Value> {
    of.iter()
        .map(|resource| said(resource))
        .collect::<Vec<_>>()
        .prop_map(move |said| {
            let mut resources = json!({});
            for (name, (request, limit)) in of.iter().zip(said) {
                if let Some(request) = request {
                    resources["requests"][name] = request.into();
                }
                if let Some(limit) = limit {
                    resources["limits"][name] = limit.into();
                }
            }
            resources
        })
}

/// The resources of all containers: often the same, so that bounds can be near them all.
fn of_containers(count: usize) -> impl Strategy<Value = Vec<Value>> {
    prop_oneof![
        1 => proptest::collection::vec(resources(&RESOURCES), count),
        3 => resources(&RESOURCES).prop_map(move |same| vec![same; count]),
    ]
}

prop_compose! {
    fn pod()(
        resources in (1..4_usize).prop_flat_map(|applications| (Just(applications), of_containers(applications + 2))),
        init in select(vec!["", "i", "s", "is", "si"]),
        whole in proptest::option::weighted(0.25, resources(&["cpu", "memory"])),
        overhead in proptest::option::weighted(0.1, Just(json!({"memory": "16Mi", "cpu": "10m"}))),
        ends in any::<bool>(),
        files in select(vec!["/logs/a.log", "/logs/a.log,/logs/b.log", "/logs/a.log,/logs/b.log,/new/c.log"]),
        ship in proptest::option::weighted(0.4, Just("/logs/a.log")),
        asked in proptest::option::weighted(0.3, select(vec![
            r#"{"requests":{"cpu":"50m"}}"#, r#"{"limits":{"memory":"8Mi","cpu":"0"}}"#,
            r#"{"requests":{"memory":"1Gi"},"limits":{"ephemeral-storage":"1Mi"}}"#,
        ])),
    ) -> Value {
        let (applications, resources) = resources;
        let container = |name: String, resources: &Value| json!({
            "name": name, "image": "i", "resources": resources, "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]
        });
        let containers: Vec<Value> = (0..applications).map(|at| container(format!("c{at}"), &resources[at])).collect();
        let init: Vec<Value> = init.chars().enumerate().map(|(at, kind)| {
            let mut init = container(format!("i{at}"), &resources[applications + at]);
            if kind == 's' {
                init["restartPolicy"] = "Always".into();
            }
            init
        }).collect();
        let mut spec = json!({"containers": containers, "initContainers": init, "volumes": [{"name": "logs", "emptyDir": {}}]});
        if let Some(whole) = whole {
            spec["resources"] = whole;
        }
        if let Some(overhead) = overhead {
            spec["overhead"] = overhead;
        }
        if ends {
            spec["activeDeadlineSeconds"] = 60.into();
        }
        let mut annotations = json!({"tributary.dev/stream": files, "tributary.dev/missing-volume": "create"});
        if let Some(ship) = ship {
            annotations["tributary.dev/ship"] = ship.into();
        }
        if let Some(asked) = asked {
            annotations["tributary.dev/resources"] = asked.into();
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "annotations": annotations}, "spec": spec})
    }
}

/// How near to what a pod has the bounds of its namespace are; each choice is a number of its own.
type Choices = Vec<usize>;

fn choices() -> impl Strategy<Value = Choices> {
    proptest::collection::vec(0..20_usize, 40)
}

/// Makes choices, one after the other.
struct Dice<'c>(std::slice::Iter<'c, usize>);

impl Dice<'_> {
    /// One of the few that are not `None`, and often none.
    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        of.get(*self.0.next().unwrap()).cloned()
    }
}

fn text(thousandths: i128) -> Value {
    format!("{thousandths}m").into()
}

/// A namespace with limits about as large as this pod.
fn namespace(pod: &Value, choices: &Choices) -> Value {
    let mut dice = Dice(choices.iter());
    let mut container = json!({"type": "Container"});
    for resource in RESOURCES {
        bound_containers(pod, resource, &mut container, &mut dice);
    }
    if let Some(()) = dice.pick(&[()]) {
        container["default"]["example.com/device"] = "1".into();
        container["defaultRequest"]["example.com/device"] = "1".into();
    }
    let mut namespace =
        json!({"limitRanges": [{"metadata": {"name": "range"}, "spec": {"limits": [container]}}]});
    // The pod as it is when quotas and bounds of pods are looked at.
    let charged = charged(&read(pod.clone(), &namespace));
    let mut of_pods = json!({"type": "Pod"});
    for resource in RESOURCES {
        if let Some(limit) = charged.get(&format!("limits.{resource}")) {
            if let Some(more) = dice.pick(&[0, 100_000, 100_000_000_000]) {
                of_pods["max"][resource] = text(limit + more);
            }
            let request = charged
                .get(&format!("requests.{resource}"))
                .copied()
                .unwrap_or_default();
            if let Some(factor) = dice.pick(&[1, 2]).filter(|_| request > 0) {
                of_pods["maxLimitRequestRatio"][resource] =
                    text((limit * 1000 / request + 1).max(1000) * factor);
            }
        }
    }
    namespace["limitRanges"][0]["spec"]["limits"]
        .as_array_mut()
        .unwrap()
        .push(of_pods);
    namespace["resourceQuotas"] = json!([quota(&charged, &mut dice)]);
    namespace
}

fn bound_containers(pod: &Value, resource: &str, item: &mut Value, dice: &mut Dice<'_>) {
    let of = |kind: &'static str| {
        let lists = ["containers", "initContainers"].into_iter();
        lists
            .flat_map(|list| pod["spec"][list].as_array().into_iter().flatten())
            .filter_map(move |container| container["resources"][kind].get(resource))
            .map(thousandths)
    };
    let least = of("requests").chain(of("limits")).min().unwrap_or(20_000);
    let most = of("requests").chain(of("limits")).max().unwrap_or(20_000);
    let min = dice.pick(&[least, least / 2]);
    let max = dice.pick(&[most, most * 2, most * 100]);
    if let Some(min) = min {
        item["min"][resource] = text(min);
    }
    if let Some(max) = max {
        item["max"][resource] = text(max);
    }
    if let Some(default) = dice.pick(&[least, most]).or(max).or(min) {
        item["default"][resource] = text(default);
        item["defaultRequest"][resource] = text(dice.pick(&[least]).unwrap_or(default));
    }
    let ratio = dice.pick(&[1000, 1500, 3300, 10_000, 16_100]);
    if let Some(ratio) = ratio.filter(|_| max.is_some()) {
        item["maxLimitRequestRatio"][resource] = text(ratio);
    }
}

fn quota(charged: &Amounts, dice: &mut Dice<'_>) -> Value {
    let (mut hard, mut used) = (json!({}), json!({}));
    for (name, asked) in charged.iter().filter(|(name, _)| !name.contains('/')) {
        // Exactly enough, enough for one sidecar, for some.
        let rooms = [0, 5, 100, 16 << 30, 32_000 << 20, 70_000 << 20];
        if let Some(room) = dice.pick(&rooms) {
            hard[name] = text(asked + room + 3000);
            used[name] = text(3000);
        }
    }
    let scopes = dice.pick(&[
        json!(["NotBestEffort"]),
        json!(["Terminating"]),
        json!(["NotTerminating"]),
    ]);
    json!({"metadata": {"name": "quota"}, "spec": {"hard": hard, "scopes": scopes.unwrap_or(json!([]))}, "status": {"hard": hard, "used": used}})
}

/// What became of a pod: without us it was refused, or it was admitted, and with us has so many sidecars.
fn check(pod: &Value, namespace: &Value) -> Result<Option<usize>, TestCaseError> {
    let limits = limits_of(namespace);
    let before = read(pod.clone(), namespace);
    let was = class(&before);
    if refusal(&before, namespace, was == Class::BestEffort).is_some() {
        return Ok(None);
    }
    // The API server defaults a pod again after any webhook's patch. Where LimitRanger's requests then become requests of a
    // whole pod that said "0", a pod without sidecars changes its class too.
    if class(&read(before.clone(), namespace)) != was {
        return Ok(None);
    }
    let decision = decide_under(&before, policies(), &limits);
    let once = patched(&before, &decision);
    let after = read(once.clone(), namespace);
    prop_assert_eq!(class(&after), was, "with {}", after);
    let refused = refusal(&after, namespace, was == Class::BestEffort);
    prop_assert_eq!(refused, None, "with {}", after);

    let again = decide_under(&after, policies(), &limits);
    prop_assert!(again.patch.is_empty(), "a second pass: {:?}", again.patch);
    prop_assert_eq!(&decision.result, &again.result);
    if pod["spec"].get("resources").is_none() {
        let offline = decide_under(pod, policies(), &limits);
        prop_assert_eq!(&offline.warnings, &decision.warnings, "authors are told the same");
    }
    let sidecars = |pod: &Value| pod["spec"]["initContainers"].as_array().map_or(0, Vec::len);
    Ok(Some(sidecars(&after) - sidecars(&before)))
}

proptest! {
    #![proptest_config(Config::with_cases(1000))]

    #[test]
    fn no_pod_is_refused_because_of_us(pod in pod(), choices in choices()) {
        check(&pod, &namespace(&pod, &choices))?;
    }
}

/// The property above would hold if all pods were refused, or none had a sidecar.
#[test]
fn the_generated_namespaces_are_neither_closed_nor_open() {
    let mut runner = TestRunner::deterministic();
    let (mut refused, mut all, mut some, mut none) = (0, 0, 0, 0);
    for _ in 0..1000 {
        let (pod, choices) = (pod(), choices()).new_tree(&mut runner).unwrap().current();
        let annotations = &pod["metadata"]["annotations"];
        let files = annotations["tributary.dev/stream"]
            .as_str()
            .unwrap()
            .split(',')
            .count();
        let asked = files + usize::from(annotations.get("tributary.dev/ship").is_some());
        match check(&pod, &namespace(&pod, &choices)).unwrap() {
            None => refused += 1,
            Some(0) => none += 1,
            Some(sidecars) if sidecars == asked => all += 1,
            Some(_) => some += 1,
        }
    }
    println!("{refused} refused without us; {all} with all sidecars, {some} with some, {none} with none");
    assert!(refused < 700 && all > 50 && some > 20 && none > 50);
}
