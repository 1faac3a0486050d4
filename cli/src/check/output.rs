//! Prints what a check has found: what is wrong to standard output, and notes to standard error.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::report::{Change, Finding, Outcome, Policy, Report, Secret, Validator};
use super::validator;
use crate::error::Error;
use crate::format::{self, Format};

/// Writes the report.
pub fn write(
    report: &Report,
    format: Format,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> Result<(), Error> {
    let text = match format {
        Format::Text => {
            notes(report, stderr)?;
            report.policies.iter().map(sentences).collect()
        }
        Format::Yaml => format::yaml(report)?,
        Format::Json => format::json(report)?,
    };
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

fn sentences(policy: &Policy) -> String {
    let title = format!("LoggingPolicy {}", policy.name);
    let mut text = String::new();
    let mut line = |sentence: &str| {
        text.push_str(sentence);
        text.push('\n');
    };
    for problem in &policy.problems {
        line(&sentence(problem, &title));
    }
    if policy.problems.is_empty() {
        let parts: Vec<String> = std::iter::once("nothing is wrong".to_owned())
            .chain(policy.validators.iter().filter_map(accepted))
            .collect();
        line(&format!(
            "{}:{}: {title}: {}",
            policy.file,
            policy.line,
            parts.join("; ")
        ));
    }
    for change in &policy.engines {
        let answer = match (change.is_possible, change.is_present) {
            (true, true) => "yes, as it is",
            (true, false) => "yes",
            (false, _) => "no:",
        };
        let Change { block, engine, .. } = change;
        line(&format!(
            "{}:{}: {title}: {block} with engine {}: {answer}",
            policy.file,
            policy.line,
            engine.as_str()
        ));
        for problem in &change.problems {
            line(&format!(
                "  {}:{}: {}",
                problem.file, problem.line, problem.message
            ));
        }
    }
    text
}

fn sentence(problem: &Finding, title: &str) -> String {
    format!("{}:{}: {title}: {}", problem.file, problem.line, problem.message)
}

fn accepted(validator: &Validator) -> Option<String> {
    let program = validator
        .program
        .as_deref()
        .filter(|_| validator.outcome == Outcome::Accepted)?;
    Some(format!(
        "{} accepts what its {} reads",
        file_name(program),
        validator.block
    ))
}

fn file_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Says what was not looked at, and what else there must be.
fn notes(report: &Report, stderr: &mut dyn Write) -> io::Result<()> {
    let mut said: Vec<String> = Vec::new();
    for policy in &report.policies {
        let silent = policy
            .validators
            .iter()
            .filter_map(|validator| not_judged(validator, policy));
        let mut notes: Vec<String> = silent.collect();
        if !policy.is_readable {
            notes.push(format!(
                "outputs, processors and engines of LoggingPolicy {} are judged when this is corrected",
                policy.name
            ));
        }
        if let Some(complained) = policy
            .validators
            .iter()
            .find(|v| v.outcome == Outcome::Complained)
        {
            notes.push(format!(
                "the files that it has read are those of: tributary render -f {}; Tributary is made for {}",
                policy.file,
                complained.engine.default_image()
            ));
        }
        if policy.problems.is_empty() {
            notes.extend(secrets(policy));
        }
        // Of a missing program once is enough.
        notes.retain(|note| !said.contains(note));
        said.extend(notes);
    }
    for note in said {
        writeln!(stderr, "note: {note}")?;
    }
    Ok(())
}

fn not_judged(validator: &Validator, policy: &Policy) -> Option<String> {
    let engine = validator.engine.as_str();
    let program = file_name(validator.program.as_deref().unwrap_or_default());
    let reason = validator.message.as_deref().unwrap_or_default();
    match validator.outcome {
        Outcome::NotFound => {
            let names = validator::names(validator.engine);
            let verb = if names.len() > 1 { "are" } else { "is" };
            Some(format!(
                "{} {verb} not on the PATH, so engine {engine} itself was not asked; --engine-binary says where it is",
                names.join(" and ")
            ))
        }
        Outcome::CannotJudge | Outcome::DidNotAnswer => Some(format!(
            "{program} has not judged {} of LoggingPolicy {}: {reason}",
            validator.block, policy.name
        )),
        Outcome::Accepted | Outcome::Complained => None,
    }
}

/// The Secrets of each block.
fn secrets(policy: &Policy) -> Vec<String> {
    let mut by_block: BTreeMap<&str, Vec<&Secret>> = BTreeMap::new();
    for secret in &policy.secrets {
        by_block.entry(secret.block).or_default().push(secret);
    }
    let note = |(block, secrets): (&str, Vec<&Secret>)| {
        let place = match secrets.first().and_then(|secret| secret.namespace) {
            Some(namespace) => format!("in namespace {namespace}"),
            None => "in the namespace of each pod".to_owned(),
        };
        let keys: Vec<String> = secrets
            .iter()
            .map(|secret| format!("{} (key {})", secret.name, secret.key))
            .collect();
        format!(
            "{block} of LoggingPolicy {} reads Secrets {place}: {}",
            policy.name,
            keys.join(", ")
        )
    };
    by_block.into_iter().map(note).collect()
}
