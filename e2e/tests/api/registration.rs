//! Which objects the shipped registrations have the API server send, and which never leave it.

use std::cell::Cell;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tributary_cluster::pki::{Authority, Subject};
use tributary_crds::annotation::{
    DIRECT, INJECT, POLICY, SHIP, STREAM, TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR,
};
use tributary_e2e::receiver::Receiver;

use crate::fixture::{Fixture, eventually};
use crate::install;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial("registration::pods_that_ask_are_sent_and_no_others", pods),
        fixture.trial(
            "registration::templates_that_ask_are_sent_when_they_change",
            templates,
        ),
    ]
}

/// The annotations that ask for something.
const ASKING: [&str; 5] = [STREAM, SHIP, DIRECT, TAIL_OF_LOGGING_OPERATOR, TAILING_SIDECAR];

/// A namespace whose reviews are recorded instead of answered. The API server admits what is not answered.
struct Recorder {
    client: Client,
    namespace: String,
    receiver: Receiver,
}

/// `apps/v1 Deployment`, for example, with its plural.
#[derive(Clone, Copy)]
struct Kind(&'static str, &'static str, &'static str);

const POD: Kind = Kind("v1", "Pod", "pods");
const KINDS: [Kind; 5] = [
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("apps/v1", "StatefulSet", "statefulsets"),
    Kind("apps/v1", "DaemonSet", "daemonsets"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("batch/v1", "CronJob", "cronjobs"),
];

impl Recorder {
    async fn start(fixture: &Fixture, namespace: &str) -> anyhow::Result<Self> {
        let label = [("recorded", namespace)];
        fixture
            .control_plane()
            .create_namespace(namespace, &label)
            .await?;
        let authority = Authority::new("recorder")?;
        let pair = authority.issue(&Subject::server("recorder", &["127.0.0.1"]))?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let receiver = Receiver::start(address, &pair.public, &pair.private).await?;
        let recorder = Self {
            client: fixture.admin(),
            namespace: namespace.to_owned(),
            receiver,
        };
        for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
            recorder.register(kind, authority.certificate()).await?;
        }
        Ok(recorder)
    }

    /// Registers the recorder for the namespace, with everything but the address as the manifests have it.
    async fn register(&self, kind: &str, authority: &str) -> anyhow::Result<()> {
        let mut documents = install::documents()?.into_iter();
        let has_kind =
            |document: &DynamicObject| document.types.as_ref().is_some_and(|types| types.kind == kind);
        let mut shipped = documents
            .find(has_kind)
            .with_context(|| format!("no {kind} is shipped"))?;
        shipped.metadata.name = Some(self.namespace.clone());
        let bundle = k8s_openapi::ByteString(authority.into());
        for entry in shipped.data["webhooks"].as_array_mut().context("no entries")? {
            let path = entry["clientConfig"]["service"]["path"]
                .as_str()
                .context("no path")?;
            let url = format!("https://{}{path}", self.receiver.address());
            entry["clientConfig"] = json!({"url": url, "caBundle": bundle});
            entry["namespaceSelector"]["matchLabels"] = json!({"recorded": self.namespace});
        }
        let types = shipped.types.clone().context("no type")?;
        let resource = ApiResource::from_gvk(&(&types).try_into()?);
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        // The API server compiles the conditions now, and refuses what does not compile.
        api.create(&PostParams::default(), &shipped).await?;
        Ok(())
    }

    fn api(&self, Kind(version, kind, plural): Kind) -> Api<DynamicObject> {
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: if group.is_empty() {
                version.to_owned()
            } else {
                format!("{group}/{version}")
            },
            kind: kind.to_owned(),
            plural: plural.to_owned(),
        };
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    async fn create(&self, kind: Kind, object: Value) -> anyhow::Result<()> {
        let name = object["metadata"]["name"].clone();
        let object: DynamicObject = serde_json::from_value(object)?;
        let created = self.api(kind).create(&PostParams::default(), &object).await;
        created.with_context(|| format!("creating {} {name}", kind.1))?;
        Ok(())
    }

    async fn patch(&self, kind: Kind, name: &str, patch: Value) -> anyhow::Result<()> {
        self.api(kind)
            .patch(name, &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        Ok(())
    }

    /// What was sent to the path: `KIND NAME OPERATION`, in order.
    fn sent(&self, path: &str) -> Vec<String> {
        let deliveries = self.receiver.deliveries().remove(path).unwrap_or_default();
        let reviews = deliveries.into_iter().flat_map(|delivery| delivery.records);
        reviews
            .map(|review| {
                let request = &review["request"];
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                format!(
                    "{} {} {}",
                    text(&request["kind"]["kind"]),
                    text(&request["name"]),
                    text(&request["operation"])
                )
            })
            .collect()
    }

    /// Waits until the API server knows of the registration for this kind. Returns how much was sent until then.
    async fn until_known(&self, kind: Kind, path: &str) -> anyhow::Result<usize> {
        let tries = Cell::new(0);
        eventually("the API server to notice the registration", async || {
            tries.set(tries.get() + 1);
            let name = format!("try-{}", tries.get());
            self.create(kind, object(kind, &name, &asking(STREAM))).await?;
            let sent = self.sent(path);
            let is_this = |line: &String| line.starts_with(&format!("{} try-", kind.1));
            Ok(sent.iter().any(is_this).then_some(sent.len()))
        })
        .await
    }
}

fn pod_spec() -> Value {
    json!({"containers": [{"name": "c", "image": "example.com/c"}], "restartPolicy": "Always"})
}

/// A pod with these annotations, or a workload whose pods carry them.
fn object(Kind(version, kind, _): Kind, name: &str, annotations: &Value) -> Value {
    if kind == "Pod" {
        return json!({"metadata": {"name": name, "annotations": annotations}, "spec": pod_spec()});
    }
    let labels = json!({"app": name});
    let mut template =
        json!({"metadata": {"labels": labels, "annotations": annotations}, "spec": pod_spec()});
    let selector = json!({"matchLabels": labels});
    let spec = match kind {
        "StatefulSet" => json!({"serviceName": name, "selector": selector, "template": template}),
        "Job" | "CronJob" => {
            template["spec"]["restartPolicy"] = json!("Never");
            let job = json!({"template": template});
            if kind == "Job" {
                job
            } else {
                json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}})
            }
        }
        _ => json!({"selector": selector, "template": template}),
    };
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn asking(key: &str) -> Value {
    json!({key: "x"})
}

async fn pods(fixture: Fixture) -> anyhow::Result<()> {
    let recorder = Recorder::start(&fixture, "recorded-pods").await?;
    let path = "/mutate";
    let before = recorder.until_known(POD, path).await?;
    let mut expected = Vec::new();
    for (index, key) in ASKING.into_iter().enumerate() {
        let name = format!("asks-{index}");
        recorder.create(POD, object(POD, &name, &asking(key))).await?;
        expected.push(format!("Pod {name} CREATE"));
    }
    let silent = [
        Value::Null,
        json!({}),
        asking(POLICY),
        asking(INJECT),
        asking("example.com/stream"),
    ];
    for (index, annotations) in silent.iter().enumerate() {
        recorder
            .create(POD, object(POD, &format!("silent-{index}"), annotations))
            .await?;
    }
    // Changes of pods are not looked at.
    recorder
        .patch(
            POD,
            "silent-0",
            json!({"metadata": {"annotations": asking(STREAM)}}),
        )
        .await?;
    let sent = recorder.sent(path).split_off(before);
    ensure!(sent == expected, "{sent:?}");
    Ok(())
}

async fn templates(fixture: Fixture) -> anyhow::Result<()> {
    let recorder = Recorder::start(&fixture, "recorded-templates").await?;
    let path = "/templates";
    for kind in KINDS {
        let before = recorder.until_known(kind, path).await?;
        let mut expected = Vec::new();
        for (index, key) in ASKING.into_iter().enumerate() {
            let name = format!("asks-{index}");
            recorder.create(kind, object(kind, &name, &asking(key))).await?;
            expected.push(format!("{} {name} CREATE", kind.1));
        }
        not_sent(&recorder, kind).await.with_context(|| kind.1)?;
        if kind.1 != "Job" {
            // A Job's template never changes.
            let annotated = json!({"metadata": {"annotations": {"example.com/restarted": "now"}}});
            let template = json!({"template": annotated});
            let spec = if kind.1 == "CronJob" {
                json!({"jobTemplate": {"spec": template}})
            } else {
                template
            };
            recorder.patch(kind, "asks-0", json!({"spec": spec})).await?;
            expected.push(format!("{} asks-0 UPDATE", kind.1));
        }
        let sent = recorder.sent(path).split_off(before);
        ensure!(sent == expected, "{sent:?} and not {expected:?}");
    }
    Ok(())
}

/// Does everything about which nobody is to be asked. `asks-0` and others exist and ask.
async fn not_sent(recorder: &Recorder, kind: Kind) -> anyhow::Result<()> {
    for (name, annotations) in [
        ("no-annotations", Value::Null),
        ("other-annotations", asking(POLICY)),
    ] {
        recorder.create(kind, object(kind, name, &annotations)).await?;
    }
    // The annotation on the workload, and not on its pods.
    let mut misplaced = object(kind, "misplaced", &Value::Null);
    misplaced["metadata"]["annotations"] = asking(STREAM);
    recorder.create(kind, misplaced).await?;
    // Made by a controller, which reads no warnings.
    let owner =
        json!({"apiVersion": "example.com/v1", "kind": "App", "name": "app", "uid": "1", "controller": true});
    let mut made = object(kind, "made-by-a-controller", &asking(STREAM));
    made["metadata"]["ownerReferences"] = json!([owner]);
    recorder.create(kind, made).await?;
    // Labels, scale and status change no pod.
    recorder
        .patch(kind, "asks-1", json!({"metadata": {"labels": {"a": "b"}}}))
        .await?;
    let spec = match kind.1 {
        "Deployment" | "StatefulSet" => json!({"replicas": 3}),
        "Job" | "CronJob" => json!({"suspend": true}),
        _ => json!({"minReadySeconds": 1}),
    };
    recorder.patch(kind, "asks-1", json!({"spec": spec})).await?;
    let found = recorder.api(kind).list(&ListParams::default()).await?;
    ensure!(found.items.len() >= 9, "{} objects", found.items.len());
    Ok(())
}
