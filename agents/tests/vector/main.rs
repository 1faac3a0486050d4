//! What Vector makes of its files, as far as that can be known without it: its language is here, and its options are written down.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod names;
mod options;
#[path = "../record_cases/mod.rs"]
mod record_cases;
mod records;
mod settings;
mod shapes;
mod text;
mod topology;
