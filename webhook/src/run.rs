//! Puts the parts together: listen, watch, serve, end.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use kube::Client;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tributary_crds::names::SYSTEM_NAMESPACE;

use crate::admin::Admin;
use crate::cluster_state::ClusterState;
use crate::decide::Config;
use crate::endpoint::{Endpoint, RequestLimits};
use crate::error::Error;
use crate::image::is_image;
use crate::lifecycle::{self, EndTimes, Phase};
use crate::limits::limit_range::LimitRange;
use crate::limits::quota::Quota;
use crate::metrics::Metrics;
use crate::server::{self, ConnectionLimits};
use crate::tls::Certificate;
use crate::watches;

/// What the command line says.
#[derive(Clone, Debug, clap::Parser)]
#[command(
    name = "tributary-webhook",
    version,
    about = "Adds streaming sidecars to pods that are annotated for them."
)]
pub struct Options {
    /// Where admission reviews are served, over HTTPS.
    #[arg(long, env = "TRIBUTARY_LISTEN", default_value = "0.0.0.0:9443")]
    pub listen: SocketAddr,

    /// Where health and metrics are served, over plain HTTP.
    #[arg(long, env = "TRIBUTARY_ADMIN_LISTEN", default_value = "0.0.0.0:8080")]
    pub admin_listen: SocketAddr,

    /// The image that carries the streamer, for policies that name none.
    #[arg(long, env = "TRIBUTARY_STREAMER_IMAGE")]
    pub streamer_image: String,

    /// Where the Secret with the certificate is.
    #[arg(long, env = "TRIBUTARY_NAMESPACE", default_value = SYSTEM_NAMESPACE)]
    pub namespace: String,

    /// Write logs as JSON.
    #[arg(long, env = "TRIBUTARY_LOG_JSON")]
    pub log_json: bool,
}

/// A webhook that listens, and does not serve yet.
pub struct Webhook {
    listener: TcpListener,
    admin_listener: TcpListener,
    options: Options,
    times: EndTimes,
}

impl Webhook {
    /// Takes the ports.
    pub async fn bind(options: Options) -> Result<Self, Error> {
        if !is_image(&options.streamer_image) {
            return Err(Error::Image(options.streamer_image));
        }
        let listener = bind(options.listen, "listen").await?;
        let admin_listener = bind(options.admin_listen, "admin-listen").await?;
        Ok(Self {
            listener,
            admin_listener,
            options,
            times: EndTimes::default(),
        })
    }

    /// With other times for its end than the usual ones.
    #[must_use]
    pub fn with_end_times(self, times: EndTimes) -> Self {
        Self { times, ..self }
    }

    /// Where reviews are served; with port 0 in the options, this is the port that was found.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where health and metrics are served.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin_listener.local_addr()
    }

    /// Watches and serves until `shutdown`, and then until requests under way are answered.
    ///
    /// # Errors
    /// When TLS cannot be set up, or when a part ends that must not.
    pub async fn serve(self, client: Client, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let metrics = Metrics::default();
        let state = Arc::new(ClusterState::default());
        let certificate = Certificate::default();
        let (phase, phases) = watch::channel(Phase::Serving);

        let config = Config {
            streamer_image: self.options.streamer_image,
        };
        let limits = RequestLimits::default();
        let endpoint = Endpoint::new(
            Arc::clone(&state),
            config,
            metrics.clone(),
            limits,
            phases.clone(),
        );
        let serving = server::serve(
            self.listener,
            certificate.server_config()?,
            endpoint.router(),
            ConnectionLimits::default(),
            metrics.clone(),
            phases.clone(),
            self.times.draining,
        );
        let admin = Admin {
            state: Arc::clone(&state),
            certificate: certificate.clone(),
            metrics: metrics.clone(),
            phase: phases,
        };
        let admin = axum::serve(self.admin_listener, admin.router());
        let ending = lifecycle::lead(&phase, self.times, shutdown);
        let until_drained = async { tokio::join!(serving, ending) };

        tokio::select! {
            _ = until_drained => Ok(()),
            _ = admin => Err(Error::Ended("the admin server")),
            () = watches::policies(client.clone(), Arc::clone(&state), metrics.clone()) => {
                Err(Error::Ended("the watch of LoggingPolicies"))
            }
            () = watches::namespaces(client.clone(), Arc::clone(&state), metrics.clone()) => {
                Err(Error::Ended("the watch of namespaces"))
            }
            () = watches::limits::<LimitRange>(client.clone(), Arc::clone(&state), metrics.clone()) => {
                Err(Error::Ended("the watch of LimitRanges"))
            }
            () = watches::limits::<Quota>(client.clone(), state, metrics.clone()) => {
                Err(Error::Ended("the watch of ResourceQuotas"))
            }
            () = watches::certificate(client, &self.options.namespace, certificate, metrics) => {
                Err(Error::Ended("the watch of the certificate"))
            }
        }
    }
}

async fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|source| Error::Listen {
        address,
        option,
        source,
    })
}
