//! The real kube-apiserver and etcd.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, ObjectMeta, PostParams},
};
use serde_json::json;
use tributary_cluster::ControlPlane;

fn config_map(name: &str) -> ConfigMap {
    let data = BTreeMap::from([("key".to_owned(), "value".to_owned())]);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    ConfigMap {
        metadata,
        data: Some(data),
        ..ConfigMap::default()
    }
}

async fn names(client: Client) -> Result<Vec<String>, kube::Error> {
    let all: Api<ConfigMap> = Api::namespaced(client, "default");
    Ok(all
        .list(&ListParams::default())
        .await?
        .iter()
        .map(ConfigMap::name_any)
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_keep_their_own_objects() {
    let (one, two) = tokio::join!(ControlPlane::start(), ControlPlane::start());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one.url(), two.url());
    let maps: Api<ConfigMap> = Api::namespaced(one.client(), "default");
    maps.create(&PostParams::default(), &config_map("only-in-one"))
        .await
        .unwrap();
    assert_eq!(names(one.client()).await.unwrap(), ["only-in-one"]);
    assert!(names(two.client()).await.unwrap().is_empty());
    let version = two.client().apiserver_version().await.unwrap();
    assert_eq!(version.git_version, "v1.34.4");
}

#[tokio::test(flavor = "multi_thread")]
async fn service_accounts_and_users_may_do_only_what_rbac_gives_them() {
    let control_plane = ControlPlane::start().await.unwrap();
    control_plane.create_namespace("tenant", &[]).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(control_plane.client(), "tenant");
    assert!(accounts.get_opt("default").await.unwrap().is_some());

    let account = control_plane
        .client_as_service_account("tenant", "default")
        .await
        .unwrap();
    let refused = names(account).await.unwrap_err();
    let kube::Error::Api(status) = &refused else {
        panic!("{refused}")
    };
    assert_eq!(status.code, 403);
    assert!(
        status.message.contains("system:serviceaccount:tenant:default"),
        "{}",
        status.message
    );

    let nobody = control_plane
        .client_as("jane", &["system:authenticated"])
        .await
        .unwrap();
    assert!(names(nobody).await.is_err());
    let master = control_plane
        .client_as("jane", &["system:masters"])
        .await
        .unwrap();
    assert!(names(master).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_admitted_as_in_a_cluster() {
    let control_plane = ControlPlane::start().await.unwrap();
    control_plane
        .create_namespace(
            "restricted",
            &[("pod-security.kubernetes.io/enforce", "restricted")],
        )
        .await
        .unwrap();
    let pods: Api<Pod> = Api::namespaced(control_plane.client(), "restricted");
    let pod = |security: serde_json::Value| -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "counter" },
            "spec": { "containers": [{ "name": "count", "image": "busybox:1.28", "securityContext": security }] },
        }))
        .unwrap()
    };
    let refused = pods
        .create(&PostParams::default(), &pod(json!({ "privileged": true })))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("violates PodSecurity"), "{refused}");
    let allowed = pod(json!({
        "allowPrivilegeEscalation": false,
        "runAsNonRoot": true,
        "capabilities": { "drop": ["ALL"] },
        "seccompProfile": { "type": "RuntimeDefault" },
    }));
    let created = pods.create(&PostParams::default(), &allowed).await.unwrap();
    let spec = created.spec.unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("default"));
}
