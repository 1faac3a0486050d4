//! Compiles a policy to the configuration of a log agent. Everything here is pure.
//!
//! `LoggingPolicySpec` → [`pipeline::Pipeline`] (engine-neutral, checked) → [`config::AgentConfig`] (files, arguments, mounts).

pub mod config;
