//! Certificates that somebody else makes, as cert-manager does: the overlay, the operator that keeps away, the webhook that
//! serves what it is given.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser as _;
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Api, DynamicObject, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use libtest_mimic::Trial;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use serde_json::{Value, json};
use tributary_cluster::pki::{Authority, Pair, Subject};
use tributary_cluster::{Component, ControlPlane, Progress, components};
use tributary_crds::LoggingPolicy;
use tributary_crds::names::{
    SYSTEM_NAMESPACE, WEBHOOK_CA_SECRET, WEBHOOK_CERTIFICATE_SECRET, WEBHOOK_CONFIGURATION,
};
use tributary_e2e::kubectl::Kubectl;
use tributary_webhook::run::{Options, Webhook};

use crate::belongings::find;
use crate::fixture::{Fixture, eventually};
use crate::install;

pub fn trials(fixture: &Fixture) -> Vec<Trial> {
    vec![
        fixture.trial(
            "certificates::the_overlay_changes_nothing_else",
            the_overlay_changes_nothing_else,
        ),
        fixture.trial(
            "certificates::an_operator_without_the_rights_keeps_away",
            an_operator_without_the_rights_keeps_away,
        ),
        fixture.trial(
            "certificates::a_new_certificate_is_served_and_fails_no_admission",
            a_new_certificate_is_served,
        ),
    ]
}

/// The name by which the API server calls the webhook.
const SERVER: &str = "tributary-webhook.tributary-system.svc";

/// Objects by `KIND NAMESPACE/NAME`.
type Objects = BTreeMap<String, Value>;

/// What `kubectl kustomize` makes of a directory below `manifests`, in the order in which it can be applied.
async fn rendered(directory: &str) -> anyhow::Result<Vec<Value>> {
    let programs = components::ensure(&[Component::Kubectl], &Progress::stderr()).await?;
    // It talks to no cluster.
    let kubectl = Kubectl::with_kubeconfig(programs.path(Component::Kubectl), Path::new("/dev/null"));
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../manifests")
        .join(directory);
    let text = kubectl
        .run(&["kustomize", &directory.to_string_lossy()])
        .await?
        .stdout;
    Ok(serde_saphyr::from_multiple(&text)?)
}

fn by_name(documents: Vec<Value>) -> Objects {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |object: &Value| {
        let metadata = &object["metadata"];
        format!(
            "{} {}/{}",
            text(&object["kind"]),
            text(&metadata["namespace"]),
            text(&metadata["name"])
        )
    };
    documents
        .into_iter()
        .map(|object| (key(&object), object))
        .collect()
}

async fn the_overlay_changes_nothing_else(_: Fixture) -> anyhow::Result<()> {
    let (base, overlay) = (
        by_name(rendered("base").await?),
        by_name(rendered("overlays/cert-manager").await?),
    );
    let keys = |objects: &Objects| objects.keys().cloned().collect::<BTreeSet<_>>();
    let removed: Vec<String> = keys(&base).difference(&keys(&overlay)).cloned().collect();
    let rights = "tributary-operator-certificates";
    ensure!(
        removed
            == [
                format!("ClusterRole /{rights}"),
                format!("ClusterRoleBinding /{rights}"),
                format!("Role tributary-system/{rights}"),
                format!("RoleBinding tributary-system/{rights}"),
            ],
        "{removed:?}"
    );
    let added: Vec<String> = keys(&overlay).difference(&keys(&base)).cloned().collect();
    ensure!(
        added
            == [
                "Certificate tributary-system/tributary-webhook",
                "Certificate tributary-system/tributary-webhook-issuer",
                "Issuer tributary-system/tributary-webhook",
                "Issuer tributary-system/tributary-webhook-root",
            ],
        "{added:?}"
    );
    let mut expected = base.clone();
    expected.retain(|key, _| !removed.contains(key));
    for kind in ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"] {
        let from = json!({"cert-manager.io/inject-ca-from": "tributary-system/tributary-webhook"});
        expected.get_mut(&format!("{kind} /tributary")).context(kind)?["metadata"]["annotations"] = from;
    }
    let operator = "Deployment tributary-system/tributary-operator";
    let container =
        &mut expected.get_mut(operator).context(operator)?["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array_mut().context("no args")?;
    arguments.push(json!("--external-certificates"));
    let mut found = overlay.clone();
    found.retain(|key, _| !added.contains(key));
    ensure!(found == expected, "something else differs");

    // What cert-manager makes is what the webhook serves, under the name by which it is called.
    let certificate = &overlay["Certificate tributary-system/tributary-webhook"]["spec"];
    ensure!(
        certificate["secretName"] == WEBHOOK_CERTIFICATE_SECRET && certificate["dnsNames"] == json!([SERVER])
    );
    Ok(())
}

/// Applies the overlay to a control plane of its own, without cert-manager.
async fn installed() -> anyhow::Result<ControlPlane> {
    let control_plane = ControlPlane::start().await?;
    let objects = rendered("overlays/cert-manager").await?.into_iter();
    let ours = objects.filter(|object| object["apiVersion"] != "cert-manager.io/v1");
    let ours = ours
        .map(serde_json::from_value)
        .collect::<Result<Vec<DynamicObject>, _>>()?;
    install::apply_all(&control_plane.client(), ours).await?;
    Ok(control_plane)
}

async fn an_operator_without_the_rights_keeps_away(_: Fixture) -> anyhow::Result<()> {
    let control_plane = installed().await?;
    let admin = control_plane.client();
    let account = control_plane
        .client_as_service_account(SYSTEM_NAMESPACE, "tributary-operator")
        .await?;
    // The rights are gone: it could not, if it tried.
    let secrets: Api<Secret> = Api::namespaced(account.clone(), SYSTEM_NAMESPACE);
    let configurations: Api<MutatingWebhookConfiguration> = Api::all(account.clone());
    for refused in [
        secrets.get(WEBHOOK_CERTIFICATE_SECRET).await.err(),
        secrets
            .create(&PostParams::default(), &Secret::default())
            .await
            .err(),
        configurations.get(WEBHOOK_CONFIGURATION).await.err(),
    ] {
        ensure!(
            matches!(&refused, Some(kube::Error::Api(status)) if status.code == 403),
            "{refused:?}"
        );
    }
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let admin_listen = free_address()?;
    let options = tributary_operator::run::Options::try_parse_from([
        "tributary-operator",
        "--identity=external",
        "--external-certificates",
        "--look-at-pods-every=1",
        &format!("--admin-listen={admin_listen}"),
    ])?;
    let operator = tokio::spawn(tributary_operator::run::run(account, options, async move {
        let _ = stopped.await;
    }));
    let policies: Api<LoggingPolicy> = Api::all(admin.clone());
    let policy =
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"streamingSidecar": {}}}))?;
    policies.create(&PostParams::default(), &policy).await?;
    eventually("the policy to be ready and its pods counted", async || {
        let policy = policies.get("p").await?;
        let counted = policy
            .status
            .as_ref()
            .is_some_and(|status| status.injection.is_some());
        Ok((counted && find(&policy, "Ready").is_some_and(|ready| ready.0 == "True")).then_some(()))
    })
    .await?;
    let metrics = scrape(admin_listen).await?;
    let failures: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("tributary_operator_failures_total"))
        .collect();
    ensure!(
        failures.is_empty(),
        "it tried something that it may not: {failures:?}"
    );
    let _ = stop.send(());
    operator.await??;

    let secrets: Api<Secret> = Api::namespaced(admin.clone(), SYSTEM_NAMESPACE);
    for name in [WEBHOOK_CA_SECRET, WEBHOOK_CERTIFICATE_SECRET] {
        ensure!(secrets.get_opt(name).await?.is_none(), "{name} was made");
    }
    let configuration = Api::<MutatingWebhookConfiguration>::all(admin)
        .get(WEBHOOK_CONFIGURATION)
        .await?;
    let writers: Vec<_> = configuration
        .managed_fields()
        .iter()
        .map(|entry| &entry.manager)
        .collect();
    ensure!(writers.len() == 1, "{writers:?}");
    Ok(())
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn scrape(address: SocketAddr) -> anyhow::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The webhook, run in this process under its shipped `ServiceAccount`, and everything that it serves with.
struct Served {
    client: Client,
    address: SocketAddr,
}

impl Served {
    /// Writes the Secret as cert-manager does.
    async fn write(&self, pair: &Pair, authority: &str) -> anyhow::Result<()> {
        let data = [
            ("ca.crt", authority),
            ("tls.crt", &pair.public),
            ("tls.key", &pair.private),
        ];
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(WEBHOOK_CERTIFICATE_SECRET.to_owned()),
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(
                data.map(|(key, text)| (key.to_owned(), ByteString(text.into())))
                    .into(),
            ),
            ..Secret::default()
        };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), SYSTEM_NAMESPACE);
        let apply = PatchParams::apply("cert-manager-certificates").force();
        secrets
            .patch(WEBHOOK_CERTIFICATE_SECRET, &apply, &Patch::Apply(secret))
            .await?;
        Ok(())
    }

    /// Has the API server call the webhook, and trust these authorities.
    async fn trust(&self, authorities: &[&Authority]) -> anyhow::Result<()> {
        let bundle: String = authorities
            .iter()
            .map(|authority| authority.certificate())
            .collect();
        let client =
            json!({"url": format!("https://{}/mutate", self.address), "caBundle": ByteString(bundle.into())});
        let patch = json!([
            {"op": "add", "path": "/webhooks/0/clientConfig", "value": client},
        ]);
        let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
        Api::<MutatingWebhookConfiguration>::all(self.client.clone())
            .patch(WEBHOOK_CONFIGURATION, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits until a new connection, by somebody who trusts this authority alone, is answered with this certificate.
    async fn until_served(&self, pair: &Pair, authority: &Authority) -> anyhow::Result<()> {
        let expected = CertificateDer::from_pem_slice(pair.public.as_bytes())?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(
            authority.certificate().as_bytes(),
        )?)?;
        let config = Arc::new(
            ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth(),
        );
        eventually("the certificate to be served", async || {
            let (config, address) = (Arc::clone(&config), self.address);
            let served = tokio::task::spawn_blocking(move || certificate_of(address, config)).await?;
            Ok(served.ok().filter(|served| *served == expected).map(drop))
        })
        .await
    }

    /// Creates a pod that asks, and fails when it comes without its sidecar. Nothing is kept of it.
    async fn admit(&self) -> anyhow::Result<()> {
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"name": "asks", "annotations": {"tributary.dev/stream": "/logs/x.log"}},
            "spec": {
                "containers": [{"name": "c", "image": "example.com/c", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]}],
                "volumes": [{"name": "logs", "emptyDir": {}}]
            }
        }))?;
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let admitted = Api::<Pod>::namespaced(self.client.clone(), "rotation")
            .create(&dry_run, &pod)
            .await?;
        let sidecars = admitted
            .spec
            .and_then(|spec| spec.init_containers)
            .unwrap_or_default();
        ensure!(sidecars.len() == 1, "a pod came without its sidecar");
        Ok(())
    }
}

/// The certificate that a handshake ends with.
fn certificate_of(address: SocketAddr, config: Arc<ClientConfig>) -> anyhow::Result<CertificateDer<'static>> {
    let mut connection = ClientConnection::new(config, ServerName::try_from(SERVER)?)?;
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let chain = connection.peer_certificates().context("no certificate")?;
    Ok(chain[0].clone().into_owned())
}

/// A leaf and then its authority change while pods are created. Each change is served before the next, and no pod goes without.
async fn a_new_certificate_is_served(_: Fixture) -> anyhow::Result<()> {
    let control_plane = installed().await?;
    let client = control_plane.client();
    control_plane.create_namespace("rotation", &[]).await?;
    let policy =
        serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": {"streamingSidecar": {}}}))?;
    Api::<LoggingPolicy>::all(client.clone())
        .create(&PostParams::default(), &policy)
        .await?;
    let options = Options::try_parse_from([
        "tributary-webhook",
        "--listen=127.0.0.1:0",
        "--admin-listen=127.0.0.1:0",
        "--streamer-image=example.com/tributary:test",
    ])?;
    let webhook = Webhook::bind(options).await?;
    let served = Served {
        client,
        address: webhook.address()?,
    };
    let account = control_plane
        .client_as_service_account(SYSTEM_NAMESPACE, "tributary-webhook")
        .await?;
    let running = tokio::spawn(async move { webhook.serve(account, std::future::pending()).await });

    let (old, new) = (Authority::new("old")?, Authority::new("new")?);
    let issue = |authority: &Authority| authority.issue(&Subject::server("webhook", &["127.0.0.1", SERVER]));
    let first = issue(&old)?;
    served.write(&first, old.certificate()).await?;
    served.until_served(&first, &old).await?;
    served.trust(&[&old]).await?;
    eventually("the API server to call the webhook", async || {
        Ok(served.admit().await.ok())
    })
    .await?;

    let admissions = async || {
        for _ in 0..20 {
            served.admit().await?;
        }
        anyhow::Ok(())
    };
    for _ in 0..5 {
        let renewed = issue(&old)?;
        served.write(&renewed, old.certificate()).await?;
        tokio::try_join!(admissions(), served.until_served(&renewed, &old))?;
    }
    // Another authority: it is trusted before its leaf is served, and the old one after.
    served.trust(&[&old, &new]).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let last = issue(&new)?;
    served.write(&last, new.certificate()).await?;
    tokio::try_join!(admissions(), served.until_served(&last, &new))?;
    served.trust(&[&new]).await?;
    admissions().await?;

    // One that cannot be used changes nothing.
    let unfit = Pair {
        public: issue(&new)?.public,
        private: last.private.clone(),
    };
    served.write(&unfit, new.certificate()).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    served.until_served(&last, &new).await?;
    served.admit().await?;
    running.abort();
    Ok(())
}
