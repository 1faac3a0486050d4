//! The table as rules of the resource's schema, which `kubectl apply` meets.

use std::collections::BTreeMap;

use kube::core::{Rule, validate};
use schemars::Schema;

use super::{
    AuthMethod, Deed, Encryption, OUTPUTS, PATTERNS, PROCESSORS, Refusal, SOURCES, TEMPLATES, WHEN_FULL,
    compression_deed, destinations, filling, misfits, pattern_deed, placeholder_deed, processor_deed,
    source_deed, when_full_deed,
};
use crate::compression::Compression;

/// Adds to the schema of an output what does not depend on the engine.
pub fn add_output_rules(schema: &mut Schema) {
    add(schema, output_rules());
}

/// Adds to the schema of a policy's spec what its engines cannot do.
pub fn add_engine_rules(schema: &mut Schema) {
    add(schema, engine_rules());
}

fn add(schema: &mut Schema, rules: Vec<Rule>) {
    for rule in rules {
        // A rule is two texts, which always become JSON.
        let added = validate(schema, rule);
        debug_assert!(added.is_ok(), "{added:?}");
    }
}

fn rule(expression: &str, message: &str) -> Rule {
    Rule::new(expression).message(message)
}

fn refusing(refusal: &Refusal, expression: &str) -> Rule {
    rule(expression, &format!("{}: {}", refusal.problem, refusal.remedy))
}

fn output_rules() -> Vec<Rule> {
    let has: Vec<String> = OUTPUTS
        .iter()
        .map(|output| format!("has(self.{})", output.field))
        .collect();
    let count = format!("[{}].filter(x, x).size() == 1", has.join(", "));
    let sentence = format!(
        "an output has exactly one destination: write one of {}",
        destinations()
    );
    let mut rules = vec![rule(&count, &sentence)];
    rules.extend(encryption_rules());
    rules.extend(misfit_rules());
    rules
}

/// What has no meaning for some destinations, whatever the engine.
fn misfit_rules() -> Vec<Rule> {
    misfits()
        .into_iter()
        .map(|misfit| {
            let has: Vec<String> = misfit
                .fields
                .iter()
                .map(|field| format!("has(self.{field})"))
                .collect();
            let expression = format!("!(({}) && {})", has.join(" || "), misfit.thing.asked());
            rule(&expression, &misfit.sentence())
        })
        .collect()
}

fn encryption_rules() -> [Rule; 2] {
    let mut local = Vec::new();
    let mut encrypted = Vec::new();
    for output in OUTPUTS {
        let field = output.field;
        match output.encryption {
            Encryption::NoNetwork => local.push(field),
            Encryption::Tls | Encryption::Always | Encryption::Own => {}
            Encryption::Scheme(url) => {
                encrypted.push(format!(
                    "(!has(self.{field}) || self.{field}.{url}.startsWith('https:'))"
                ));
            }
        }
    }
    let has: Vec<String> = local.iter().map(|field| format!("has(self.{field})")).collect();
    [
        rule(
            &format!(
                "!({}) || !(has(self.auth) || has(self.tls) || has(self.compression))",
                has.join(" || ")
            ),
            &format!(
                "{} use no network: remove auth, tls and compression",
                local.join(" and ")
            ),
        ),
        rule(
            &format!("!has(self.tls) || ({})", encrypted.join(" && ")),
            "tls is set, but the address starts with http://: write https:// or remove tls",
        ),
    ]
}

/// The rules of the spec about what not every engine can do, whichever pattern it serves.
fn engine_rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    let mut refuse = |deed: &Deed, patterns: &[&str], asked: &str| {
        let Some(refusal) = deed.sentence() else { return };
        let able: Vec<String> = deed
            .able
            .iter()
            .map(|engine| format!("'{}'", engine.as_str()))
            .collect();
        let able = able.join(", ");
        let unable: Vec<String> = patterns
            .iter()
            .map(|pattern| format!("has(self.{pattern}) && !(self.{pattern}.engine in [{able}])"))
            .collect();
        rules.push(refusing(
            &refusal,
            &format!("!({}) || !({asked})", unable.join(" || ")),
        ));
    };
    for pattern in PATTERNS {
        refuse(&pattern_deed(pattern), &[pattern], "true");
    }
    for source in SOURCES {
        let asked = format!("has(self.nodeAgent.sources.{source})");
        refuse(&source_deed(source), &["nodeAgent"], &asked);
    }
    for processor in PROCESSORS {
        let asked = format!("has(self.processors) && self.processors.exists(p, has(p.{processor}))");
        refuse(&processor_deed(processor), PATTERNS, &asked);
    }
    for output in OUTPUTS {
        let field = output.field;
        refuse(
            &output.deed(),
            PATTERNS,
            &format!("self.outputs.exists(o, has(o.{field}))"),
        );
        for method in AuthMethod::ALL {
            if let Some(deed) = output.auth_deed(method) {
                let method = method.field();
                let asked =
                    format!("self.outputs.exists(o, has(o.{field}) && has(o.auth) && has(o.auth.{method}))");
                refuse(&deed, PATTERNS, &asked);
            }
        }
    }
    for (way, fields, deed) in compression_deeds() {
        let has: Vec<String> = fields.iter().map(|field| format!("has(o.{field})")).collect();
        let asked = format!(
            "self.outputs.exists(o, has(o.compression) && o.compression == '{}' && ({}))",
            way.as_str(),
            has.join(" || ")
        );
        refuse(&deed, PATTERNS, &asked);
    }
    for (templates, deed) in placeholder_deeds() {
        let holds: Vec<String> = templates
            .iter()
            .map(|template| holds_placeholder(template))
            .collect();
        let asked = format!("self.outputs.exists(o, {})", holds.join(" || "));
        refuse(&deed, PATTERNS, &asked);
    }
    for when_full in WHEN_FULL {
        let asked = format!("self.outputs.exists(o, o.buffer.whenFull == '{when_full:?}')");
        refuse(&when_full_deed(when_full), PATTERNS, &asked);
    }
    rules
}

/// Each way to compress with the outputs for which the same engines know it.
pub fn compression_deeds() -> Vec<(Compression, Vec<&'static str>, Deed)> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for output in OUTPUTS {
        for way in output.compressions() {
            let group = (output.compressing(way), way);
            groups.entry(group).or_default().push(output.field);
        }
    }
    groups
        .into_iter()
        .map(|((able, way), fields)| {
            let deed = compression_deed(way, &fields.join(", "), able);
            (way, fields, deed)
        })
        .collect()
}

/// The names that may hold placeholders, together where the same engines can fill them.
pub fn placeholder_deeds() -> Vec<(Vec<&'static str>, Deed)> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for template in TEMPLATES {
        groups.entry(filling(template)).or_default().push(*template);
    }
    groups
        .into_iter()
        .map(|(able, templates)| {
            let deed = placeholder_deed(&templates.join(", "), able);
            (templates, deed)
        })
        .collect()
}

/// Whether an output `o` has a placeholder in a field of [`TEMPLATES`].
fn holds_placeholder(template: &str) -> String {
    let output = template.split_once('.').map_or(template, |(output, _)| output);
    format!("has(o.{output}) && has(o.{template}) && o.{template}.contains('{{')")
}
