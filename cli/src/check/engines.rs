//! Whether a policy could change its engine.

use tributary_crds::LoggingPolicySpec;
use tributary_crds::engine::Engine;

use super::compiling::{self, Block};
use super::report::{Change, Finding};
use crate::documents::Document;

/// Every engine for a block of a policy.
pub fn every(block: Block, document: &Document, spec: &LoggingPolicySpec) -> Vec<Change> {
    let present = block.engine(spec);
    let change = |engine| {
        let problems = compiling::problems(block, document.name(), &block.with_engine(spec, engine));
        Change {
            block: block.field(),
            engine,
            is_present: present == Some(engine),
            is_possible: problems.is_empty(),
            problems: problems
                .iter()
                .map(|problem| Finding::new(document, &problem.pointer, &problem.message, None))
                .collect(),
        }
    };
    Engine::ALL.into_iter().map(change).collect()
}
