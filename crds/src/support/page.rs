//! The table as a page of the documentation.

use std::fmt::Write as _;

use super::{
    AuthMethod, Deed, OUTPUTS, OutputSupport, PATTERNS, PROCESSORS, SOURCES, TEMPLATES, WHEN_FULL, filling,
    of, pattern_deed, placeholder_deed, processor_deed, source_deed, when_full_deed,
};
use crate::engine::Engine;

/// The table as a page of the documentation.
pub fn page() -> String {
    let mut text = String::from(
        "<!-- Generated from crds/src/support by `cargo gen`. -->\n# What each engine can do\n\nThe API server refuses a policy that \
         asks an engine for what it cannot do, and says what to write instead. [Outputs](../outputs.md) and \
         [processors](../processors.md) say how each is done.\n",
    );
    head("output", &mut text);
    for output in OUTPUTS {
        row(&mut text, output.field, |engine| output_cell(output, engine));
    }
    head("`compression` of output", &mut text);
    for output in OUTPUTS.iter().filter(|output| !output.compressions().is_empty()) {
        row(&mut text, output.field, |engine| compression_cell(output, engine));
    }
    let groups = [
        (
            "placeholders in",
            TEMPLATES
                .iter()
                .map(|name| ((*name).to_owned(), placeholder_deed(name, filling(name))))
                .collect(),
        ),
        (
            "`buffer.whenFull`",
            WHEN_FULL
                .map(|full| (format!("{full:?}"), when_full_deed(full)))
                .to_vec(),
        ),
        (
            "processor",
            PROCESSORS
                .iter()
                .map(|name| ((*name).to_owned(), processor_deed(name)))
                .collect(),
        ),
        (
            "source",
            SOURCES
                .iter()
                .map(|name| ((*name).to_owned(), source_deed(name)))
                .collect(),
        ),
        (
            "pattern",
            PATTERNS
                .iter()
                .map(|name| ((*name).to_owned(), pattern_deed(name)))
                .collect(),
        ),
    ];
    for (title, deeds) in groups {
        head(title, &mut text);
        for (name, deed) in deeds {
            row(&mut text, &name, |engine| {
                cell(&deed, engine).unwrap_or_else(|| "yes".to_owned())
            });
        }
    }
    text
}

fn head(title: &str, text: &mut String) {
    let columns: Vec<&str> = Engine::ALL.iter().map(|engine| engine.as_str()).collect();
    let _ = write!(
        text,
        "\n| {title} | `{}` |\n|---|{}\n",
        columns.join("` | `"),
        "---|".repeat(columns.len())
    );
}

fn row(text: &mut String, name: &str, cell: impl Fn(Engine) -> String) {
    let _ = writeln!(text, "| `{name}` | {} |", Engine::ALL.map(cell).join(" | "));
}

/// What to write instead, when the engine cannot.
fn cell(deed: &Deed, engine: Engine) -> Option<String> {
    deed.refusal(engine)
        .map(|refusal| format!("no: {}", refusal.remedy))
}

/// The ways to compress what goes to an output, or a dash for an engine that does not send there.
fn compression_cell(output: &OutputSupport, engine: Engine) -> String {
    if !output.engines().contains(&engine) {
        return "-".to_owned();
    }
    let ways = of(engine).compression(output.field);
    if ways.is_empty() {
        return "no choice".to_owned();
    }
    let names: Vec<String> = ways.iter().map(|way| format!("`{}`", way.as_str())).collect();
    names.join(", ")
}

fn output_cell(output: &OutputSupport, engine: Engine) -> String {
    if let Some(refused) = cell(&output.deed(), engine) {
        return refused;
    }
    let methods: Vec<String> = AuthMethod::ALL
        .into_iter()
        .filter(|method| {
            of(engine)
                .output(output.field)
                .is_some_and(|able| able.contains(method))
        })
        .map(|method| format!("`auth.{}`", method.field()))
        .collect();
    if methods.is_empty() {
        "yes".to_owned()
    } else {
        format!("yes, with {}", methods.join(" or "))
    }
}
