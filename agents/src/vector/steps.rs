//! Steps as programs of the Vector Remap Language.
//!
//! Each step stands in an `if`, also where it is for every record: the compiler takes what happens there for possible, not for
//! certain, so that what a step may find has the same type whatever stands before it. No program has an error that it does not
//! handle: a record is dropped by `abort` alone.

use tributary_crds::field::Field;

use super::conditions::{self, text_of};
use super::vrl::{literal, path, regex, replacement};
use crate::expression::Expression;
use crate::level;
use crate::step::{Action, Format, Step};

/// Words `KEY=VALUE` and nothing else.
const LOGFMT: &str =
    r#"r'^[\t\n\f\r ]*(?:[^\t\n\f\r "=]+=(?:"(?:[^"\\]|\\.)*"|[^\t\n\f\r "]*)(?:[\t\n\f\r ]+|$))+$'"#;
/// One such word.
const LOGFMT_WORD: &str =
    r#"r'(?P<key>[^\t\n\f\r "=]+)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\t\n\f\r "]*))'"#;
/// The field of a record that holds what a throttle measures by, on the way to it.
pub const MEASURE: &str = "measure";

/// What records pass, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub enum Stage {
    /// A program.
    Program(String),
    /// At most so many records in a second for each value of [`MEASURE`]; those without it pass by.
    Throttle(u32),
}

/// The stages of the steps but multiline.
pub fn stages(steps: &[Step]) -> Vec<Stage> {
    let mut stages = Vec::new();
    let mut program = String::new();
    for step in steps {
        let condition = conditions::all(&step.conditions);
        let (body, throttle) = match &step.action {
            // It has stages of its own.
            Action::Multiline(_) => continue,
            Action::Throttle {
                records_per_second,
                per,
            } => (measure(per), Some(*records_per_second)),
            action => (body(action), None),
        };
        for statement in &condition.statements {
            program.push_str(statement);
            program.push('\n');
        }
        program.push_str(&format_if(&expression(&step.action, condition.expression), &body));
        if let Some(limit) = throttle {
            stages.push(Stage::Program(std::mem::take(&mut program)));
            stages.push(Stage::Throttle(limit));
            program = format!("del(.{MEASURE})\n");
        }
    }
    if !program.is_empty() {
        stages.push(Stage::Program(program));
    }
    stages
}

/// When the body of a step is run.
fn expression(action: &Action, condition: String) -> String {
    match action {
        Action::Keep => format!("!({condition})"),
        Action::Parse { .. }
        | Action::Multiline(_)
        | Action::Drop
        | Action::Redact { .. }
        | Action::Set { .. }
        | Action::Rename { .. }
        | Action::Remove(_)
        | Action::Sample { .. }
        | Action::Throttle { .. } => condition,
    }
}

fn format_if(condition: &str, body: &[String]) -> String {
    let mut written = format!("if {condition} {{\n");
    for line in body {
        written.push_str("  ");
        written.push_str(line);
        written.push('\n');
    }
    written.push_str("}\n");
    written
}

/// The statements of a step, without its conditions.
fn body(action: &Action) -> Vec<String> {
    match action {
        Action::Parse { field, format } => parse(&path(field), format),
        Action::Keep | Action::Drop => vec!["abort".to_owned()],
        Action::Redact {
            field,
            expressions,
            replacement,
        } => redact(&path(field), expressions, replacement),
        Action::Set { field, value } => vec![format!("{} = {}", path(field), literal(value))],
        Action::Rename { from, to } => rename(from, to),
        Action::Remove(fields) => fields
            .iter()
            .map(|field| format!("del({})", path(field)))
            .collect(),
        Action::Sample { kept_per_million } => vec![format!(
            "if random_int(0, 1000000) >= {kept_per_million} {{ abort }}"
        )],
        // Stages of their own.
        Action::Multiline(_) | Action::Throttle { .. } => Vec::new(),
    }
}

fn measure(per: &[Field]) -> Vec<String> {
    let fields: Vec<String> = per.iter().map(path).collect();
    vec![format!(".{MEASURE} = encode_json([{}])", fields.join(", "))]
}

fn parse(from: &str, format: &Format) -> Vec<String> {
    let mut lines = vec![
        "parsed = null".to_owned(),
        format!("if is_string({from}) {{"),
        format!("  text = string({from}) ?? \"\""),
    ];
    match format {
        Format::Json => lines.push("  parsed = parse_json(text) ?? null".to_owned()),
        Format::Regex(expression) => lines.extend([
            format!("  groups = parse_regex(text, {}) ?? null", regex(expression)),
            "  if is_object(groups) {".to_owned(),
            "    parsed = filter(object(groups) ?? {}) -> |_key, value| { value != null }".to_owned(),
            "  }".to_owned(),
        ]),
        Format::Logfmt => lines.extend(logfmt().map(|line| format!("  {line}"))),
    }
    lines.push("}".to_owned());
    lines.push("if is_object(parsed) {".to_owned());
    lines.push("  .data = merge(object(.data) ?? {}, object(parsed) ?? {})".to_owned());
    lines.extend(level().into_iter().map(|line| format!("  {line}")));
    lines.push("}".to_owned());
    lines
}

/// Reads the variable `text` into `parsed`.
fn logfmt() -> impl Iterator<Item = String> {
    [
        format!("if match(text, {LOGFMT}) {{"),
        "  words = {}".to_owned(),
        format!("  for_each(parse_regex_all(text, {LOGFMT_WORD}) ?? []) -> |_index, word| {{"),
        "    value = if word.quoted != null {".to_owned(),
        r#"      replace(string(word.quoted) ?? "", r'\\(["\\])', "$1")"#.to_owned(),
        "    } else {".to_owned(),
        "      word.bare".to_owned(),
        "    }".to_owned(),
        "    words = set(words, [word.key], value) ?? words".to_owned(),
        "  }".to_owned(),
        "  parsed = words".to_owned(),
        "}".to_owned(),
    ]
    .into_iter()
}

/// Sets the level by what is in `data`.
fn level() -> Vec<String> {
    let mut lines = vec!["level = \"\"".to_owned()];
    lines.extend(level::KEYS.iter().map(|key| {
        let key = path(&Field::Data(vec![(*key).to_owned()]));
        format!("if level == \"\" && is_string({key}) {{ level = downcase(string({key}) ?? \"\") }}")
    }));
    let aliases: Vec<String> = level::ALIASES
        .iter()
        .map(|(alias, level)| format!("{}: {}", literal(alias), literal(level)))
        .collect();
    lines.extend([
        "if level != \"\" {".to_owned(),
        format!("  alias = get({{{}}}, [level]) ?? null", aliases.join(", ")),
        "  .level = if alias != null { alias } else { level }".to_owned(),
        "}".to_owned(),
    ]);
    lines
}

fn redact(field: &str, expressions: &[Expression], with: &str) -> Vec<String> {
    let with = replacement(with);
    let mut lines = vec![
        format!("if is_string({field}) {{"),
        format!("  text = string({field}) ?? \"\""),
    ];
    lines.extend(
        expressions
            .iter()
            .map(|expression| format!("  text = replace(text, {}, {with})", regex(expression))),
    );
    lines.push(format!("  {field} = text"));
    lines.push("}".to_owned());
    lines
}

fn rename(from: &Field, to: &Field) -> Vec<String> {
    let from_path = path(from);
    let mut lines = vec![format!("value = {from_path}")];
    if !matches!(to, Field::Data(_)) {
        lines.push(format!("value = {}", text_of("value")));
    }
    lines.extend([
        "if value != null {".to_owned(),
        format!("  del({from_path})"),
        format!("  {} = value", path(to)),
        "}".to_owned(),
    ]);
    lines
}
