//! Why the webhook cannot run.

use std::net::SocketAddr;

/// Every error ends the process: what can be mended while running is mended there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No way to reach the API server.
    #[error("finding the API server: {0}; run in a pod with a ServiceAccount, or set KUBECONFIG")]
    Connect(#[source] Box<kube::Error>),
    /// A port is not to be had.
    #[error("listening on {address}: {source}; choose another address with --{option}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The option that chooses it.
        option: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("listening for SIGTERM: {0}")]
    Signal(#[source] std::io::Error),
    /// The build's TLS is not what it should be.
    #[error("setting TLS up: {0}")]
    Tls(#[from] rustls::Error),
    /// The image's name is none.
    #[error("--streamer-image {0:?} is no image's name; write REGISTRY/NAME:TAG")]
    Image(String),
    /// A task ended that must not.
    #[error("{0} ended by itself")]
    Ended(&'static str),
}
