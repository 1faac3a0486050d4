//! The data of the scripts: all that a policy says of records. The only place where they meet its text.

use serde_json::{Map, Value, json};
use tributary_crds::output::WhenFull;

use super::fields::path;
use super::names;
use super::shapes::{Shape, shape};
use crate::CompileError;
use crate::expression::Expression;
use crate::level;
use crate::multiline::Boundary;
use crate::pipeline::{Clause, Output, Pipeline, Predicate, Subject, Test};
use crate::step::{Action, Format, Step};

/// The longest message in bytes; a longer one is cut into several records.
const LONGEST_MESSAGE: usize = 256 << 10;

/// The label that an output's section is in.
pub fn label(output: &Output) -> String {
    format!("@{}", output.name)
}

/// The document that the scripts read.
pub fn document(pipeline: &Pipeline) -> Result<Value, CompileError> {
    let selection = pipeline.selection.iter();
    Ok(json!({
        "longestMessage": LONGEST_MESSAGE,
        "pods": {
            "namespaces": !pipeline.namespace_labels().is_empty(),
            "required": !pipeline.namespace_labels().is_empty() || !pipeline.pod_labels().is_empty(),
        },
        "selection": selection.map(|one| Ok(json!([predicate("spec.selector", one)?]))).collect::<Result<Vec<_>, CompileError>>()?,
        "multiline": pipeline.boundary().map(multiline).transpose()?,
        "steps": steps(&pipeline.steps)?,
        "levels": {
            "keys": level::KEYS,
            "aliases": level::ALIASES.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect::<Map<_, _>>(),
            "ofPriorities": level::OF_PRIORITIES,
        },
        "outputs": pipeline.outputs.iter().enumerate().map(|(at, output)| one_output(at, output)).collect::<Result<Vec<_>, _>>()?,
    }))
}

fn one_output(at: usize, output: &Output) -> Result<Value, CompileError> {
    let Shape { name, settings } = shape(&output.destination);
    Ok(json!({
        "label": label(output),
        "where": conditions(&format!("spec.outputs[{at}].where"), &output.conditions)?,
        "whenFull": match output.buffer.when_full {
            // Fluentd makes room for what is new by itself.
            WhenFull::Block | WhenFull::DropOldest => "wait",
            WhenFull::DropNewest => "drop",
        },
        "shape": name,
        "settings": settings,
        "apart": names::apart(&output.destination).into_iter().map(names::name).collect::<Vec<_>>(),
    }))
}

fn multiline(boundary: &Boundary) -> Result<Value, CompileError> {
    let place = "spec.processors[0].multiline.start";
    Ok(match boundary {
        Boundary::Starts(expression) => json!({"starts": onigmo(place, expression)?}),
        Boundary::Continues(expression) => json!({"continues": onigmo(place, expression)?}),
    })
}

fn steps(steps: &[Step]) -> Result<Vec<Value>, CompileError> {
    let numbered = steps.iter().enumerate();
    numbered
        .filter(|(_, step)| !matches!(step.action, Action::Multiline(_)))
        .map(|(at, step)| {
            let place = format!("spec.processors[{at}]");
            Ok(json!({
                "action": action(&place, &step.action)?,
                "where": conditions(&format!("{place}.where"), &step.conditions)?,
            }))
        })
        .collect()
}

fn action(place: &str, action: &Action) -> Result<Value, CompileError> {
    Ok(match action {
        Action::Parse { field, format } => match format {
            Format::Json => json!({"do": "parse", "field": path(field), "format": "json"}),
            Format::Logfmt => json!({"do": "parse", "field": path(field), "format": "logfmt"}),
            Format::Regex(expression) => json!({
                "do": "parse",
                "field": path(field),
                "format": "regex",
                "expression": onigmo(&format!("{place}.parse.pattern"), expression)?,
            }),
        },
        // It comes before there is a record.
        Action::Multiline(_) => Value::Null,
        Action::Keep => json!({"do": "keep"}),
        Action::Drop => json!({"do": "drop"}),
        Action::Redact {
            field,
            expressions,
            replacement,
        } => {
            let place = format!("{place}.redact.pattern");
            let expressions = expressions.iter().map(|expression| onigmo(&place, expression));
            json!({
                "do": "redact",
                "field": path(field),
                "expressions": expressions.collect::<Result<Vec<_>, _>>()?,
                "replacement": replacement,
            })
        }
        Action::Set { field, value } => json!({"do": "set", "field": path(field), "value": value}),
        Action::Rename { from, to } => json!({"do": "rename", "from": path(from), "to": path(to)}),
        Action::Remove(fields) => {
            json!({"do": "remove", "fields": fields.iter().map(path).collect::<Vec<_>>()})
        }
        Action::Sample { kept_per_million } => json!({"do": "sample", "keptPerMillion": kept_per_million}),
        Action::Throttle {
            records_per_second,
            per,
        } => json!({
            "do": "throttle",
            "recordsPerSecond": records_per_second,
            "per": per.iter().map(path).collect::<Vec<_>>(),
        }),
    })
}

fn conditions(place: &str, clauses: &[Clause]) -> Result<Vec<Vec<Value>>, CompileError> {
    let numbered = clauses.iter().enumerate();
    numbered
        .map(|(at, clause)| {
            let place = format!("{place}[{at}]");
            clause.any_of.iter().map(|one| predicate(&place, one)).collect()
        })
        .collect()
}

fn predicate(place: &str, predicate: &Predicate) -> Result<Value, CompileError> {
    let path = match &predicate.subject {
        Subject::Record(field) => path(field),
        Subject::NamespaceLabel(key) => vec!["namespace_labels", key],
    };
    Ok(match &predicate.test {
        Test::In(values) => json!({"path": path, "test": "in", "values": values}),
        Test::NotIn(values) => json!({"path": path, "test": "notIn", "values": values}),
        Test::Matches(expression) => {
            json!({"path": path, "test": "matches", "values": [onigmo(&format!("{place}.matches"), expression)?]})
        }
        Test::NotMatches(expression) => {
            json!({"path": path, "test": "notMatches", "values": [onigmo(&format!("{place}.notMatches"), expression)?]})
        }
        Test::Exists(true) => json!({"path": path, "test": "exists"}),
        Test::Exists(false) => json!({"path": path, "test": "absent"}),
    })
}

fn onigmo(place: &str, expression: &Expression) -> Result<String, CompileError> {
    expression.onigmo().map_err(|what| {
        CompileError::field(
            place,
            format!("has {what}, which engine Fluentd cannot look for"),
            "write it differently, or engine: OpenTelemetryCollector",
        )
    })
}
