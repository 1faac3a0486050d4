//! A control plane of its own, in which the webhook of this process serves under the shipped `ServiceAccount`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use http::{Request, Response};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams, PostParams};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tributary_cluster::ControlPlane;
use tributary_cluster::pki::{Authority, Subject};
use tributary_crds::LoggingPolicy;
use tributary_crds::names::{SYSTEM_NAMESPACE, WEBHOOK_CERTIFICATE_SECRET, WEBHOOK_CONFIGURATION};
use tributary_webhook::run::{Options, Webhook};

use super::corpus;
use crate::fixture::eventually;
use crate::install;

/// The image of sidecars here.
pub const IMAGE: &str = "example.com/tributary:test";

/// Ends with its value.
pub struct Stage {
    pub control_plane: ControlPlane,
    pub url: String,
    pub authority: Authority,
    admin: SocketAddr,
    webhook: JoinHandle<()>,
}

impl Stage {
    pub async fn start() -> anyhow::Result<Self> {
        let control_plane = ControlPlane::start().await?;
        let client = control_plane.client();
        install::apply(&client).await?;
        for policy in corpus::policies()? {
            Api::<LoggingPolicy>::all(client.clone())
                .create(&PostParams::default(), &policy)
                .await?;
        }
        let authority = Authority::new("webhook")?;

        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: ([127, 0, 0, 1], 0).into(),
            streamer_image: IMAGE.to_owned(),
            namespace: SYSTEM_NAMESPACE.to_owned(),
            log_json: false,
        };
        let webhook = Webhook::bind(options).await?;
        let (address, admin) = (webhook.address()?, webhook.admin_address()?);
        let account = control_plane
            .client_as_service_account(SYSTEM_NAMESPACE, "tributary-webhook")
            .await?;
        let webhook = tokio::spawn(async move {
            if let Err(error) = webhook.serve(account, std::future::pending()).await {
                eprintln!("the webhook ended: {error}");
            }
        });
        let url = format!("https://{address}/mutate");
        let stage = Self {
            control_plane,
            url,
            authority,
            admin,
            webhook,
        };
        stage.rotate().await?;
        eventually("the webhook to be ready", || stage.when_ready()).await?;
        stage.register(WEBHOOK_CONFIGURATION, &stage.url).await?;
        Ok(stage)
    }

    pub fn client(&self) -> Client {
        self.control_plane.client()
    }

    /// Writes a new certificate of the same authority into the Secret that the webhook serves from.
    pub async fn rotate(&self) -> anyhow::Result<()> {
        let pair = self
            .authority
            .issue(&Subject::server("webhook", &["127.0.0.1"]))?;
        let data = [("tls.crt", pair.public), ("tls.key", pair.private)];
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(WEBHOOK_CERTIFICATE_SECRET.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(
                data.into_iter()
                    .map(|(key, pem)| (key.to_owned(), ByteString(pem.into_bytes())))
                    .collect(),
            ),
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.client(), SYSTEM_NAMESPACE);
        let apply = PatchParams::apply("test").force();
        secrets
            .patch(WEBHOOK_CERTIFICATE_SECRET, &apply, &Patch::Apply(secret))
            .await?;
        Ok(())
    }

    /// Registers a webhook at an address, with everything else as the manifests have it.
    pub async fn register(&self, name: &str, url: &str) -> anyhow::Result<()> {
        let shipped = install::documents()?.into_iter().find(|document| {
            document
                .types
                .as_ref()
                .is_some_and(|types| types.kind == "MutatingWebhookConfiguration")
        });
        let mut configuration: MutatingWebhookConfiguration = serde_json::from_value(serde_json::to_value(
            shipped.context("the manifests register the webhook")?,
        )?)?;
        configuration.metadata = ObjectMeta {
            name: Some(name.to_owned()),
            labels: configuration.metadata.labels,
            ..ObjectMeta::default()
        };
        for webhook in configuration.webhooks.iter_mut().flatten() {
            webhook.client_config.service = None;
            webhook.client_config.url = Some(url.to_owned());
            webhook.client_config.ca_bundle = Some(ByteString(self.authority.certificate().into()));
            if name != WEBHOOK_CONFIGURATION {
                let selector = webhook.namespace_selector.get_or_insert_default();
                selector.match_labels = Some(BTreeMap::from([("webhook".to_owned(), name.to_owned())]));
            }
        }
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client());
        if name == WEBHOOK_CONFIGURATION {
            api.delete(name, &kube::api::DeleteParams::default()).await?;
        }
        api.create(&PostParams::default(), &configuration).await?;
        Ok(())
    }

    async fn when_ready(&self) -> anyhow::Result<Option<()>> {
        Ok(self
            .admin("/readyz")
            .await?
            .starts_with("HTTP/1.1 200")
            .then_some(()))
    }

    async fn admin(&self, path: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// Creates a pod for real, or only as far as admission goes.
    pub async fn create(&self, pod: &Value, really: bool) -> anyhow::Result<Admission> {
        let namespace = pod["metadata"]["namespace"]
            .as_str()
            .context("a pod has a namespace")?;
        let query = if really { "" } else { "?dryRun=All" };
        let request = Request::post(format!("/api/v1/namespaces/{namespace}/pods{query}"))
            .header("content-type", "application/json")
            .body(Body::from(serde_json::to_vec(pod)?))?;
        let response = self.client().send(request).await?;
        Admission::read(response).await
    }

    /// Waits until the API server calls the webhook for this pod: it notices a registration after a moment.
    pub async fn until_called(&self, pod: &Value) -> anyhow::Result<()> {
        eventually("the API server to call the webhook", async || {
            let admission = self.create(pod, false).await?;
            ensure!(admission.admitted, "{}", admission.pod["message"]);
            Ok((!admission.sidecars().is_empty()).then_some(()))
        })
        .await
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.webhook.abort();
    }
}

/// What the API server answered.
#[derive(Debug)]
pub struct Admission {
    pub admitted: bool,
    /// The pod, or the reason why there is none.
    pub pod: Value,
    /// Warnings of ours, in order.
    pub warnings: Vec<String>,
}

impl Admission {
    pub async fn read(response: Response<Body>) -> anyhow::Result<Self> {
        let admitted = response.status().is_success();
        let headers = response.headers().get_all("warning").iter();
        let warnings = headers
            .filter_map(|value| {
                let text = std::str::from_utf8(value.as_bytes()).ok()?;
                let quoted = text.strip_prefix("299 - \"")?.strip_suffix('"')?;
                let warning = quoted.replace("\\\"", "\"").replace("\\\\", "\\");
                warning.starts_with("tributary: ").then_some(warning)
            })
            .collect();
        let body = response.into_body().collect_bytes().await?;
        Ok(Self {
            admitted,
            pod: serde_json::from_slice(&body).unwrap_or(json!({})),
            warnings,
        })
    }

    /// The pod's quality of service class, as the API server derives it.
    pub fn quality_of_service(&self) -> Option<&str> {
        self.pod["status"]["qosClass"].as_str()
    }

    /// The names of our sidecars in the pod.
    pub fn sidecars(&self) -> Vec<&str> {
        let containers = self.pod["spec"]["initContainers"]
            .as_array()
            .into_iter()
            .flatten();
        let ours = containers.filter(|container| container["command"][0] == "/tributary-streamer");
        ours.filter_map(|container| container["name"].as_str()).collect()
    }
}
