//! What a node agent reads.

use tributary_crds::engine::Engine;
use tributary_crds::source;
use tributary_crds::support::{SOURCES, source_deed};

use crate::CompileError;
use crate::pipeline::Sources;

const PLACE: &str = "spec.nodeAgent.sources";
const UNIT_SUFFIXES: [&str; 7] = [
    ".service", ".socket", ".timer", ".mount", ".slice", ".scope", ".target",
];

/// Checks the sources of a node agent.
pub fn compile(sources: &source::Sources, engine: Engine) -> Result<Sources, CompileError> {
    for name in SOURCES {
        let wanted = match *name {
            "containers" => sources.containers.is_some(),
            "journald" => sources.journald.is_some(),
            _ => !sources.files.is_empty(),
        };
        if let Some(refusal) = source_deed(name).refusal(engine).filter(|_| wanted) {
            let field = format!("{PLACE}.{name}");
            return Err(CompileError::Refused { field, refusal });
        }
    }
    let compiled = Sources {
        containers: sources.containers.is_some(),
        docker: sources
            .containers
            .as_ref()
            .is_some_and(|containers| containers.docker),
        units: sources
            .journald
            .as_ref()
            .map(units)
            .transpose()?
            .unwrap_or_default(),
        files: sources
            .files
            .iter()
            .enumerate()
            .map(|(index, file)| check_path(&format!("{PLACE}.files[{index}].path"), &file.path))
            .collect::<Result<_, _>>()?,
    };
    if compiled == Sources::default() {
        let remedy = "write containers: {}, journald: {units: [...]} or files: [{path: ...}]";
        return Err(CompileError::field(PLACE, "collects nothing", remedy));
    }
    Ok(compiled)
}

fn units(journald: &source::Journald) -> Result<Vec<String>, CompileError> {
    let field = format!("{PLACE}.journald.units");
    if journald.units.is_empty() {
        return Err(CompileError::field(
            field,
            "is empty",
            "list at least one unit, such as kubelet.service",
        ));
    }
    let valid = |c: char| c.is_ascii_alphanumeric() || ":_.@-".contains(c);
    let named = |unit: &&String| {
        !unit.chars().all(valid) || !UNIT_SUFFIXES.iter().any(|suffix| unit.ends_with(suffix))
    };
    match journald.units.iter().find(named) {
        Some(unit) => Err(CompileError::field(
            field,
            format!("has {unit:?}"),
            "write the full names of units, such as kubelet.service",
        )),
        None => Ok(journald.units.clone()),
    }
}

fn check_path(field: &str, path: &str) -> Result<String, CompileError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || "._*?@/-".contains(c);
    let below = path.strip_prefix("/var/log/").unwrap_or_default();
    let plain = below.chars().all(valid) && below.split('/').all(|name| !name.is_empty() && name != "..");
    if !plain {
        return Err(CompileError::field(
            field,
            format!("is {path:?}"),
            "write a path below /var/log, such as /var/log/syslog or /var/log/nginx/*.log",
        ));
    }
    if below.starts_with("pods/") || below.starts_with("containers/") {
        return Err(CompileError::field(
            field,
            "is where the logs of containers are",
            "write sources.containers and a selector",
        ));
    }
    Ok(path.to_owned())
}
