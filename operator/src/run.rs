//! Puts the parts together: stand by, lead, end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{Config, Controller, Error as ControllerError};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher;
use kube::{Api, Client, ResourceExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tributary_crds::LoggingPolicy;
use tributary_crds::names::{AGENTS_NAMESPACE, SYSTEM_NAMESPACE, label};

use crate::admin::{self, Readiness};
use crate::certificates;
use crate::context::{Context, Policies};
use crate::error::Error;
use crate::leader::{Candidate, Leadership, Timing};
use crate::metrics::Metrics;
use crate::pods::{self, Pace, Watchdog};
use crate::policy;

/// Policies that are reconciled at the same time.
const CONCURRENCY: u16 = 8;

/// What the command line says.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "tributary-operator",
    version,
    about = "Reconciles LoggingPolicies and looks after the webhook's certificate."
)]
pub struct Options {
    /// Where health and metrics are served, over plain HTTP.
    #[arg(long, env = "TRIBUTARY_ADMIN_LISTEN", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,

    /// This process among several; must differ between them. In a cluster: the pod's name.
    #[arg(long, env = "POD_NAME")]
    pub identity: String,

    /// The image that carries the streamer. Agents of policies with streamingSidecar pull it to their nodes in advance.
    #[arg(long, env = "TRIBUTARY_STREAMER_IMAGE")]
    pub streamer_image: Option<String>,

    /// Leave the webhook's certificate to somebody else, such as cert-manager.
    #[arg(long, env = "TRIBUTARY_EXTERNAL_CERTIFICATES")]
    pub external_certificates: bool,

    /// Seconds between two looks at what annotated pods got. Each lists the metadata of all pods. Without it: 30, and 120 where
    /// there are more than 5,000 pods.
    #[arg(long, env = "TRIBUTARY_LOOK_AT_PODS_EVERY", value_parser = clap::value_parser!(u64).range(1..))]
    pub look_at_pods_every: Option<u64>,

    /// Write logs as JSON.
    #[arg(long, env = "TRIBUTARY_LOG_JSON")]
    pub log_json: bool,
}

/// Runs until `shutdown`, or until leadership is lost.
pub async fn run(
    client: Client,
    options: Options,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let address = options.admin_listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| Error::Listen { address, source })?;
    let metrics = Metrics::default();
    let readiness = Readiness::default();
    let (stop, stopped) = watch::channel(false);
    let mut admin = tokio::spawn(admin::serve(
        listener,
        metrics.clone(),
        readiness.clone(),
        ended(stopped.clone()),
    ));

    let leases: Api<Lease> = Api::namespaced(client.clone(), SYSTEM_NAMESPACE);
    let candidate = Candidate::new(leases, options.identity.clone(), Timing::default());
    let mut shutdown = std::pin::pin!(shutdown.fuse());
    let work = async {
        tokio::select! {
            () = &mut shutdown => Ok(()),
            // One that stands by is ready too: otherwise an update would wait for the old one to go, and that one for it.
            leadership = candidate.acquire(|| readiness.set(true)) => {
                metrics.leads(true);
                tracing::info!(identity = options.identity, "leading");
                Box::pin(lead(client, &options, &metrics, leadership, shutdown)).await
            }
        }
    };
    let result = tokio::select! {
        result = work => result,
        _ = &mut admin => return Err(Error::AdminEnded),
    };
    metrics.leads(false);
    let _ = stop.send(true);
    match admin.await {
        Ok(served) => result.and(served),
        Err(_) => result,
    }
}

/// Works for as long as this process leads.
async fn lead(
    client: Client,
    options: &Options,
    metrics: &Metrics,
    mut leadership: Leadership,
    shutdown: impl Future<Output = ()>,
) -> Result<(), Error> {
    let (stop, stopped) = watch::channel(false);
    let policies: Api<DeserializeGuard<LoggingPolicy>> = Api::all(client.clone());
    let controller = Controller::new(policies, watcher::Config::default().any_semantic());
    let store = controller.store();
    let (context, wishes) = Context::new(
        client.clone(),
        metrics.clone(),
        store.clone(),
        options.streamer_image.clone(),
    );
    let pace = options
        .look_at_pods_every
        .map_or_else(Pace::default, |seconds| Pace::every(Duration::from_secs(seconds)));
    let watchdog = Watchdog::new(
        client.clone(),
        context.recorder.clone(),
        metrics.clone(),
        context.clock,
    );
    let watchdog = pods::run(watchdog, store, pace);
    let mut controller = Box::pin(reconcile(controller, context, wishes, stopped));
    let certificates = async {
        if options.external_certificates {
            std::future::pending::<Infallible>().await
        } else {
            certificates::run(client, metrics.clone(), Timestamp::now).await
        }
    };
    tokio::select! {
        () = shutdown => {}
        () = leadership.keep() => return Err(Error::LeadershipLost),
        () = &mut controller => return Err(Error::ControllerEnded),
        never = certificates => match never {},
        never = watchdog => match never {},
    }
    tracing::info!("ending: the reconciliations that run come to their end");
    let _ = stop.send(true);
    tokio::select! {
        () = controller => leadership.vacate().await,
        () = leadership.keep() => return Err(Error::LeadershipLost),
    }
    Ok(())
}

/// Reconciles policies until `stopped`.
async fn reconcile(
    controller: Controller<DeserializeGuard<LoggingPolicy>>,
    context: Context,
    wishes: mpsc::Receiver<()>,
    stopped: watch::Receiver<bool>,
) {
    let (client, store) = (context.client.clone(), context.policies.clone());
    let ours = watcher::Config::default().any_semantic().labels(&format!(
        "{}={}",
        label::MANAGED_BY,
        label::MANAGED_BY_VALUE
    ));
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), AGENTS_NAMESPACE);
    controller
        .with_config(Config::default().concurrency(CONCURRENCY))
        .owns(
            Api::<DaemonSet>::namespaced(client.clone(), AGENTS_NAMESPACE),
            ours.clone(),
        )
        .owns(Api::<ConfigMap>::namespaced(client, AGENTS_NAMESPACE), ours)
        .watches(
            secrets,
            watcher::Config::default().any_semantic(),
            move |secret| users_of(&store, &secret),
        )
        .reconcile_all_on(wishes.boxed())
        .graceful_shutdown_on(ended(stopped))
        .run(
            policy::reconcile,
            |policy, error, context| policy::after_failure(&policy, error, &context),
            Arc::new(context),
        )
        .for_each(|result| async {
            match result {
                // Failed reconciliations are told where they are counted; objects that are gone are no news.
                Ok(_) | Err(ControllerError::ReconcilerFailed(..) | ControllerError::ObjectNotFound(_)) => {}
                Err(error) => tracing::warn!(%error, "a watch failed; it is started again"),
            }
        })
        .await;
}

/// The policies whose agents read this Secret.
fn users_of(
    policies: &Policies,
    secret: &PartialObjectMeta<Secret>,
) -> Vec<ObjectRef<DeserializeGuard<LoggingPolicy>>> {
    let name = secret.name_any();
    let names_it = |policy: &DeserializeGuard<LoggingPolicy>| {
        let spec = policy.0.as_ref().ok().map(|policy| &policy.spec);
        spec.is_some_and(|spec| spec.secret_keys().iter().any(|key| key.name == name))
    };
    let users = policies.state().into_iter().filter(|policy| names_it(policy));
    users.map(|policy| ObjectRef::from_obj(policy.as_ref())).collect()
}

/// Ends when `true` is sent, or nobody is left to send it.
async fn ended(mut stopped: watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
