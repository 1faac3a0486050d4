//! The mutating admission webhook: it adds streaming sidecars to pods that are annotated for them, and says why where it
//! does not.
//!
//! [`decide::inject`] is the whole decision, as a pure function; the rest reads reviews, keeps policies at hand and serves.

mod admin;
pub mod cluster_state;
pub mod decide;
mod directories;
pub mod endpoint;
pub mod error;
pub mod explain;
mod head_deadline;
pub mod lifecycle;
pub mod metrics;
mod names;
mod new_volumes;
mod options;
mod patch;
pub mod pod;
pub mod policies;
mod positions;
mod resources;
mod review;
pub mod run;
pub mod server;
pub mod sidecar;
mod sub_path_expr;
mod targets;
pub mod tls;
mod user;
mod volumes;
mod watches;

pub use decide::{Config, Decision, Outcome, inject};
