//! `fluent-bit --dry-run`.
//!
//! It prints lines `[TIME] [error] WHAT` and ends with one that says that there was an error. It names plugins, not the outputs' own
//! names, so that the files say which outputs have the plugin.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Complaint, Heard, Parts};

/// Lines that only repeat that something is wrong.
const ECHOES: [&str; 6] = [
    "configuration file contains errors, aborting",
    "configuration file contains format errors, aborting",
    "[reload] check properties",
    "plugins is failed",
    "yaml error",
    "Failed pre_run callback",
];
/// What a line about an unknown property ends with: a list of all others.
const ALLOWED: &str = ". The following properties are allowed";

/// Understands what it has printed.
pub fn understand(printed: &str, parts: &Parts<'_>, files: &BTreeMap<String, String>) -> Heard {
    let errors: Vec<&str> = printed.lines().filter_map(error).collect();
    if let Some(lacks) = errors.iter().find_map(|error| lacking(error)) {
        return Heard::Lacks(lacks);
    }
    let outputs = sections(files);
    let is_echo = |error: &str| ECHOES.iter().any(|echo| error.contains(echo));
    let told = errors.iter().filter(|error| !is_echo(error));
    let complaints: Vec<Complaint> = told
        .map(|error| {
            let error = error.split(ALLOWED).next().unwrap_or(error);
            parts.complaint(origin(error, &outputs, parts), error)
        })
        .collect();
    Heard::Complaints(complaints)
}

/// What a line of an error says.
fn error(line: &str) -> Option<&str> {
    let (_, error) = line.split_once("[error]")?;
    Some(error.trim())
}

/// A plugin that this build has not.
fn lacking(error: &str) -> Option<String> {
    let name = error
        .strip_prefix("[config] section '")?
        .strip_suffix("' tried to instance a plugin name that doesn't exist")?;
    Some(format!("it has no plugin {name}"))
}

/// An output in the file: the plugin, the name, and the properties.
struct Section {
    plugin: String,
    alias: String,
    properties: Vec<String>,
}

fn sections(files: &BTreeMap<String, String>) -> Vec<Section> {
    let documents = files
        .values()
        .filter_map(|text| serde_saphyr::from_str::<Value>(text).ok());
    let text = |section: &Value, key: &str| section[key].as_str().unwrap_or_default().to_owned();
    documents
        .flat_map(|document| {
            let outputs = document
                .pointer("/pipeline/outputs")
                .and_then(Value::as_array)
                .cloned();
            outputs.unwrap_or_default()
        })
        .map(|section| Section {
            plugin: text(&section, "name"),
            alias: text(&section, "alias"),
            properties: section
                .as_object()
                .map(|fields| fields.keys().map(|key| key.to_lowercase()).collect())
                .unwrap_or_default(),
        })
        .collect()
}

/// The field that an error is about.
fn origin(error: &str, outputs: &[Section], parts: &Parts<'_>) -> String {
    if let Some(part) = instance(error).and_then(|alias| parts.named(alias)) {
        return part;
    }
    let Some(plugin) = plugin(error) else {
        return parts.block_pointer();
    };
    if ["tail", "systemd"].contains(&plugin) {
        return parts.sources();
    }
    let property = error.split('\'').nth(1).unwrap_or_default().to_lowercase();
    let of_plugin: Vec<&Section> = outputs
        .iter()
        .filter(|section| section.plugin == plugin)
        .collect();
    let having: Vec<&Section> = of_plugin
        .iter()
        .copied()
        .filter(|section| section.properties.contains(&property))
        .collect();
    match (having.as_slice(), of_plugin.as_slice()) {
        ([one], _) | ([], [one]) => parts.named(&one.alias).unwrap_or_else(|| parts.block_pointer()),
        (_, []) => parts.block_pointer(),
        _ => "/spec/outputs".to_owned(),
    }
}

/// The name in `[output:es:search] ...`.
fn instance(error: &str) -> Option<&str> {
    let (names, _) = error.strip_prefix("[output:")?.split_once(']')?;
    names.split_once(':').map(|(_, alias)| alias)
}

/// The plugin in `[config] es: ...` and in `... on output plugin with section name 'es'`.
fn plugin(error: &str) -> Option<&str> {
    if let Some((_, name)) = error.split_once("plugin with section name '") {
        return name.split('\'').next();
    }
    let (name, _) = error.strip_prefix("[config] ")?.split_once(": ")?;
    (!name.contains(' ')).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::compiling::Block;

    const FILE: &str = "
pipeline:
  outputs:
  - {name: es, alias: search, host: a}
  - {name: loki, alias: loki, tenant_id: a}
  - {name: http, alias: one, header: a}
  - {name: http, alias: two, uri: /b}
";

    fn heard(lines: &[&str]) -> Heard {
        let policy = json!({"spec": {"nodeAgent": {"sources": {}}, "outputs": [
            {"name": "search"}, {"name": "loki", "loki": {"tenantId": "tenant-of-a"}}, {"name": "one"}, {"name": "two"},
        ]}});
        let files = BTreeMap::from([("fluent-bit.yaml".to_owned(), FILE.to_owned())]);
        let lines = lines
            .iter()
            .map(|line| format!("[2026/08/21 10:06:38.123456789] {line}\n"));
        let printed = format!(
            "Fluent Bit v5.1.1\n* https://fluentbit.io\n\n{}",
            lines.collect::<String>()
        );
        understand(&printed, &Parts::new(&policy, Block::NodeAgent), &files)
    }

    fn pointer(line: &str) -> String {
        match heard(&[
            line,
            "[error] [reload] check properties for output plugins is failed",
        ]) {
            Heard::Complaints(complaints) if complaints.len() == 1 => complaints[0].pointer.clone(),
            other => panic!("{other:?}"),
        }
    }

    // As flb_config.c, flb_config_map.c and flb_log.c of version 5.1 print it.
    #[test]
    fn errors_lead_to_the_output_that_has_the_plugin_and_the_property() {
        for (line, field) in [
            (
                "[error] [config] es: unknown configuration property 'hots'. The following properties are allowed: index, type.",
                "/spec/outputs/0",
            ),
            (
                "[error] [config] could not configure property 'tenant_id' on output plugin with section name 'loki'",
                "/spec/outputs/1",
            ),
            (
                "[error] [config] http: unknown configuration property 'uri'",
                "/spec/outputs/3",
            ),
            (
                "[error] [config] http: unknown configuration property 'x'",
                "/spec/outputs",
            ),
            (
                "[error] [config] tail: configuration property 'path' is set 2 times",
                "/spec/nodeAgent/sources",
            ),
            (
                "[error] [output:loki:loki] bad value tenant-of-a",
                "/spec/outputs/1/loki/tenantId",
            ),
            ("[error] [filter_lua] filter cannot be loaded", "/spec/nodeAgent"),
            (
                "[error] [config] YAML error found in file \"/x/fluent-bit.yaml\", line 3, column 1: unexpected event",
                "/spec/nodeAgent",
            ),
        ] {
            assert_eq!(pointer(line), field, "{line}");
        }
    }

    #[test]
    fn lists_and_echoes_are_left_out() {
        let said = heard(&[
            "[ info] [fluent bit] version=5.1.1",
            "[error] [config] es: unknown configuration property 'hots'. The following properties are allowed: index, type.",
            "[error] [reload] check properties for output plugins is failed",
            "[error] configuration file contains errors, aborting.",
        ]);
        let Heard::Complaints(complaints) = said else {
            panic!("{said:?}");
        };
        let texts: Vec<&str> = complaints
            .iter()
            .map(|complaint| complaint.text.as_str())
            .collect();
        assert_eq!(texts, ["[config] es: unknown configuration property 'hots'"]);
    }

    #[test]
    fn a_build_without_a_plugin_cannot_judge() {
        let said =
            heard(&["[error] [config] section 'kafka' tried to instance a plugin name that doesn't exist"]);
        assert_eq!(said, Heard::Lacks("it has no plugin kafka".to_owned()));
    }
}
