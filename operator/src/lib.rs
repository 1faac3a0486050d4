//! The operator: reconciles `LoggingPolicy`s, looks after the webhook's certificate, and counts what pods got.
//!
//! What it does for one policy is told by [`policy::reconcile`], what it does about pods by [`pods::run`].

pub mod admin;
pub mod certificates;
pub mod condition;
pub mod context;
pub mod error;
pub mod leader;
pub mod metrics;
pub mod pods;
pub mod policy;
pub mod run;
