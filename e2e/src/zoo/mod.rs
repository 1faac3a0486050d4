//! The pods of the webhook's corpus as a node can run them, and how a pod with our annotations compares with its twin without.

pub mod belongings;
pub mod lines;
pub mod outcome;
pub mod runnable;

use std::collections::BTreeMap;

/// The files that each container of a pod writes, by its name, in the order of the pod's annotations.
pub type Files = BTreeMap<String, Vec<String>>;

/// One of the two places where every pod of the corpus runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habitat {
    /// The namespace.
    pub namespace: &'static str,
    /// Whether pods keep the annotations that ask for something of ours.
    pub is_annotated: bool,
    /// What is added to ports of the node, so that twins on one node do not collide.
    pub port_offset: u64,
}

/// Where files of claims and of the node lie on the node: one of the directories that are its own and not the machine's.
const NODE_DIRECTORY: &str = "/var/lib/zoo";
