//! A real Kubernetes on one machine, for Tributary's tests and its demo.
//!
//! Everything is built from Go modules (`e2e/components/`) or comes from Debian packages, so a fresh machine needs only
//! Go, Rust and, for the whole cluster, root.
//!
//! * [`components`]: builds the programs once and keeps them in a cache outside the checkout.
//! * [`ControlPlane`]: etcd and kube-apiserver, without root, for tests of the API: accepted and refused objects,
//!   webhooks, RBAC, controllers. Ends with the value, or with the process.
//! * [`Cluster`]: a whole node with kubelet, containerd, Services and DNS; needs root and Debian.
//! * [`Elasticsearch`]: a backend with security and TLS, as a process.
//! * [`images`]: container images without a registry, and those of a test cluster.
//! * [`debian`]: the packages that a cluster needs.
//! * [`pki`]: the certificates, of use to test servers too.
//!
//! ```no_run
//! # async fn example() -> Result<(), tributary_cluster::Error> {
//! let control_plane = tributary_cluster::ControlPlane::start().await?;
//! let pods: kube::Api<k8s_openapi::api::core::v1::Pod> = kube::Api::all(control_plane.client());
//! # Ok(())
//! # }
//! ```

pub mod cluster;
mod command;
pub mod components;
mod control_plane;
mod daemon;
pub mod debian;
pub mod elasticsearch;
mod error;
mod hex;
pub mod images;
mod keeper;
mod kubeconfig;
pub mod pki;
mod ready;

pub use cluster::Cluster;
pub use components::{Component, Progress};
pub use control_plane::ControlPlane;
pub use elasticsearch::Elasticsearch;
pub use error::Error;
