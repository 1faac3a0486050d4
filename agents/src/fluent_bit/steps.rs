//! The data of the script that a policy decides: selection, steps, conditions of outputs, and their expressions.

use super::data::{add, path, subject, text};
use super::expressions::Expressions;
use crate::CompileError;
use crate::level;
use crate::pipeline::{Clause, Destination, Pipeline, Predicate, Test};
use crate::step::{Action, Format, Step};

/// The lines of the script's data. The script says what they mean.
pub fn data(pipeline: &Pipeline) -> Result<String, CompileError> {
    let mut lines = String::new();
    let mut expressions = Expressions::default();
    for (at, predicate) in pipeline.selection.iter().enumerate() {
        let place = "spec.selector";
        add_test(&mut lines, &mut expressions, place, "selection", at, predicate)?;
    }
    for (at, step) in pipeline.steps.iter().enumerate() {
        let place = format!("spec.processors[{at}]");
        add(&mut lines, &action(&mut expressions, &place, &step.action)?);
        let set = format!("step/{}", at + 1);
        add_clauses(&mut lines, &mut expressions, &place, &set, &step.conditions)?;
    }
    for (at, output) in pipeline.outputs.iter().enumerate() {
        let place = format!("spec.outputs[{at}]");
        let set = format!("output/{}", output.name);
        add_clauses(&mut lines, &mut expressions, &place, &set, &output.conditions)?;
    }
    add_levels(&mut lines, pipeline);
    expressions.write(&mut lines);
    Ok(lines)
}

fn add_clauses(
    lines: &mut String,
    expressions: &mut Expressions,
    place: &str,
    set: &str,
    clauses: &[Clause],
) -> Result<(), CompileError> {
    for (at, clause) in clauses.iter().enumerate() {
        let place = format!("{place}.where[{at}]");
        let place_of = |test: usize| match clause.any_of.len() {
            1 => place.clone(),
            _ => format!("{place}.anyOf[{test}]"),
        };
        for (test, predicate) in clause.any_of.iter().enumerate() {
            add_test(lines, expressions, &place_of(test), set, at, predicate)?;
        }
    }
    Ok(())
}

fn add_test(
    lines: &mut String,
    expressions: &mut Expressions,
    place: &str,
    set: &str,
    clause: usize,
    predicate: &Predicate,
) -> Result<(), CompileError> {
    let texts = |values: &[String]| values.iter().map(|value| text(value)).collect::<Vec<_>>();
    let (test, values) = match &predicate.test {
        Test::In(values) => ("in", texts(values)),
        Test::NotIn(values) => ("not-in", texts(values)),
        Test::Matches(expression) => {
            let place = format!("{place}.matches");
            ("matches", vec![expressions.found(&place, expression)?])
        }
        Test::NotMatches(expression) => {
            let place = format!("{place}.notMatches");
            ("not-matches", vec![expressions.found(&place, expression)?])
        }
        Test::Exists(true) => ("exists", Vec::new()),
        Test::Exists(false) => ("absent", Vec::new()),
    };
    let mut cells = vec![
        "test".to_owned(),
        text(set),
        (clause + 1).to_string(),
        test.to_owned(),
        subject(&predicate.subject),
    ];
    cells.extend(values);
    add(lines, &cells);
    Ok(())
}

/// The line of a step.
fn action(expressions: &mut Expressions, place: &str, action: &Action) -> Result<Vec<String>, CompileError> {
    let (name, arguments) = match action {
        Action::Parse { field, format } => match format {
            Format::Json => ("json", vec![path(field)]),
            Format::Logfmt => ("logfmt", vec![path(field)]),
            Format::Regex(expression) => {
                let place = format!("{place}.parse.pattern");
                ("regex", vec![path(field), expressions.found(&place, expression)?])
            }
        },
        Action::Multiline(_) => {
            return Err(CompileError::field(
                format!("{place}.multiline"),
                "is what engine FluentBit cannot do without losing lines when it stops",
                "write engine: OpenTelemetryCollector",
            ));
        }
        Action::Keep => ("keep", Vec::new()),
        Action::Drop => ("drop", Vec::new()),
        Action::Redact {
            field,
            expressions: all,
            replacement,
        } => {
            let place = format!("{place}.redact.pattern");
            let mut cells = vec![path(field), text(replacement)];
            for expression in all {
                cells.push(expressions.replaced(&place, expression)?);
            }
            ("redact", cells)
        }
        Action::Set { field, value } => ("set", vec![path(field), text(value)]),
        Action::Rename { from, to } => ("rename", vec![path(from), path(to)]),
        Action::Remove(fields) => ("remove", fields.iter().map(path).collect()),
        Action::Sample { kept_per_million } => ("sample", vec![kept_per_million.to_string()]),
        Action::Throttle {
            records_per_second,
            per,
        } => {
            let measured = per.iter().map(path);
            let cells = std::iter::once(records_per_second.to_string()).chain(measured);
            ("throttle", cells.collect())
        }
    };
    let mut cells = vec!["step".to_owned(), name.to_owned()];
    cells.extend(arguments);
    Ok(cells)
}

/// What is known of levels, where something of the pipeline needs it.
fn add_levels(lines: &mut String, pipeline: &Pipeline) {
    let parses = |step: &Step| matches!(step.action, Action::Parse { .. });
    if pipeline.steps.iter().any(parses) {
        let keys = level::KEYS.iter().map(|key| text(key));
        let cells: Vec<String> = std::iter::once("level-keys".to_owned()).chain(keys).collect();
        add(lines, &cells);
        for (alias, level) in level::ALIASES {
            add(lines, &["level-alias".to_owned(), text(alias), text(level)]);
        }
    }
    if !pipeline.sources.units.is_empty() {
        let levels = level::OF_PRIORITIES.iter().map(|level| text(level));
        let cells: Vec<String> = std::iter::once("priorities".to_owned()).chain(levels).collect();
        add(lines, &cells);
    }
    let has_severity = |destination: &Destination| {
        matches!(destination, Destination::Otlp { .. } | Destination::Loki { .. })
    };
    if pipeline
        .outputs
        .iter()
        .any(|output| has_severity(&output.destination))
    {
        for (level, number) in level::SEVERITY_NUMBERS {
            add(lines, &["severity".to_owned(), text(level), number.to_string()]);
        }
    }
}
