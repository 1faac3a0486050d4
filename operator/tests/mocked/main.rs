//! Level 2: against an API server that is played by the test. A missing call and an extra call both fail.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod api_server;
mod leader;
mod pods;
mod reconcile;
