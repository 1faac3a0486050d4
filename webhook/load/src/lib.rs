//! What the webhook is tested and measured with: its real program as a process, an API server that stands in for the real
//! one, reviews of any size, and a client that checks every answer.
//!
//! The API server is a stand-in so that a thousand policies and ten thousand namespaces are there at once and cost nothing
//! that would be measured with the webhook; it lists in pages and watches as the real one does.

pub mod api_server;
pub mod client;
pub mod cluster;
pub mod error;
pub mod load;
pub mod pair;
pub mod process;
pub mod review;
pub mod usage;

pub use error::Error;
