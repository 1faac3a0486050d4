//! The operator: reconciles `LoggingPolicy`s, and looks after the webhook's certificate.
//!
//! What it does for one policy is told by [`policy::reconcile`].

pub mod admin;
pub mod certificates;
pub mod context;
pub mod error;
pub mod leader;
pub mod metrics;
pub mod policy;
pub mod run;
