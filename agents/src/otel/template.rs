//! Names with placeholders, in the transformation language.

use tributary_crds::field::Field;

use super::ottl::{self, literal};
use crate::pipeline::Subject;
use crate::template::{ABSENT, DATE_FORMAT, Piece, Spelling, Template};

/// Statements on a log record that write a record's name to `target`. They read the resource, so they come before anything is removed there.
pub fn statements(target: &str, template: &Template) -> Vec<String> {
    let mut statements = Vec::new();
    let mut parts = vec![literal(&template.beginning)];
    for (index, piece) in template.pieces.iter().enumerate() {
        let value = format!("log.cache[\"value_{index}\"]");
        match piece {
            Piece::Literal(text) => {
                parts.push(literal(text));
                continue;
            }
            Piece::Field(field) => statements.extend(field_value(&value, field)),
            Piece::Date => statements.push(format!(
                "set({value}, FormatTime(log.time, {}))",
                literal(DATE_FORMAT)
            )),
        }
        statements.extend(spelled(&value, template.spelling));
        parts.push(value);
    }
    statements.push(format!("set({target}, Concat([{}], \"\"))", parts.join(", ")));
    statements
}

fn field_value(value: &str, field: &Field) -> [String; 2] {
    let path = ottl::path(&Subject::Record(field.clone()));
    [
        format!("set({value}, {})", literal(ABSENT)),
        format!("set({value}, {path}) where {path} != nil and {path} != \"\""),
    ]
}

fn spelled(value: &str, spelling: Spelling) -> Vec<String> {
    let lower_case = format!("set({value}, ToLowerCase({value}))");
    match spelling {
        Spelling::Verbatim => Vec::new(),
        Spelling::LowerCase => vec![lower_case],
        Spelling::LowerCaseWithoutDots => {
            let dot = literal("\\.");
            vec![lower_case, format!("replace_pattern({value}, {dot}, \"_\")")]
        }
    }
}
