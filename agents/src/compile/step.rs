//! The processors of a policy as steps.

use tributary_crds::engine::Engine;
use tributary_crds::field::Field;
use tributary_crds::multiline::Multiline;
use tributary_crds::processor::{self, Deed, ParseFormat, Processor};
use tributary_crds::support::processor_deed;

use super::condition::{compile_conditions, parse_expression, parse_field};
use crate::CompileError;
use crate::expression::Expression;
use crate::multiline::{self, Boundary};
use crate::redaction;
use crate::step::{Action, Format, Step};

/// Checks the processors of a policy for an engine.
pub fn compile(processors: &[Processor], engine: Engine) -> Result<Vec<Step>, CompileError> {
    let mut steps: Vec<Step> = Vec::with_capacity(processors.len());
    for (index, processor) in processors.iter().enumerate() {
        let place = format!("spec.processors[{index}]");
        let step = compile_one(&place, processor, engine)?;
        check_order(&place, &steps, &step)?;
        steps.push(step);
    }
    Ok(steps)
}

fn compile_one(place: &str, processor: &Processor, engine: Engine) -> Result<Step, CompileError> {
    let Some(deed) = processor.deed() else {
        return Err(CompileError::field(
            place,
            "does not do exactly one thing",
            "write one of parse, multiline, keep, drop, redact, set, rename, remove, sample, throttle",
        ));
    };
    let (name, action) = action(place, deed)?;
    if let Some(refusal) = processor_deed(name).refusal(engine) {
        let field = format!("{place}.{name}");
        return Err(CompileError::Refused { field, refusal });
    }
    let conditions = compile_conditions(&format!("{place}.where"), &processor.conditions)?;
    match action {
        Action::Keep | Action::Drop if conditions.is_empty() => Err(CompileError::field(
            format!("{place}.{name}"),
            "does not say which records",
            "add where: [{field: ..., in: [...]}] beside it",
        )),
        Action::Multiline(_) if !conditions.is_empty() => Err(CompileError::field(
            format!("{place}.where"),
            "comes before anything is known of the lines",
            "remove where",
        )),
        action => Ok(Step { action, conditions }),
    }
}

/// What a processor does, and the name of its block.
fn action(place: &str, deed: Deed<'_>) -> Result<(&'static str, Action), CompileError> {
    Ok(match deed {
        Deed::Parse(parse) => ("parse", compile_parse(&format!("{place}.parse"), parse)?),
        Deed::Multiline(multiline) => {
            let boundary = compile_multiline(&format!("{place}.multiline"), multiline)?;
            ("multiline", Action::Multiline(boundary))
        }
        Deed::Keep => ("keep", Action::Keep),
        Deed::Drop => ("drop", Action::Drop),
        Deed::Redact(redact) => ("redact", compile_redact(&format!("{place}.redact"), redact)?),
        Deed::Set(set) => (
            "set",
            Action::Set {
                field: written_field(&format!("{place}.set.field"), &set.field)?,
                value: set.value.clone(),
            },
        ),
        Deed::Rename(rename) => ("rename", compile_rename(&format!("{place}.rename"), rename)?),
        Deed::Remove(remove) => {
            let field = format!("{place}.remove.fields");
            if remove.fields.is_empty() {
                return Err(CompileError::field(field, "is empty", "list at least one field"));
            }
            let fields = remove.fields.iter().map(|name| mutable_field(&field, name));
            ("remove", Action::Remove(fields.collect::<Result<_, _>>()?))
        }
        Deed::Sample(sample) => (
            "sample",
            compile_sample(&format!("{place}.sample.percent"), sample)?,
        ),
        Deed::Throttle(throttle) => {
            let per = format!("{place}.throttle.per");
            if throttle.records_per_second == 0 {
                let field = format!("{place}.throttle.recordsPerSecond");
                return Err(CompileError::field(
                    field,
                    "is 0",
                    "write at least 1, or drop: {} with where",
                ));
            }
            let fields = throttle.per.iter().map(|name| parse_field(&per, name));
            let throttle = Action::Throttle {
                records_per_second: throttle.records_per_second,
                per: fields.collect::<Result<_, _>>()?,
            };
            ("throttle", throttle)
        }
    })
}

fn compile_parse(place: &str, parse: &processor::Parse) -> Result<Action, CompileError> {
    let field = text_field(&format!("{place}.field"), &parse.field)?;
    let pattern = format!("{place}.pattern");
    let format = match (parse.format, &parse.pattern) {
        (ParseFormat::Json, None) => Format::Json,
        (ParseFormat::Logfmt, None) => Format::Logfmt,
        (ParseFormat::Regex, Some(text)) => {
            let expression = parse_expression(&pattern, text)?;
            check_groups(&pattern, &expression)?;
            Format::Regex(expression)
        }
        (ParseFormat::Regex, None) => {
            let remedy = "write pattern: '^(?P<method>[A-Z]+) (?P<path>[^ ]+)', with a name for each key";
            return Err(CompileError::field(pattern, "is absent", remedy));
        }
        (ParseFormat::Json | ParseFormat::Logfmt, Some(_)) => {
            return Err(CompileError::field(
                pattern,
                "is for format Regex",
                "remove it, or write format: Regex",
            ));
        }
    };
    Ok(Action::Parse { field, format })
}

fn check_groups(place: &str, expression: &Expression) -> Result<(), CompileError> {
    let names = expression.group_names();
    let remedy = "name what is to become a key of data, as in (?P<status>[0-9]+), by letters, digits and underscores, each name once";
    if names.is_empty() {
        return Err(CompileError::field(place, "has no named group", remedy));
    }
    let valid = |name: &&String| !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match names.iter().find(valid) {
        Some(name) => Err(CompileError::field(
            place,
            format!("has a group named {name:?}"),
            remedy,
        )),
        None => Ok(()),
    }
}

fn compile_multiline(place: &str, multiline: &Multiline) -> Result<Boundary, CompileError> {
    match (multiline.preset, &multiline.start) {
        (Some(preset), None) => {
            parse_expression(&format!("{place}.preset"), multiline::preset(preset)).map(Boundary::Continues)
        }
        (None, Some(start)) => parse_expression(&format!("{place}.start"), start).map(Boundary::Starts),
        (Some(_), Some(_)) | (None, None) => Err(CompileError::field(
            place,
            "does not say in exactly one way which lines belong together",
            "write either preset or start",
        )),
    }
}

fn compile_redact(place: &str, redact: &processor::Redact) -> Result<Action, CompileError> {
    let field = text_field(&format!("{place}.field"), &redact.field)?;
    let presets = redact
        .presets
        .iter()
        .map(|preset| parse_expression(&format!("{place}.presets"), redaction::preset(*preset)));
    let own = redact
        .pattern
        .iter()
        .map(|pattern| parse_expression(&format!("{place}.pattern"), pattern));
    let expressions: Vec<Expression> = presets.chain(own).collect::<Result<_, _>>()?;
    if expressions.is_empty() {
        return Err(CompileError::field(
            place,
            "does not say what to redact",
            "write presets, pattern or both",
        ));
    }
    let is_empty = |expression: &&Expression| expression.hir().properties().minimum_len() == Some(0);
    if let Some(expression) = expressions.iter().find(is_empty) {
        let problem = format!(
            "is {:?}, which matches nothing at all everywhere",
            expression.re2()
        );
        let remedy = "write what has at least one character, such as token=[^ ]+";
        return Err(CompileError::field(format!("{place}.pattern"), problem, remedy));
    }
    Ok(Action::Redact {
        field,
        expressions,
        replacement: redact.replacement.clone(),
    })
}

fn compile_rename(place: &str, rename: &processor::Rename) -> Result<Action, CompileError> {
    let from = mutable_field(&format!("{place}.from"), &rename.from)?;
    let to = written_field(&format!("{place}.to"), &rename.to)?;
    if from == to {
        return Err(CompileError::field(
            format!("{place}.to"),
            "is the same as from",
            "write another field",
        ));
    }
    Ok(Action::Rename { from, to })
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be between 0 and 100"
)]
fn compile_sample(field: &str, sample: &processor::Sample) -> Result<Action, CompileError> {
    let kept = (sample.percent * 10_000.0).round();
    if !(1.0..=999_999.0).contains(&kept) {
        return Err(CompileError::field(
            field,
            format!("is {}", sample.percent),
            "write a number from 0.0001 to 99.9999, such as 10",
        ));
    }
    Ok(Action::Sample {
        kept_per_million: kept as u32,
    })
}

/// A field that may be altered.
fn mutable_field(place: &str, name: &str) -> Result<Field, CompileError> {
    let field = parse_field(place, name)?;
    if field.is_mutable() {
        return Ok(field);
    }
    Err(CompileError::field(
        place,
        format!("has {name:?}, which says where a record comes from and cannot be altered"),
        "write message, level or data.KEY",
    ))
}

/// A field that may be written: one that may be altered, and not within an object of a body.
fn written_field(place: &str, name: &str) -> Result<Field, CompileError> {
    let field = mutable_field(place, name)?;
    match &field {
        Field::Data(keys) if keys.len() > 1 => Err(CompileError::field(
            place,
            format!("has {name:?}, which is within an object"),
            "write data.KEY with one key",
        )),
        _ => Ok(field),
    }
}

/// A field that may hold a text to look into.
fn text_field(place: &str, name: &str) -> Result<Field, CompileError> {
    let field = parse_field(place, name)?;
    if matches!(field, Field::Message | Field::Data(_)) {
        return Ok(field);
    }
    Err(CompileError::field(
        place,
        format!("has {name:?}, which holds no text of the application"),
        "write message or data.KEY",
    ))
}

/// Steps that would not do what they say after the ones before them.
fn check_order(place: &str, earlier: &[Step], step: &Step) -> Result<(), CompileError> {
    match &step.action {
        Action::Multiline(_) if !earlier.is_empty() => Err(CompileError::field(
            format!("{place}.multiline"),
            "comes after another processor",
            "write it first, and once",
        )),
        Action::Redact {
            field: Field::Message,
            ..
        } if earlier.iter().any(parses_message) => Err(CompileError::field(
            format!("{place}.redact"),
            "comes after parse, which has copied the message's secrets to data",
            "write it before parse, or name a field of data",
        )),
        Action::Parse { .. }
        | Action::Multiline(_)
        | Action::Keep
        | Action::Drop
        | Action::Redact { .. }
        | Action::Set { .. }
        | Action::Rename { .. }
        | Action::Remove(_)
        | Action::Sample { .. }
        | Action::Throttle { .. } => Ok(()),
    }
}

fn parses_message(step: &Step) -> bool {
    matches!(
        step.action,
        Action::Parse {
            field: Field::Message,
            ..
        }
    )
}
