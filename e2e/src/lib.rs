//! What the demo, the image and the node-level tests share: installing Tributary on a real cluster, and counting lines.

pub mod environment;
pub mod image;
pub mod installation;
pub mod kubectl;
pub mod loki;
pub mod patterns;
pub mod receiver;
pub mod streams;
pub mod table;
pub mod tally;
