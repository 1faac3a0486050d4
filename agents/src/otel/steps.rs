//! The steps of a pipeline as processors, one each.
//!
//! While a record passes them, its message is the body, and `level` and `data` are attributes; a body that is no text stands in the place
//! of a removed message. A statement that fails is left out without a word, because it fails on what an application wrote; each is written
//! so that nothing half-done remains.

use serde_json::{Value, json};
use tributary_crds::field::Field;

use super::confmap::texts;
use super::ottl::{self, literal};
use super::{parse, processors};
use crate::CompileError;
use crate::expression::Expression;
use crate::pipeline::{Pipeline, Subject};
use crate::step::{Action, Step};

/// Where a value is between two fields.
const MOVED: &str = "log.cache[\"moved\"]";

/// The processors of all steps, in their order, each under its full name. No output's are called so.
pub fn processors(pipeline: &Pipeline) -> Result<Vec<(String, Value)>, CompileError> {
    let mut all = Vec::new();
    for (index, step) in pipeline.steps.iter().enumerate() {
        if let Some((kind, settings)) = processor(index, step)? {
            all.push((format!("{kind}/step_{index}"), settings));
        }
    }
    Ok(all)
}

/// Whether a record may have a level, data, or no message after the steps.
pub fn alter(pipeline: &Pipeline) -> bool {
    pipeline.steps.iter().any(|step| match step.action {
        Action::Parse { .. } | Action::Set { .. } | Action::Rename { .. } | Action::Remove(_) => true,
        Action::Multiline(_)
        | Action::Keep
        | Action::Drop
        | Action::Redact { .. }
        | Action::Sample { .. }
        | Action::Throttle { .. } => false,
    })
}

fn processor(index: usize, step: &Step) -> Result<Option<(&'static str, Value)>, CompileError> {
    let filter = |conditions: &[String]| ("filter", processors::drop_where(conditions));
    let transform = |statements: &[String]| ("transform", transform(step, statements));
    Ok(match &step.action {
        // The receiver has joined them.
        Action::Multiline(_) => None,
        Action::Keep => Some(filter(&ottl::clause_violations(&step.conditions))),
        Action::Drop => Some(filter(&[ottl::all_met(&step.conditions)])),
        Action::Sample { kept_per_million } => Some(("filter", sample(step, *kept_per_million))),
        Action::Parse { field, format } => Some(transform(&parse::statements(&path(field), format))),
        Action::Redact {
            field,
            expressions,
            replacement,
        } => Some(transform(&redact(field, expressions, replacement))),
        Action::Set { field, value } => {
            Some(transform(&[format!("set({}, {})", path(field), literal(value))]))
        }
        Action::Rename { from, to } => Some(transform(&rename(from, to))),
        Action::Remove(fields) => Some(transform(&fields.iter().map(remove).collect::<Vec<_>>())),
        Action::Throttle { .. } => {
            return Err(CompileError::field(
                format!("spec.processors[{index}].throttle"),
                "is nothing that engine OpenTelemetryCollector has",
                "write sample, or another engine",
            ));
        }
    })
}

/// Applies statements to records that meet the step's conditions as they are before the first of them.
fn transform(step: &Step, statements: &[String]) -> Value {
    let mut group = json!({"context": "log", "statements": texts(statements)});
    if !step.conditions.is_empty() {
        group["conditions"] = texts(&[ottl::all_met(&step.conditions)]);
    }
    json!({"error_mode": "silent", "log_statements": [group]})
}

/// Drops by chance: the first seven digits of a random UUID (version 4) are random. Nothing in such a condition may say what it is about, so
/// that it must be said.
fn sample(step: &Step, kept_per_million: u32) -> Value {
    let kept_of_all = (u64::from(kept_per_million) << 28) / 1_000_000;
    let mut condition = format!("Substring(UUID(), 0, 7) >= \"{kept_of_all:07x}\"");
    if !step.conditions.is_empty() {
        condition = format!("({}) and {condition}", ottl::all_met(&step.conditions));
    }
    json!({
        "error_mode": "ignore",
        "log_conditions": [{"context": "log", "conditions": texts(&[condition])}],
    })
}

fn redact(field: &Field, expressions: &[Expression], replacement: &str) -> Vec<String> {
    let replace = |expression: &Expression| {
        format!(
            "replace_pattern({}, {}, {})",
            path(field),
            literal(expression.re2()),
            ottl::replacement(replacement)
        )
    };
    expressions.iter().map(replace).collect()
}

fn rename(from: &Field, to: &Field) -> Vec<String> {
    let origin = path(from);
    let becomes_text = matches!((from, to), (Field::Data(_), Field::Message | Field::Level));
    let take = if becomes_text {
        format!("set({MOVED}, String({origin})) where not IsMap({origin}) and not IsList({origin})")
    } else if *from == Field::Message {
        format!("set({MOVED}, {origin}) where IsString({origin})")
    } else {
        format!("set({MOVED}, {origin})")
    };
    vec![
        take,
        format!("{} where {MOVED} != nil", removal(from)),
        format!("set({}, {MOVED}) where {MOVED} != nil", path(to)),
    ]
}

fn remove(field: &Field) -> String {
    match parent(field) {
        Some(parent) => format!("{} where IsMap({parent})", removal(field)),
        None => removal(field),
    }
}

/// What removes a field, which must be there when it is one of `data`.
fn removal(field: &Field) -> String {
    match (parent(field), field) {
        (Some(parent), Field::Data(keys)) => {
            format!(
                "delete_key({parent}, {})",
                literal(keys.last().map_or("", String::as_str))
            )
        }
        (_, Field::Level) => "delete_key(log.attributes, \"level\")".to_owned(),
        // The rest of the record cannot be altered.
        (_, _) => "set(log.body, {})".to_owned(),
    }
}

/// The object that holds a field of `data`.
fn parent(field: &Field) -> Option<String> {
    match field {
        Field::Data(keys) => keys.split_last().map(|(_, parents)| ottl::data(parents)),
        _ => None,
    }
}

fn path(field: &Field) -> String {
    ottl::path(&Subject::Record(field.clone()))
}
