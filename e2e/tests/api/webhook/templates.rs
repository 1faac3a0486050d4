//! Authors of workloads are told what their pods will get, by the shipped registration and nothing else.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};
use http::{Method, Request};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::api::{Api, DeleteParams, ObjectMeta, PostParams};
use kube::client::Body;
use serde_json::{Value, json};
use tributary_cluster::{Component, Progress, components};
use tributary_crds::names::WEBHOOK_CONFIGURATION;
use tributary_e2e::kubectl::Kubectl;

use super::corpus;
use super::stage::{Admission, Stage};
use crate::fixture::eventually;
use crate::install;

const NAMESPACE: &str = "templates";

/// A kind of workload, and where its objects are.
struct Workload {
    api: &'static str,
    kind: &'static str,
    plural: &'static str,
}

const WORKLOADS: [Workload; 5] = [
    Workload {
        api: "apps/v1",
        kind: "Deployment",
        plural: "deployments",
    },
    Workload {
        api: "apps/v1",
        kind: "StatefulSet",
        plural: "statefulsets",
    },
    Workload {
        api: "apps/v1",
        kind: "DaemonSet",
        plural: "daemonsets",
    },
    Workload {
        api: "batch/v1",
        kind: "Job",
        plural: "jobs",
    },
    Workload {
        api: "batch/v1",
        kind: "CronJob",
        plural: "cronjobs",
    },
];

pub async fn authors_are_told_what_pods_will_get(stage: &Stage) -> anyhow::Result<()> {
    stage.control_plane.create_namespace(NAMESPACE, &[]).await?;
    register(stage).await?;
    until_called(stage).await?;
    for workload in &WORKLOADS {
        workload.check(stage).await.context(workload.kind)?;
    }
    pods_of_claims_and_indices(stage).await?;
    jobs_of_cron_jobs(stage).await?;
    kubectl_prints_what_the_documentation_says(stage).await
}

impl Workload {
    /// Creates one, relabels it, and changes its template.
    async fn check(&self, stage: &Stage) -> anyhow::Result<()> {
        let wrong = self.object("wrong", &template("/elsewhere/a.log"));
        let created = self.create(stage, &wrong, "").await?;
        ensure!(created.admitted, "{}", created.pod["message"]);
        ensure!(
            created.warnings == expected(stage, "/elsewhere/a.log").await?,
            "warned {:#?}",
            created.warnings
        );
        let plain = self
            .create(
                stage,
                &self.object("plain", &corpus::unannotated(template("/a"))),
                "",
            )
            .await?;
        ensure!(plain.warnings.is_empty(), "warned {:#?}", plain.warnings);
        let (with, without) = (self.pods(&created.pod), self.pods(&plain.pod));
        ensure!(
            with["spec"] == without["spec"],
            "the template is changed: {with}, without annotations {without}"
        );
        ensure!(with["metadata"]["annotations"] == json!({"tributary.dev/stream": "/elsewhere/a.log"}));

        let relabelled = self
            .patch(stage, "wrong", &json!({"metadata": {"labels": {"a": "b"}}}))
            .await?;
        ensure!(relabelled.admitted, "{}", relabelled.pod["message"]);
        ensure!(
            relabelled.warnings.is_empty(),
            "warned {:#?}",
            relabelled.warnings
        );
        if self.kind != "Job" {
            let other = self.object("wrong", &template("/other/a.log"));
            let changed = self
                .patch(stage, "wrong", &json!({"spec": other["spec"]}))
                .await?;
            ensure!(changed.admitted, "{}", changed.pod["message"]);
            ensure!(changed.warnings == expected(stage, "/other/a.log").await?);
        }

        let right = self.object("right", &template("/logs/a.log"));
        let created = self.create(stage, &right, "?dryRun=All").await?;
        ensure!(created.admitted, "{}", created.pod["message"]);
        ensure!(created.warnings.is_empty(), "warned {:#?}", created.warnings);
        Ok(())
    }

    fn object(&self, name: &str, template: &Value) -> Value {
        let mut template = template.clone();
        let policy = if self.api == "batch/v1" { "Never" } else { "Always" };
        template["spec"]["restartPolicy"] = policy.into();
        let spec = match self.kind {
            "Job" => json!({"template": template}),
            "CronJob" => json!({"schedule": "@yearly", "jobTemplate": {"spec": {"template": template}}}),
            "StatefulSet" => {
                json!({"serviceName": "s", "selector": {"matchLabels": {"app": "a"}}, "template": template})
            }
            _ => json!({"selector": {"matchLabels": {"app": "a"}}, "template": template}),
        };
        json!({"apiVersion": self.api, "kind": self.kind, "metadata": {"name": name}, "spec": spec})
    }

    /// The template of an object.
    fn pods<'o>(&self, object: &'o Value) -> &'o Value {
        match self.kind {
            "CronJob" => &object["spec"]["jobTemplate"]["spec"]["template"],
            _ => &object["spec"]["template"],
        }
    }

    async fn create(&self, stage: &Stage, object: &Value, query: &str) -> anyhow::Result<Admission> {
        let path = format!("/apis/{}/namespaces/{NAMESPACE}/{}{query}", self.api, self.plural);
        send(stage, Method::POST, &path, "application/json", object).await
    }

    async fn patch(&self, stage: &Stage, name: &str, changes: &Value) -> anyhow::Result<Admission> {
        let path = format!("/apis/{}/namespaces/{NAMESPACE}/{}/{name}", self.api, self.plural);
        send(
            stage,
            Method::PATCH,
            &path,
            "application/merge-patch+json",
            changes,
        )
        .await
    }
}

/// A template of pods that log to this file and mount a volume at `/logs`.
fn template(file: &str) -> Value {
    let mounts = json!([{"name": "logs", "mountPath": "/logs"}]);
    let container = json!({"name": "app", "image": "app", "securityContext": {"runAsUser": 1000}, "volumeMounts": mounts});
    json!({
        "metadata": {"labels": {"app": "a"}, "annotations": {"tributary.dev/stream": file}},
        "spec": {"containers": [container], "volumes": [{"name": "logs", "emptyDir": {}}]}
    })
}

/// What the API server warns of when a pod of that template is created; something.
async fn expected(stage: &Stage, file: &str) -> anyhow::Result<Vec<String>> {
    let mut pod = template(file);
    pod["metadata"]["name"] = "pod".into();
    pod["metadata"]["namespace"] = NAMESPACE.into();
    let pod = stage.create(&pod, false).await?;
    ensure!(pod.admitted, "{}", pod.pod["message"]);
    ensure!(!pod.warnings.is_empty(), "the pod is not warned of");
    Ok(pod.warnings)
}

/// What a controller adds to the pods is known: no warning about a volume or a variable that only it makes.
async fn pods_of_claims_and_indices(stage: &Stage) -> anyhow::Result<()> {
    let [_, set, _, job, _] = &WORKLOADS;
    let mut claimed = template("/logs/a.log");
    claimed["spec"]["volumes"] = json!([]);
    let mut object = set.object("claimed", &claimed);
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    object["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "logs"}, "spec": claim}]);
    let claimed = set.create(stage, &object, "?dryRun=All").await?;

    let mut indexed = template("/logs/a.log");
    indexed["spec"]["containers"][0]["volumeMounts"][0]["subPathExpr"] = "$(JOB_COMPLETION_INDEX)".into();
    let mut object = job.object("indexed", &indexed);
    object["spec"]["completionMode"] = "Indexed".into();
    object["spec"]["completions"] = 2.into();
    let indexed = job.create(stage, &object, "?dryRun=All").await?;
    for admission in [claimed, indexed] {
        ensure!(admission.admitted, "{}", admission.pod["message"]);
        ensure!(admission.warnings.is_empty(), "warned {:#?}", admission.warnings);
    }
    Ok(())
}

/// The Jobs that a controller makes have no author who would read a warning.
async fn jobs_of_cron_jobs(stage: &Stage) -> anyhow::Result<()> {
    let [.., job, cron_job] = &WORKLOADS;
    let mut object = job.object("of-cron-job", &template("/elsewhere/a.log"));
    let owner = json!({"apiVersion": cron_job.api, "kind": cron_job.kind, "name": "wrong", "uid": "1", "controller": true});
    object["metadata"]["ownerReferences"] = json!([owner]);
    let made = job.create(stage, &object, "?dryRun=All").await?;
    ensure!(made.admitted, "{}", made.pod["message"]);
    ensure!(made.warnings.is_empty(), "warned {:#?}", made.warnings);
    Ok(())
}

/// The page of the command line shows `kubectl apply` of a file that it holds.
async fn kubectl_prints_what_the_documentation_says(stage: &Stage) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = fs::read_to_string(&path)?;
    let between = |begin: &str, end: &str| {
        let (_, after) = page.split_once(begin)?;
        after.split_once(end).map(|(text, _)| text)
    };
    let manifest = between("`web.yaml`:\n\n```yaml\n", "```").context("the page has web.yaml")?;
    let shown = between("$ kubectl apply -f web.yaml\n", "```").context("the page applies web.yaml")?;

    stage.control_plane.create_namespace("shop", &[]).await?;
    let programs = components::ensure(&[Component::Kubectl], &Progress::stderr()).await?;
    let kubectl = Kubectl::with_kubeconfig(
        programs.path(Component::Kubectl),
        &stage.control_plane.kubeconfig(),
    );
    let output = kubectl.apply(manifest).await?;
    let printed = output.stderr + &output.stdout;
    ensure!(
        printed == shown,
        "kubectl prints\n{printed}and the page says\n{shown}"
    );
    Ok(())
}

async fn send(
    stage: &Stage,
    method: Method,
    path: &str,
    content: &str,
    body: &Value,
) -> anyhow::Result<Admission> {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", content);
    let request = request.body(Body::from(serde_json::to_vec(body)?))?;
    Admission::read(stage.client().send(request).await?).await
}

/// Registers the webhook of the stage for workloads, with everything but its address as the manifests have it.
async fn register(stage: &Stage) -> anyhow::Result<()> {
    let is_ours = |types: &kube::core::TypeMeta| types.kind == "ValidatingWebhookConfiguration";
    let shipped = install::documents()?
        .into_iter()
        .find(|document| document.types.as_ref().is_some_and(is_ours));
    let shipped = serde_json::to_value(shipped.context("the manifests register the webhook for workloads")?)?;
    let mut configuration: ValidatingWebhookConfiguration = serde_json::from_value(shipped)?;
    configuration.metadata = ObjectMeta {
        name: configuration.metadata.name,
        ..ObjectMeta::default()
    };
    for webhook in configuration.webhooks.iter_mut().flatten() {
        let service = webhook
            .client_config
            .service
            .take()
            .context("the manifests name the service")?;
        let url = stage.url.replace("/mutate", &service.path.unwrap_or_default());
        webhook.client_config.url = Some(url);
        webhook.client_config.ca_bundle = Some(ByteString(stage.authority.certificate().into()));
    }
    let api: Api<ValidatingWebhookConfiguration> = Api::all(stage.client());
    api.delete(WEBHOOK_CONFIGURATION, &DeleteParams::default())
        .await?;
    api.create(&PostParams::default(), &configuration).await?;
    Ok(())
}

/// Waits until both registrations are noticed, for every kind.
async fn until_called(stage: &Stage) -> anyhow::Result<()> {
    let mut pod = template("/logs/a.log");
    pod["metadata"]["name"] = "first".into();
    pod["metadata"]["namespace"] = NAMESPACE.into();
    stage.until_called(&pod).await?;
    for workload in &WORKLOADS {
        let object = workload.object("first", &template("/elsewhere/a.log"));
        eventually("the API server to ask about workloads", async || {
            let admission = workload.create(stage, &object, "?dryRun=All").await?;
            ensure!(admission.admitted, "{}", admission.pod["message"]);
            Ok((!admission.warnings.is_empty()).then_some(()))
        })
        .await?;
    }
    Ok(())
}
