//! What the demo, the image, the node-level tests and the fuzzer share: installing Tributary on a real cluster, and counting lines.

pub mod cargo;
pub mod environment;
pub mod fuzzing;
pub mod image;
pub mod installation;
pub mod kubectl;
pub mod loki;
pub mod patterns;
pub mod receiver;
pub mod streams;
pub mod table;
pub mod tally;
