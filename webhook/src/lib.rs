//! The mutating admission webhook: it adds streaming sidecars to pods that are annotated for them, and says why where it
//! does not.
//!
//! [`decide::inject`] is the whole decision, as a pure function; the rest reads reviews, keeps policies at hand and serves.

pub mod decide;
pub mod explain;
mod names;
mod options;
mod patch;
pub mod pod;
pub mod policies;
mod resources;
pub mod sidecar;
mod volumes;

pub use decide::{Config, Decision, Outcome, inject};
