//! What tests share: the control plane, the installation, the running operator.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kube::Client;
use libtest_mimic::Trial;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;
use tributary_cluster::ControlPlane;
use tributary_crds::names::SYSTEM_NAMESPACE;
use tributary_operator::error::Error;
use tributary_operator::run::{Options, run};

use crate::install;

/// How long something may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cheap to clone.
#[derive(Clone)]
pub struct Fixture {
    runtime: Handle,
    shared: Arc<Mutex<Option<Shared>>>,
}

/// Ends when the tests end.
struct Shared {
    runtime: Runtime,
    control_plane: Arc<ControlPlane>,
    stop: oneshot::Sender<()>,
    operator: JoinHandle<Result<(), Error>>,
}

impl Fixture {
    /// Starts everything; nothing when the tests are only listed.
    pub fn start(only_listed: bool) -> anyhow::Result<Self> {
        let runtime = Runtime::new().context("starting the runtime")?;
        let handle = runtime.handle().clone();
        if only_listed {
            return Ok(Self {
                runtime: handle,
                shared: Arc::default(),
            });
        }
        let (control_plane, client) = runtime.block_on(async {
            let control_plane = ControlPlane::start().await?;
            install::apply(&control_plane.client()).await?;
            let client = control_plane
                .client_as_service_account(SYSTEM_NAMESPACE, "tributary-operator")
                .await?;
            anyhow::Ok((control_plane, client))
        })?;
        // RUST_LOG shows what the operator says.
        let log = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("off")));
        log.with_test_writer().init();
        let (stop, stopped) = oneshot::channel::<()>();
        let options = Options {
            admin_listen: ([127, 0, 0, 1], 0).into(),
            identity: "the-first".to_owned(),
            streamer_image: Some("example.com/tributary:test".to_owned()),
            external_certificates: false,
            look_at_pods_every: Some(1),
            log_json: false,
        };
        let operator = runtime.spawn(run(client, options, async move {
            let _ = stopped.await;
        }));
        let control_plane = Arc::new(control_plane);
        let shared = Shared {
            runtime,
            control_plane,
            stop,
            operator,
        };
        Ok(Self {
            runtime: handle,
            shared: Arc::new(Mutex::new(Some(shared))),
        })
    }

    /// A test.
    pub fn trial<F>(&self, name: &str, test: impl FnOnce(Fixture) -> F + Send + 'static) -> Trial
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let fixture = self.clone();
        Trial::test(name, move || {
            let runtime = fixture.runtime.clone();
            runtime
                .block_on(test(fixture))
                .map_err(|error| format!("{error:#}").into())
        })
    }

    /// The control plane.
    pub fn control_plane(&self) -> Arc<ControlPlane> {
        let shared = self.shared.lock().unwrap();
        Arc::clone(
            &shared
                .as_ref()
                .expect("tests that are only listed do not run")
                .control_plane,
        )
    }

    /// An administrator's client.
    pub fn admin(&self) -> Client {
        self.control_plane().client()
    }

    /// Ends the operator, then the control plane.
    pub fn stop(self) {
        let Some(shared) = self.shared.lock().unwrap().take() else {
            return;
        };
        let _ = shared.stop.send(());
        match shared.runtime.block_on(shared.operator) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the operator ended badly: {error}"),
            Err(error) => panic!("the operator panicked: {error}"),
        }
    }
}

/// Asks until the answer is there. `what` completes "waiting for".
pub async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > PATIENCE {
            bail!("waited {} s in vain for {what}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
