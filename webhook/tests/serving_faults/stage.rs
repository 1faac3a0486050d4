//! One or two replicas of the real program, behind endpoints.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;
use tributary_webhook_load::api_server::ApiServer;
use tributary_webhook_load::cluster::Size;
use tributary_webhook_load::pair::{Pair, trusting};
use tributary_webhook_load::process::{Ports, WebhookProcess};

use crate::callers::{Callers, Endpoints};

const PROGRAM: &str = env!("CARGO_BIN_EXE_tributary-webhook");
const CLUSTER: Size = Size {
    policies: 3,
    namespaces: 3,
};
/// Connections that last as long as nobody closes them.
pub const FOR_EVER: u64 = u64::MAX;

/// One replica and callers that are content with it.
pub struct Stage {
    pub webhook: WebhookProcess,
    pub tls: Arc<ClientConfig>,
    callers: Callers,
}

impl Stage {
    /// Starts one replica with callers.
    pub fn start() -> anyhow::Result<Self> {
        let pair = Pair::new()?;
        let tls = trusting(&[&pair])?;
        let webhook = start(&api_server(pair)?)?;
        let endpoints = Endpoints::default();
        endpoints.set(vec![webhook.address()]);
        let callers = Callers::start(&endpoints, &tls, FOR_EVER);
        Ok(Self {
            webhook,
            tls,
            callers,
        })
    }

    /// Ends the callers and tells what they saw.
    pub fn end(self) -> crate::row::Admissions {
        self.callers.stop()
    }
}

/// An API server of a small cluster.
pub fn api_server(pair: Pair) -> anyhow::Result<ApiServer> {
    Ok(ApiServer::start(CLUSTER, pair)?)
}

/// A replica, on ports of its own.
pub fn start(api_server: &ApiServer) -> anyhow::Result<WebhookProcess> {
    start_on(api_server, Ports::find()?)
}

/// A replica on these ports.
pub fn start_on(api_server: &ApiServer, ports: Ports) -> anyhow::Result<WebhookProcess> {
    Ok(WebhookProcess::start(Path::new(PROGRAM), api_server, ports)?)
}
