//! The API of Tributary: the `LoggingPolicy` resource, the pod annotations, the reason codes and the names of everything
//! that Tributary creates.
//!
//! Nothing here talks to a network. The schema that `kubectl apply` meets is generated from these types (`cargo gen`).

pub mod annotation;
pub mod auth;
pub mod buffer;
pub mod compression;
pub mod condition;
pub mod destination;
pub mod engine;
pub mod field;
pub mod multiline;
pub mod names;
pub mod output;
pub mod placeholder;
pub mod policy;
pub mod processor;
pub mod quantity;
pub mod reason;
mod schema;
pub mod selection;
pub mod source;
pub mod status;
pub mod support;

pub use policy::{LoggingPolicy, LoggingPolicySpec};
pub use reason::Reason;
