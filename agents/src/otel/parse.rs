//! Statements that take texts apart.

use super::ottl::{DATA, LEVEL, literal};
use crate::level;
use crate::step::Format;

/// Where the keys that were found are. Absent when the text is not of the format.
const FOUND: &str = "log.cache[\"found\"]";
/// Where a text is while it becomes JSON.
const QUOTED: &str = "log.cache[\"quoted\"]";
const PLAIN: &str = "log.cache[\"plain\"]";
/// Where the level is while it is looked for.
const FOUND_LEVEL: &str = "log.cache[\"level\"]";

/// Takes the text at a path apart, merges what was found into `data`, and sets the level.
pub fn statements(path: &str, format: &Format) -> Vec<String> {
    let mut statements = match format {
        Format::Json => json(path),
        Format::Logfmt => logfmt(path),
        Format::Regex(expression) => groups(path, expression.re2(), &expression.group_names()),
    };
    statements.push(format!(
        "set({DATA}, {{}}) where {DATA} == nil and IsMap({FOUND})"
    ));
    statements.push(format!(
        "merge_maps({DATA}, {FOUND}, \"upsert\") where IsMap({FOUND})"
    ));
    statements.extend(set_level());
    statements
}

fn json(path: &str) -> Vec<String> {
    // Lists are none of our objects, and would be read too.
    let object = literal(r"^[ \t\r\n]*\{");
    vec![format!(
        "set({FOUND}, ParseJSON({path})) where IsString({path}) and IsMatch({path}, {object})"
    )]
}

/// Of groups that found nothing, the language says that they found an empty text.
fn groups(path: &str, expression: &str, names: &[String]) -> Vec<String> {
    let groups = "log.cache[\"groups\"]";
    let mut statements = vec![
        format!(
            "set({groups}, ExtractPatterns({path}, {})) where IsString({path})",
            literal(expression)
        ),
        format!("set({FOUND}, {groups}) where Len({groups}) > 0"),
    ];
    statements.extend(names.iter().map(|name| {
        let key = literal(name);
        format!("delete_key({FOUND}, {key}) where {FOUND}[{key}] == \"\"")
    }));
    statements
}

/// Writes the words as the members of a JSON object: first those with quotes, then those without, because only in the former a backslash
/// may stand for more than itself. The language's own reader of pairs knows no escapes.
fn logfmt(path: &str) -> Vec<String> {
    const KEY: &str = r#"[^\s="]+"#;
    const BARE: &str = r#"[^\s"]*"#;
    const IN_QUOTES: &str = r#"(?:[^"\\]|\\(?s:.))*"#;
    let word = format!("{KEY}=(?:\"{IN_QUOTES}\"|{BARE})");
    let whole = format!(r"^\s*(?:{word}\s+)*{word}\s*$");
    let quoted = format!("\\s*(?:({KEY})=\"({IN_QUOTES})\"|{KEY}={BARE})(?:\\s+|$)");
    let plain = format!("\\s*(?:({KEY})=({BARE})|{KEY}=\"{IN_QUOTES}\")(?:\\s+|$)");
    let replace = |at: &str, pattern: &str, by: &str| {
        format!("replace_pattern({at}, {}, {})", literal(pattern), literal(by))
    };
    vec![
        format!(
            "set({QUOTED}, {path}) where IsString({path}) and IsMatch({path}, {})",
            literal(&whole)
        ),
        format!("set({PLAIN}, {QUOTED})"),
        // Each word of the other kind leaves an empty key behind.
        replace(QUOTED, &quoted, "\"$1\":\"$2\","),
        // A backslash before anything else than these two is one.
        replace(QUOTED, r#"\\(["\\])|(\\)"#, r"\$1$2"),
        replace(QUOTED, "\n", r"\n"),
        replace(QUOTED, "\r", r"\r"),
        replace(QUOTED, "\t", r"\t"),
        replace(PLAIN, &plain, "$1=$2 "),
        replace(PLAIN, r"\\", r"\\"),
        replace(PLAIN, r#"([^\s="]*)=([^\s"]*) "#, "\"$1\":\"$2\","),
        format!(
            "set({FOUND}, ParseJSON(Concat([\"{{\", {QUOTED}, {PLAIN}, \"\\\"\\\":\\\"\\\"}}\"], \"\"))) where {QUOTED} != nil"
        ),
        format!("delete_key({FOUND}, \"\") where IsMap({FOUND})"),
    ]
}

fn set_level() -> Vec<String> {
    let candidate = |key: &&str| {
        let value = format!("{DATA}[{}]", literal(key));
        format!(
            "set({FOUND_LEVEL}, ToLowerCase({value})) where IsMap({FOUND}) and {FOUND_LEVEL} == nil and IsString({value}) and {value} != \"\""
        )
    };
    let mut statements: Vec<String> = level::KEYS.iter().map(candidate).collect();
    for (name, _) in level::SEVERITY_NUMBERS {
        let aliases: Vec<String> = level::ALIASES
            .iter()
            .filter(|(_, meaning)| *meaning == name)
            .map(|(alias, _)| format!("{FOUND_LEVEL} == {}", literal(alias)))
            .collect();
        if !aliases.is_empty() {
            statements.push(format!(
                "set({FOUND_LEVEL}, {}) where {}",
                literal(name),
                aliases.join(" or ")
            ));
        }
    }
    statements.push(format!("set({LEVEL}, {FOUND_LEVEL})"));
    statements
}
