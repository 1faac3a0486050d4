//! What became of a pair: both pods, the sidecars of the one, and the lines that those have.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ListParams, LogParams};
use serde_json::Value;
use tributary_crds::annotation;
use tributary_e2e::loki::{self, Source};
use tributary_e2e::tally::Tally;
use tributary_e2e::zoo::lines;
use tributary_e2e::zoo::outcome::Outcome;
use tributary_e2e::zoo::runnable::why_stuck;

use super::{Pair, namespaces};

/// Policies of the corpus whose backends do not run here.
const WITHOUT_BACKEND: &str = "shipping-with-secrets";

/// What was found of a pair.
#[derive(Default)]
pub struct Finding {
    pub with: Outcome,
    pub without: Outcome,
    /// Why neither can run here.
    pub stuck: Option<&'static str>,
    /// Containers of ours.
    pub sidecars: BTreeSet<String>,
    pub lines: Tally,
    pub problems: Vec<String>,
}

/// Creates a pod from JSON, unknown fields and all; the inner error is the API server's refusal.
pub async fn create(client: &Client, pod: &Value, dry_run: bool) -> anyhow::Result<Result<Value, String>> {
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
    let query = if dry_run { "?dryRun=All" } else { "" };
    let request = http::Request::post(format!("/api/v1/namespaces/{namespace}/pods{query}"))
        .header("content-type", "application/json")
        .body(pod.to_string().into_bytes())?;
    match client.request::<Value>(request).await {
        Ok(created) => Ok(Ok(created)),
        Err(kube::Error::Api(status)) => Ok(Err(status.message)),
        Err(error) => Err(error.into()),
    }
}

pub async fn look(
    client: &Client,
    pair: &Pair,
    refused: &BTreeMap<String, String>,
    pods: &BTreeMap<String, Value>,
) -> anyhow::Result<Finding> {
    let outcome = |pod: &Value| match (refused.get(&key(pod)), pods.get(&key(pod))) {
        (Some(why), _) => Outcome::refused(why),
        (None, Some(pod)) => Outcome::of(pod),
        (None, None) => Outcome::default(),
    };
    let (with, without) = (outcome(&pair.with), outcome(&pair.without));
    let mut finding = Finding {
        problems: with.worse_than(&without),
        stuck: why_stuck(&pair.without),
        with,
        without,
        ..Finding::default()
    };
    if finding.without.is_fine()
        && finding.problems.is_empty()
        && let Some(pod) = pods.get(&key(&pair.with))
    {
        look_at_sidecars(client, pair, pod, &mut finding).await?;
    }
    Ok(finding)
}

impl Finding {
    /// Whether something may still change: the twin has not started, or something is worse or missing.
    pub fn is_open(&self) -> bool {
        let can_run = self.without.refused.is_none() && !self.without.is_fine();
        can_run || !self.problems.is_empty()
    }
}

pub fn key(pod: &Value) -> String {
    let text = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

/// All pods of all places, by [`key`].
pub async fn all(client: &Client) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut pods = BTreeMap::new();
    for namespace in namespaces() {
        for pod in Api::<Pod>::namespaced(client.clone(), namespace)
            .list(&ListParams::default())
            .await?
        {
            let pod = serde_json::to_value(pod)?;
            pods.insert(key(&pod), pod);
        }
    }
    Ok(pods)
}

/// The sidecars that the pod's result names: whether they run, or have ended well, and have all lines that the application wrote.
async fn look_at_sidecars(
    client: &Client,
    pair: &Pair,
    pod: &Value,
    finding: &mut Finding,
) -> anyhow::Result<()> {
    let Some(result) = pod["metadata"]["annotations"][annotation::RESULT].as_str() else {
        return Ok(());
    };
    let result: Value = serde_json::from_str(result)?;
    let agent = &result["agent"];
    for (files, is_agent) in [(&result["files"], false), (&agent["files"], true)] {
        for file in files.as_array().into_iter().flatten() {
            let Some(sidecar) = file["sidecar"].as_str() else {
                continue;
            };
            finding.sidecars.insert(sidecar.to_owned());
            let state = finding.with.containers.get(sidecar).cloned().unwrap_or_default();
            let is_done = finding.with.phase == "Succeeded" && state.exit_code == Some(0);
            if (!state.is_running && !is_done) || state.restarts > 0 {
                finding.problems.push(format!("sidecar {sidecar}: {state:?}"));
            }
            if is_agent && agent["policy"] == WITHOUT_BACKEND {
                continue;
            }
            let container = file["container"].as_str().unwrap_or_default();
            let tally = count(client, pair, file, (!is_agent).then_some(sidecar)).await?;
            finding.lines.written += tally.written;
            finding.lines.found += tally.found;
            finding.lines.lost += tally.lost;
            finding.lines.doubled += tally.doubled;
            if tally.lost > 0 || tally.doubled > 0 {
                finding
                    .problems
                    .push(format!("{sidecar}: {container}:{}: {tally:?}", file["file"]));
            }
        }
    }
    Ok(())
}

/// Counts the lines of one file: in the log of its streaming sidecar, or at the backend.
async fn count(client: &Client, pair: &Pair, file: &Value, sidecar: Option<&str>) -> anyhow::Result<Tally> {
    let container = file["container"].as_str().unwrap_or_default();
    let index = pair
        .files
        .get(container)
        .and_then(|files| files.iter().position(|path| *path == file["file"]))
        .with_context(|| format!("{}: the result has another file: {file}", pair.name))?;
    let mark = lines::mark(pair.namespace, container, index);
    let written = lines::said(&log(client, pair, container).await?, &mark);
    let found = if let Some(sidecar) = sidecar {
        log(client, pair, sidecar).await?
    } else {
        let source = Source {
            namespace: pair.namespace,
            pod: &pair.name,
            container,
        };
        loki::lines(client, &source).await?.join("\n")
    };
    Ok(Tally::count(written, lines::numbers(&found, &mark)))
}

async fn log(client: &Client, pair: &Pair, container: &str) -> anyhow::Result<String> {
    let pods = Api::<Pod>::namespaced(client.clone(), pair.namespace);
    let parameters = LogParams {
        container: Some(container.to_owned()),
        ..LogParams::default()
    };
    pods.logs(&pair.name, &parameters)
        .await
        .with_context(|| format!("the log of {}, container {container}", pair.name))
}
