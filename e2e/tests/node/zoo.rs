//! Never worse off: every pod of the webhook's corpus beside its twin without our annotations, on a real node.

mod grounds;
mod look;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::Value;
use tributary_crds::annotation;
use tributary_e2e::zoo::runnable::{runnable, why_stuck};
use tributary_e2e::zoo::{Files, Habitat};
use tributary_e2e::{corpus, table};

use crate::stage::Stage;
use grounds::{clear_away, make_namespaces, prepare, until_policies_are_known};
use look::{Finding, all, create, key, look};

/// Two namespaces that are alike.
#[derive(Clone, Copy)]
struct Place {
    with: Habitat,
    without: Habitat,
    /// The Pod Security Standard that is enforced, if one is.
    enforced: Option<&'static str>,
}

const ORDINARY: Place = Place {
    with: habitat("zoo", true),
    without: habitat("zoo-twins", false),
    enforced: None,
};
const RESTRICTED: Place = Place {
    with: habitat("zoo-restricted", true),
    without: habitat("zoo-restricted-twins", false),
    enforced: Some("restricted"),
};
/// Where pods are admitted, and not run.
const BASELINE: Place = Place {
    with: habitat("zoo-baseline", true),
    without: habitat("zoo-baseline", false),
    enforced: Some("baseline"),
};
/// One of how many pods is run where `restricted` is enforced; all are admitted there, as far as they can be.
const RUN_RESTRICTED: usize = 3;

const fn habitat(namespace: &'static str, is_annotated: bool) -> Habitat {
    Habitat {
        namespace,
        is_annotated,
        port_offset: if is_annotated { 0 } else { 10_000 },
    }
}

/// Pairs that run at the same time: a node takes 110 pods, and some are there already.
const BATCH: usize = 45;
/// How long a batch may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(150);
/// How long pods that cannot run here are looked at: longer than others take to start on a quiet machine.
const UNTIL_STUCK: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_secs(1);

/// A pod of the corpus in both habitats.
struct Pair {
    name: String,
    /// Of the pod with our annotations.
    namespace: &'static str,
    files: Files,
    with: Value,
    without: Value,
}

pub fn never_worse_off(stage: &Stage) -> anyhow::Result<()> {
    let started = Instant::now();
    let ordinary = pairs(ORDINARY, |pod| pod)?;
    let restricted = pairs(RESTRICTED, |pod| {
        corpus::restricted(pod, RESTRICTED.with.namespace)
    })?;
    let is_stuck = |pair: &&Pair| why_stuck(&pair.without).is_some();
    let (stuck, able): (Vec<&Pair>, Vec<&Pair>) = ordinary.iter().partition(is_stuck);
    let some_restricted: Vec<&Pair> = restricted
        .iter()
        .filter(|pair| !is_stuck(pair))
        .step_by(RUN_RESTRICTED)
        .collect();

    prepare(stage, ORDINARY, &ordinary)?;
    prepare(stage, RESTRICTED, &restricted)?;
    until_policies_are_known(stage)?;
    let mut findings = Findings::new();
    for batch in able.chunks(BATCH).chain(some_restricted.chunks(BATCH)) {
        run_batch(stage, batch, PATIENCE, &mut findings)?;
    }
    run_batch(stage, &stuck, UNTIL_STUCK, &mut findings)?;
    let mut problems = admitted_alike(stage, &restricted)?;
    make_namespaces(stage, BASELINE)?;
    problems.extend(admitted_alike(stage, &pairs(BASELINE, |pod| pod)?)?);
    clear_away(stage, [ordinary.as_slice(), &restricted])?;
    problems.extend(report(&findings, started.elapsed())?);
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// By namespace and name.
type Findings = BTreeMap<(&'static str, String), Finding>;

fn pairs(place: Place, prepared: impl Fn(Value) -> Value) -> anyhow::Result<Vec<Pair>> {
    let pods = corpus::pods()?.into_iter();
    let pair = |(name, pod): (String, Value)| {
        let pod = prepared(pod);
        let files = files(&pod);
        Pair {
            namespace: place.with.namespace,
            with: runnable(&name, &pod, &files, place.with),
            without: runnable(&name, &pod, &files, place.without),
            name,
            files,
        }
    };
    Ok(pods.map(pair).collect())
}

/// The files that the annotations name for each container. What they say otherwise, such as the volumes of a peer's, is the webhook's
/// to understand; here the corpus' own directory for logs is good enough.
fn files(pod: &Value) -> Files {
    let mut files = Files::new();
    let first = pod["spec"]["containers"][0]["name"].as_str().unwrap_or_default();
    let annotations = &pod["metadata"]["annotations"];
    let default = annotations["kubectl.kubernetes.io/default-container"]
        .as_str()
        .unwrap_or(first);
    for key in [
        annotation::STREAM,
        annotation::SHIP,
        annotation::TAIL_OF_LOGGING_OPERATOR,
    ] {
        let Ok(specs) = annotation::parse_files(annotations[key].as_str().unwrap_or_default()) else {
            continue;
        };
        for spec in specs {
            let container = spec.container.unwrap_or_else(|| default.to_owned());
            let files = files.entry(container).or_default();
            let path = spec.path.as_str().to_owned();
            if !files.contains(&path) {
                files.push(path);
            }
        }
    }
    if annotations[annotation::TAILING_SIDECAR].is_string() {
        files.insert(
            "app".to_owned(),
            vec!["/logs/a.log".to_owned(), "/logs/b.log".to_owned()],
        );
    }
    files
}

/// What is admitted without us and not with us, asked without keeping any of it.
fn admitted_alike(stage: &Stage, pairs: &[Pair]) -> anyhow::Result<Vec<String>> {
    let client = &stage.environment().client;
    let mut problems = Vec::new();
    let mut admitted = 0;
    for pair in pairs {
        if stage.run(create(client, &pair.without, true))?.is_ok() {
            admitted += 1;
            if let Err(why) = stage.run(create(client, &pair.with, true))? {
                problems.push(format!("{}, {}: not admitted: {why}", pair.namespace, pair.name));
            }
        }
    }
    let namespace = pairs.first().map(|pair| pair.namespace).unwrap_or_default();
    println!(
        "{namespace}: {admitted} of {} pods are admitted without us",
        pairs.len()
    );
    ensure!(
        admitted > 60,
        "too few pods are admitted in {namespace} to prove anything"
    );
    Ok(problems)
}

/// Runs pairs until nothing is left to wait for, or until the patience is over; then removes them.
fn run_batch(
    stage: &Stage,
    pairs: &[&Pair],
    patience: Duration,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let client = &stage.environment().client;
    let mut refused = BTreeMap::new();
    for pair in pairs {
        for pod in [&pair.without, &pair.with] {
            if let Err(why) = stage.run(create(client, pod, false))? {
                refused.insert(key(pod), why);
            }
        }
    }
    let deadline = Instant::now() + patience;
    let mut open: Vec<&Pair> = pairs.to_vec();
    while !open.is_empty() && Instant::now() < deadline {
        std::thread::sleep(POLL);
        let pods = stage.run(all(client))?;
        let mut still_open = Vec::new();
        for pair in open {
            let finding = stage.run(look(client, pair, &refused, &pods))?;
            if finding.is_open() {
                still_open.push(pair);
            }
            findings.insert((pair.namespace, pair.name.clone()), finding);
        }
        open = still_open;
    }
    remove_pods(stage)
}

/// Where pods run.
fn namespaces() -> impl Iterator<Item = &'static str> {
    [ORDINARY, RESTRICTED]
        .into_iter()
        .flat_map(|place| [place.with.namespace, place.without.namespace])
}

fn remove_pods(stage: &Stage) -> anyhow::Result<()> {
    let client = &stage.environment().client;
    for namespace in namespaces() {
        let pods = Api::<Pod>::namespaced(client.clone(), namespace);
        let at_once = DeleteParams::default().grace_period(1);
        stage.run(pods.delete_collection(&at_once, &ListParams::default()))?;
    }
    stage.eventually("the pods of a batch are gone", Duration::from_secs(90), || {
        let left = stage.run(all(client))?;
        ensure!(left.is_empty(), "{:?}", left.keys());
        Ok(())
    })
}

/// Prints the table; returns all that is wrong.
fn report(findings: &Findings, took: Duration) -> anyhow::Result<Vec<String>> {
    let header = [
        "NAMESPACE",
        "POD",
        "WITH US",
        "WITHOUT",
        "SIDECARS",
        "WRITTEN",
        "FOUND",
    ];
    let row = |((namespace, name), finding): (&(&'static str, String), &Finding)| {
        vec![
            (*namespace).to_owned(),
            name.clone(),
            finding.with.to_string(),
            finding.without.to_string(),
            finding.sidecars.len().to_string(),
            finding.lines.written.to_string(),
            finding.lines.found.to_string(),
        ]
    };
    println!(
        "{}",
        table::draw(&header, &findings.iter().map(row).collect::<Vec<_>>())
    );
    let sum = |of: fn(&Finding) -> u64| findings.values().map(of).sum::<u64>();
    let sidecars = sum(|finding| finding.sidecars.len() as u64);
    let written = sum(|finding| finding.lines.written);
    println!(
        "{} pairs in {} s; {} run without us, {} as well with us; {sidecars} sidecars; {written} lines, {} lost, {} doubled",
        findings.len(),
        took.as_secs(),
        sum(|finding| finding.without.is_fine().into()),
        sum(|finding| (finding.without.is_fine() && finding.problems.is_empty()).into()),
        sum(|finding| finding.lines.lost),
        sum(|finding| finding.lines.doubled),
    );
    ensure!(
        sidecars > 100 && written > 1_500,
        "too few sidecars or lines to prove anything"
    );
    let mut problems = Vec::new();
    for ((namespace, name), finding) in findings {
        let mut problem = |what: &str| problems.push(format!("{namespace}, {name}: {what}"));
        match (finding.stuck, finding.without.is_fine()) {
            (Some(why), true) => problem(&format!("it runs, though {why}")),
            (None, false) if finding.without.refused.is_none() => {
                problem(&format!("its twin does not run here: {}", finding.without));
            }
            _ => {}
        }
        finding.problems.iter().for_each(|what| problem(what));
    }
    Ok(problems)
}
