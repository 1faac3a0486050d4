//! `tributary` as its users run it.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod check;
mod desk;
mod documentation;
mod inject;
mod render;
