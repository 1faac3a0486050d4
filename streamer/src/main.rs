//! The streamer.
fn main() {}
