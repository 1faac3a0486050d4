//! `tributary inject`.

mod cluster;
mod errors;
mod reading;
mod statuses;
mod workloads;
