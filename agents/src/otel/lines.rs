//! Which lines belong together, in the language of the receiver's operators.

use serde_json::{Value, json};

use super::LONGEST_MESSAGE;
use super::confmap::text;
use super::ottl::literal;
use crate::multiline::Boundary;
use crate::pipeline::Pipeline;

/// The operator that joins the lines of a record, where a pipeline has them joined. `source` is the field that tells apart what lines
/// come from, and only entries that meet `condition` are looked at.
///
/// It counts its second from the first line of a record, and joins nothing across it.
pub fn joining(pipeline: &Pipeline, source: &str, condition: &str) -> Option<Value> {
    let boundary = pipeline.boundary()?;
    let is_first = match boundary {
        Boundary::Starts(expression) => format!("body matches {}", literal(expression.re2())),
        Boundary::Continues(expression) => format!("not (body matches {})", literal(expression.re2())),
    };
    Some(json!({
        "id": "lines",
        "type": "recombine",
        "combine_field": "body",
        "combine_with": "\n",
        "is_first_entry": text(&is_first),
        "source_identifier": source,
        "force_flush_period": "1s",
        "max_batch_size": 0,
        "max_unmatched_batch_size": 0,
        // With more than these, all that waits would be sent as it is.
        "max_sources": 100_000,
        "max_log_size": LONGEST_MESSAGE,
        "if": condition,
    }))
}
