//! Names that differ between records. The output's program computes them into the event's metadata, which is not sent, and the sink
//! only puts them after what they begin with, as it demands that something be the same for every record.

use tributary_crds::field::Field;

use super::vrl::{literal, path};
use crate::pipeline::Destination;
use crate::template::{ABSENT, DATE_FORMAT, Piece, Spelling, Template};

/// What the setting of a sink says. `field` is that of [`Destination::templates`].
pub fn setting(field: &str, template: &Template) -> String {
    match template.fixed() {
        Some(name) => name.to_owned(),
        None => format!("{}{{{{ {} }}}}", template.beginning, place(field)),
    }
}

/// The expression of a whole name in the program behind [`program`].
pub fn expression(field: &str, template: &Template) -> String {
    match template.fixed() {
        Some(name) => literal(name),
        None => [&literal(&template.beginning), " + ", &place(field)].concat(),
    }
}

/// What computes the names of a destination from the standard record.
pub fn program(destination: &Destination) -> String {
    let templates = destination.templates().into_iter();
    templates
        .filter(|(_, template)| template.fixed().is_none())
        .map(|(field, template)| rest(field, template))
        .collect()
}

/// Where the rest of a name is.
fn place(field: &str) -> String {
    format!("%{field}")
}

/// What computes what comes after the beginning of a name.
fn rest(field: &str, template: &Template) -> String {
    let mut program = "name = \"\"\n".to_owned();
    for piece in &template.pieces {
        match piece {
            Piece::Literal(text) => program.push_str(&["name = name + ", &literal(text), "\n"].concat()),
            Piece::Field(field) => program.push_str(&value(field, template.spelling)),
            Piece::Date => program.push_str(&date(template.spelling)),
        }
    }
    program.push_str(&[&place(field), " = name\n"].concat());
    program
}

fn value(field: &Field, spelling: Spelling) -> String {
    let absent = literal(ABSENT);
    let read = ["value = string(", &path(field), ") ?? \"\"\n"].concat();
    let instead = ["if value == \"\" {\n  value = ", &absent, "\n}\n"].concat();
    [read, instead, added(spelling)].concat()
}

fn date(spelling: Spelling) -> String {
    let format = literal(DATE_FORMAT);
    let day = [
        "format_timestamp(parse_timestamp(.time, \"%+\") ?? now(), ",
        &format,
        ") ?? \"\"",
    ]
    .concat();
    ["value = ", &day, "\n", &added(spelling)].concat()
}

/// Adds the variable `value`.
fn added(spelling: Spelling) -> String {
    let spelled = match spelling {
        Spelling::Verbatim => "value",
        Spelling::LowerCase => "downcase(value)",
        Spelling::LowerCaseWithoutDots => r#"replace(downcase(value), ".", "_")"#,
    };
    format!("name = name + {spelled}\n")
}
