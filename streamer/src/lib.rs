//! Prints growing files to standard output, as `tail -F` does, and loses nothing that the disk still holds.
//!
//! The program of a streaming sidecar. It knows files, not Kubernetes. [`tail`] has the tailer, which knows no clock and no
//! signals; [`follow`] runs it.

pub mod arguments;
pub mod checkpoint;
pub mod compressed;
pub mod cut;
pub mod encoder;
pub mod follow;
pub mod format;
pub mod generation;
pub mod glob;
pub mod identity;
mod in_flight;
mod judging;
pub mod label;
pub mod lineage;
mod looking;
pub mod multiline;
pub mod opening;
pub mod output;
mod reading;
mod reclaim;
pub mod report;
mod rotation;
mod sending;
pub mod siblings;
pub mod signals;
pub mod status;
pub mod stdout;
mod summary;
pub mod tail;
mod text;
pub mod usage;
mod utc;
pub mod watch;
