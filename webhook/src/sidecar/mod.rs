//! The containers that are added to pods.

pub mod streaming;
