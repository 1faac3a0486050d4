//! Names that differ between records: an index, a topic or the beginning of a key, with placeholders.
//!
//! A name always begins with literal text, and the values hold letters, digits, dots, dashes and underscores only, because Kubernetes
//! has checked them. So no pod can choose a name outside of what the policy leaves open.

use std::iter;

use tributary_crds::field::Field;

/// A name with or without placeholders.
///
/// For a record it is the beginning and all pieces in a row, in which [`Piece::Field`] stands for the field's value and [`Piece::Date`] for the UTC date of
/// the record's time, such as `2026.11.22`. A value that is absent or empty is [`ABSENT`]. At last, the values, not the literal text, are
/// spelled as [`Template::spelling`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it begins with, the same for every record; not empty.
    pub beginning: String,
    /// What goes on after it. Literal texts are not empty, and none follows another.
    pub pieces: Vec<Piece>,
    /// How values are spelled.
    pub spelling: Spelling,
}

/// What stands for a value that a record does not have.
pub const ABSENT: &str = "_";

/// How a date is written, in `strftime`'s language.
pub const DATE_FORMAT: &str = "%Y.%m.%d";

/// A part of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The same for every record.
    Literal(String),
    /// The value of one of [`Template::FIELDS`] or of a pod's label.
    Field(Field),
    /// The day of the record, in UTC.
    Date,
}

/// Why a text is no name. The words continue a sentence that begins with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// It begins with a brace.
    #[error("begins with a placeholder")]
    NoBeginning,
    /// A brace that nothing closes.
    #[error("has a brace that nothing closes")]
    Unclosed,
    /// No record has what stands in the braces.
    #[error("has the unknown placeholder {{{0}}}")]
    Unknown(String),
}

/// How values are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// As they are.
    Verbatim,
    /// In lower case.
    LowerCase,
    /// In lower case, with underscores for dots.
    LowerCaseWithoutDots,
}

impl Template {
    /// The fields that may stand in braces, besides labels, and the most characters that each has in Kubernetes.
    pub const FIELDS: [(Field, usize); 4] = [
        (Field::NamespaceName, 63),
        (Field::PodName, 253),
        (Field::ContainerName, 63),
        (Field::Host, 253),
    ];

    /// Reads a name.
    pub fn parse(text: &str, spelling: Spelling) -> Result<Self, Flaw> {
        let (beginning, mut rest) = text.split_at(text.find('{').unwrap_or(text.len()));
        if beginning.is_empty() {
            return Err(if rest.is_empty() {
                Flaw::Empty
            } else {
                Flaw::NoBeginning
            });
        }
        let mut pieces = Vec::new();
        while let Some((literal, after)) = rest.split_once('{') {
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let (name, after) = after.split_once('}').ok_or(Flaw::Unclosed)?;
            pieces.push(Piece::placeholder(name).ok_or_else(|| Flaw::Unknown(name.to_owned()))?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self {
            beginning: beginning.to_owned(),
            pieces,
            spelling,
        })
    }

    /// The name, when it is the same for every record.
    pub fn fixed(&self) -> Option<&str> {
        self.pieces.is_empty().then_some(&self.beginning)
    }

    /// The fields that it looks at.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Field(field) => Some(field),
            Piece::Literal(_) | Piece::Date => None,
        })
    }

    /// The name of a record whose values are all `value`.
    pub fn filled(&self, value: &str) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Literal(text) => text,
            Piece::Field(_) | Piece::Date => value,
        });
        iter::once(self.beginning.as_str()).chain(pieces).collect()
    }

    /// The most bytes that a name can have.
    pub fn longest(&self) -> usize {
        self.beginning.len() + self.pieces.iter().map(Piece::longest).sum::<usize>()
    }
}

impl Piece {
    /// The most characters of a label's value.
    const LONGEST_LABEL: usize = 63;

    fn placeholder(name: &str) -> Option<Self> {
        if name == "date" {
            return Some(Self::Date);
        }
        let field = Field::parse(name)?;
        let known =
            matches!(field, Field::Label(_)) || Template::FIELDS.iter().any(|(known, _)| *known == field);
        known.then_some(Self::Field(field))
    }

    fn longest(&self) -> usize {
        match self {
            Self::Literal(text) => text.len(),
            Self::Date => "2026.11.22".len(),
            Self::Field(field) => Template::FIELDS
                .iter()
                .find(|(known, _)| known == field)
                .map_or(Self::LONGEST_LABEL, |(_, longest)| *longest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, Flaw> {
        Template::parse(text, Spelling::Verbatim)
    }

    #[test]
    fn a_name_without_placeholders_is_the_same_for_every_record() {
        assert_eq!(parse("app-logs").unwrap().fixed(), Some("app-logs"));
        assert_eq!(parse("logs-{date}").unwrap().fixed(), None);
    }

    #[test]
    fn placeholders_are_read_in_order() {
        let template =
            parse("a-{kubernetes.namespace_name}{date}.b-{kubernetes.labels.app.kubernetes.io/name}")
                .unwrap();
        assert_eq!(template.beginning, "a-");
        assert_eq!(
            template.pieces,
            [
                Piece::Field(Field::NamespaceName),
                Piece::Date,
                Piece::Literal(".b-".to_owned()),
                Piece::Field(Field::Label("app.kubernetes.io/name".to_owned())),
            ]
        );
        assert_eq!(template.filled("x"), "a-xx.b-x");
        assert_eq!(template.longest(), 2 + 63 + 10 + 3 + 63);
    }

    #[test]
    fn what_no_record_has_is_refused() {
        for (text, reason) in [
            ("", "empty"),
            ("{date}", "begins with a placeholder"),
            ("a-{date", "nothing closes"),
            ("a-{}", "unknown placeholder {}"),
            ("a-{message}", "unknown placeholder {message}"),
            ("a-{data.tenant}", "unknown placeholder {data.tenant}"),
            ("a-{kubernetes.pod_id}", "unknown placeholder"),
            ("a-{{date}}", "unknown placeholder {{date}"),
        ] {
            let refused = parse(text).unwrap_err().to_string();
            assert!(refused.contains(reason), "{text}: {refused}");
        }
    }
}
