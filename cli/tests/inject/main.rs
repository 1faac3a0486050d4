//! `tributary inject` as its users run it.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod cluster;
mod desk;
mod documentation;
mod errors;
mod reading;
mod statuses;
mod workloads;
