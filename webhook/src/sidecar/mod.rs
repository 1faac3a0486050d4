//! What the containers that are added to pods have in common.

pub mod applicant;
pub mod container;
pub mod fitting;
pub mod names;
pub mod resources;
mod room;
mod security;
pub mod user;

/// The streamer in its image.
pub const STREAMER: &str = "/tributary-streamer";
/// The name of the agent sidecar, of which a pod has one at most, or the beginning of it where that name is taken.
pub const AGENT: &str = "tributary-agent";
/// Where a streaming sidecar mounts the volume for positions. Not below [`crate::files::directories::ELSEWHERE`]: what the
/// application has at `/` is mounted there, read-only, and leaves no place for another mount.
pub const POSITIONS_DIRECTORY: &str = "/tributary-positions";
