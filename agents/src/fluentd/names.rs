//! Names that differ between records, as the scripts read them.

use serde_json::{Value, json};

use super::fields::path;
use crate::pipeline::Destination;
use crate::template::{ABSENT, DATE_FORMAT, Piece, Spelling, Template};

/// A name: its text, when it is the same for every record, or what `tributary_names.rb` makes it of.
pub fn name(template: &Template) -> Value {
    if let Some(name) = template.fixed() {
        return json!(name);
    }
    let pieces = template.pieces.iter().map(|piece| match piece {
        Piece::Literal(text) => json!({"text": text}),
        Piece::Field(field) => json!({"path": path(field)}),
        Piece::Date => json!({"date": DATE_FORMAT}),
    });
    json!({
        "beginning": template.beginning,
        "pieces": pieces.collect::<Vec<_>>(),
        "absent": ABSENT,
        "lowerCase": match template.spelling {
            Spelling::Verbatim => false,
            Spelling::LowerCase | Spelling::LowerCaseWithoutDots => true,
        },
        "dots": match template.spelling {
            Spelling::Verbatim | Spelling::LowerCase => ".",
            Spelling::LowerCaseWithoutDots => "_",
        },
    })
}

/// A name that differs between records, or nothing.
pub fn of_each(template: Option<&Template>) -> Value {
    template
        .filter(|template| template.fixed().is_none())
        .map_or(Value::Null, name)
}

/// The names by which records are kept apart in the buffer, so that a name that the destination does not know costs no others. Of a bulk
/// request, each operation is answered by itself.
pub fn apart(destination: &Destination) -> Vec<&Template> {
    if matches!(
        destination,
        Destination::Elasticsearch { .. } | Destination::OpenSearch { .. }
    ) {
        return Vec::new();
    }
    let templates = destination.templates().into_iter().map(|(_, template)| template);
    templates.filter(|template| template.fixed().is_none()).collect()
}
