//! The webhook as others see it: decisions about whole pods, and the server over real TLS.

#![allow(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod api_server;
mod extremes;
mod golden;
mod limits;
mod properties;
mod quality_of_service;
mod reading;
mod serving;
mod support;
mod templates;
