//! `manifests/install.yaml`, applied as a user applies it.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Client, ResourceExt as _};
use libtest_mimic::Trial;
use tributary_crds::names::SYSTEM_NAMESPACE;

use crate::fixture::Fixture;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![fixture.trial(
        "install::our_pods_pass_pod_security_restricted",
        our_pods_pass_pod_security_restricted,
    )]
}

/// The documents of the generated file.
pub fn documents() -> anyhow::Result<Vec<DynamicObject>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../manifests/install.yaml");
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    serde_saphyr::from_multiple(&text).with_context(|| format!("parsing {path}"))
}

/// Applies everything, in order.
pub async fn apply(client: &Client) -> anyhow::Result<()> {
    apply_all(client, documents()?).await
}

/// Applies these, in order.
pub async fn apply_all(client: &Client, documents: Vec<DynamicObject>) -> anyhow::Result<()> {
    for document in documents {
        let name = document.name_any();
        let types = document
            .types
            .clone()
            .with_context(|| format!("{name} has no kind"))?;
        apply_one(client, &document, &types)
            .await
            .with_context(|| format!("applying {} {name}", types.kind))?;
        if types.kind == "CustomResourceDefinition" {
            let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
            let established = await_condition(crds, &name, conditions::is_crd_established());
            tokio::time::timeout(Duration::from_secs(30), established)
                .await
                .context("establishing the CRD")??;
        }
    }
    Ok(())
}

async fn apply_one(client: &Client, document: &DynamicObject, types: &TypeMeta) -> anyhow::Result<()> {
    let kind = GroupVersionKind::try_from(types)?;
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match document.namespace() {
        Some(namespace) => Api::namespaced_with(client.clone(), &namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    api.patch(
        &document.name_any(),
        &PatchParams::apply("install"),
        &Patch::Apply(document),
    )
    .await?;
    Ok(())
}

/// The API server itself judges the pods that our Deployments would make, in the namespace that enforces the profile.
async fn our_pods_pass_pod_security_restricted(fixture: Fixture) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(fixture.admin(), SYSTEM_NAMESPACE);
    let pods: Api<Pod> = Api::namespaced(fixture.admin(), SYSTEM_NAMESPACE);
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let found = deployments.list(&kube::api::ListParams::default()).await?.items;
    ensure!(found.len() == 2, "operator and webhook, not {}", found.len());
    for deployment in found {
        let name = deployment.name_any();
        let template = deployment.spec.context("a Deployment without spec")?.template;
        let mut pod = Pod {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                ..template.metadata.unwrap_or_default()
            },
            spec: template.spec,
            status: None,
        };
        pods.create(&dry_run, &pod)
            .await
            .with_context(|| format!("a pod of {name}"))?;
        // That the profile is enforced here at all:
        pod.spec.as_mut().context("a template without spec")?.host_network = Some(true);
        match pods.create(&dry_run, &pod).await {
            Err(kube::Error::Api(status)) if status.message.contains("violates PodSecurity") => {}
            other => bail!("a pod of {name} with hostNetwork was not refused: {other:?}"),
        }
    }
    Ok(())
}
