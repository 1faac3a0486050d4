//! The mutating admission webhook: it adds streaming sidecars to pods that are annotated for them, and says why where it
//! does not.
//!
//! [`decide::inject`] is the whole decision, as a pure function; the rest reads reviews, keeps policies at hand and serves.

mod admin;
mod agent;
mod asks;
mod blocks;
mod candidates;
pub mod cluster_state;
pub mod decide;
mod direct;
pub mod endpoint;
pub mod error;
pub mod explain;
mod files;
mod head_deadline;
mod image;
pub mod lifecycle;
pub mod limits;
pub mod metrics;
mod options;
pub mod patch;
pub mod pod;
pub mod policies;
pub mod review;
pub mod run;
pub mod server;
mod sidecar;
mod streaming;
pub mod templates;
pub mod text;
pub mod tls;
mod watches;

pub use decide::{Config, Decision, Outcome, inject};
pub use image::is_image;
