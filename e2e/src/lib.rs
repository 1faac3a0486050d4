//! What the demo, the image, the tests against real clusters and the fuzzer share: installing Tributary, the webhook's corpus of
//! pods, and counting lines.

pub mod cargo;
pub mod collector;
pub mod corpus;
pub mod environment;
pub mod fuzzing;
pub mod image;
pub mod installation;
pub mod isolation;
pub mod kubectl;
pub mod loki;
pub mod node;
pub mod patterns;
pub mod receiver;
pub mod records;
pub mod rotation;
pub mod streams;
pub mod table;
pub mod tally;
pub mod tested;
pub mod zoo;
