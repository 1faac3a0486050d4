//! `tributary inject` against the real admission: what it prints offline is what comes out there.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::LimitRange;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tempfile::TempDir;
use tributary_crds::annotation;

use super::corpus;
use super::stage::{Admission, IMAGE, Stage};

/// The annotations by which a pod asks; without them it does not come to the webhook.
const ASKING: [&str; 5] = [
    annotation::STREAM,
    annotation::SHIP,
    annotation::DIRECT,
    annotation::TAIL_OF_LOGGING_OPERATOR,
    annotation::TAILING_SIDECAR,
];

pub async fn offline_is_as_admitted(stage: &Stage) -> anyhow::Result<()> {
    let namespace = "offline";
    stage.control_plane.create_namespace(namespace, &[]).await?;
    let compared = compare_corpus(stage, namespace, None).await?;
    ensure!(
        compared >= 110,
        "only {compared} pods of the corpus could be compared"
    );
    Ok(())
}

pub async fn offline_is_as_admitted_under_limits(stage: &Stage) -> anyhow::Result<()> {
    let namespace = "offline-limited";
    stage.control_plane.create_namespace(namespace, &[]).await?;
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small", "namespace": namespace},
        "spec": {"limits": [{
            "type": "Container", "max": {"memory": "4Gi"}, "default": {"memory": "20Mi", "cpu": "50m"},
            "defaultRequest": {"cpu": "20m"}, "min": {"cpu": "1m"}, "maxLimitRequestRatio": {"cpu": "10"}
        }]}
    });
    let ranges: Api<LimitRange> = Api::namespaced(stage.client(), namespace);
    ranges
        .create(&PostParams::default(), &serde_json::from_value(range.clone())?)
        .await?;
    let compared = compare_corpus(stage, namespace, Some(&range)).await?;
    ensure!(
        compared >= 100,
        "only {compared} pods of the corpus could be compared"
    );
    Ok(())
}

/// Compares every pod that the API server takes. Returns how many those are.
async fn compare_corpus(stage: &Stage, namespace: &str, limits: Option<&Value>) -> anyhow::Result<usize> {
    let desk = TempDir::new()?;
    let items: Vec<Value> = corpus::policies()?
        .iter()
        .map(serde_json::to_value)
        .chain(limits.cloned().map(Ok))
        .collect::<Result<_, _>>()?;
    let cluster = desk.path().join("cluster.json");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    fs::write(&cluster, list.to_string())?;

    let in_namespace = |mut pod: Value| {
        pod["metadata"]["namespace"] = namespace.into();
        // The volume of the token has another name each time, and is before or after ours.
        pod["spec"]["automountServiceAccountToken"] = false.into();
        pod
    };
    stage
        .until_called(&in_namespace(corpus::pods()?["sub-path"].clone()))
        .await?;
    let mut compared = 0;
    for (name, pod) in corpus::pods()? {
        let pod = in_namespace(pod);
        if stage.create(&not_asking(pod.clone()), false).await?.admitted {
            compared += 1;
            let file = desk.path().join("pod.json");
            fs::write(&file, pod.to_string())?;
            compare(stage, &pod, &Offline::new(&file, &cluster)?)
                .await
                .context(name)?;
        }
    }
    Ok(compared)
}

/// What the program printed.
struct Offline {
    pod: Value,
    warnings: Vec<String>,
}

impl Offline {
    fn new(pod: &Path, cluster: &Path) -> anyhow::Result<Self> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let arguments = ["tributary", "inject", "--streamer-image", IMAGE, "-f"];
        let arguments = arguments.map(Into::into).into_iter();
        let files = [pod.into(), "--policies".into(), cluster.into()];
        let status = tributary_cli::run(
            arguments.chain(files),
            &mut std::io::empty(),
            &mut stdout,
            &mut stderr,
        );
        let stderr = String::from_utf8(stderr)?;
        ensure!(status != tributary_cli::UNUSABLE, "{stderr}");
        let warnings = stderr.lines().filter_map(|line| line.strip_prefix("Warning: "));
        Ok(Self {
            pod: serde_saphyr::from_slice(&stdout)?,
            warnings: warnings.map(str::to_owned).collect(),
        })
    }
}

/// The pod, admitted with the webhook, is the offline one, admitted without it. Both have the API server's defaults then, also
/// those of `LimitRanger`: the API server runs its own plugins again after a webhook's patch.
async fn compare(stage: &Stage, pod: &Value, offline: &Offline) -> anyhow::Result<()> {
    let online = stage.create(pod, false).await?;
    ensure!(online.admitted, "online: {}", online.pod["message"]);
    let admitted = stage.create(&not_asking(offline.pod.clone()), false).await?;
    ensure!(admitted.admitted, "offline: {}", admitted.pod["message"]);
    ensure!(admitted.warnings.is_empty(), "it came to the webhook");
    let (expected, found) = (decided(&online), decided(&admitted));
    let differing = expected
        .lines()
        .zip(found.lines())
        .find(|(online, offline)| online != offline);
    ensure!(
        expected == found,
        "they differ in {differing:?}; online:\n{expected}\noffline:\n{found}"
    );

    let (mut expected, mut found) = (online.warnings.clone(), offline.warnings.clone());
    // The API server shows each warning once.
    for warnings in [&mut expected, &mut found] {
        warnings.sort();
        warnings.dedup();
    }
    ensure!(
        expected == found,
        "warnings online {expected:#?}, offline {found:#?}"
    );
    Ok(())
}

/// The text of all that admission may have a say in, without what asks for it.
fn decided(admission: &Admission) -> String {
    let mut pod = not_asking(admission.pod.clone());
    let metadata = &pod["metadata"];
    let metadata = json!({"labels": metadata["labels"], "annotations": metadata["annotations"]});
    let document = json!({"metadata": metadata, "spec": pod["spec"].take()});
    format!("{document:#}")
}

/// The same pod, not asking.
fn not_asking(mut pod: Value) -> Value {
    if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
        annotations.retain(|key, _| !ASKING.contains(&key.as_str()));
    }
    pod
}
