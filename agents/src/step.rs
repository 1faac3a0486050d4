//! What happens to records between their source and the outputs. `docs/processors.md` says it for users.

use tributary_crds::field::Field;

use crate::condition::Clause;
use crate::expression::Expression;
use crate::multiline::Boundary;

/// One step, which records pass that meet every clause. All others pass by it as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// To which records. Not empty with [`Action::Keep`] and [`Action::Drop`], empty with [`Action::Multiline`].
    pub conditions: Vec<Clause>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Takes a text apart: the keys found are merged into `data`, each in the place of one of the same name. Then
    /// [`level`](crate::level) is set, when `data` has one. A field that is no text, or not of the format, changes nothing.
    Parse {
        /// `Message` or `Data`.
        field: Field,
        /// How it is structured.
        format: Format,
    },
    /// Joins lines of one stream of one container, or of one file, by newlines. Only ever the first step. The record has the
    /// time of its first line, and ends after a second without another line.
    Multiline(Boundary),
    /// Drops every record that does not meet the conditions.
    Keep,
    /// Drops every record that meets the conditions.
    Drop,
    /// Replaces every match, from left to right, of each expression in turn. A field that is no text changes nothing.
    Redact {
        /// `Message` or `Data`.
        field: Field,
        /// At least one.
        expressions: Vec<Expression>,
        /// Taken literally.
        replacement: String,
    },
    /// Writes a text.
    Set {
        /// `Message`, `Level` or `Data` with one key.
        field: Field,
        /// The text.
        value: String,
    },
    /// Moves a value; nothing happens when there is none. To `Message` and `Level`, a number or boolean is moved as its text, and objects and
    /// lists stay where they are.
    Rename {
        /// `Message`, `Level` or `Data`.
        from: Field,
        /// `Message`, `Level` or `Data` with one key.
        to: Field,
    },
    /// Removes fields, each `Message`, `Level` or `Data`. Objects that become empty stay.
    Remove(Vec<Field>),
    /// Drops a record with a probability.
    Sample {
        /// How many of a million are kept: 1 to 999,999.
        kept_per_million: u32,
    },
    /// Drops the records of a second that are more than its measure, for each combination of values of the fields.
    Throttle {
        /// At least 1.
        records_per_second: u32,
        /// May be empty.
        per: Vec<Field>,
    },
}

/// How a text is structured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object, with nothing but white space around it. Of equal keys the last counts.
    Json,
    /// Words `KEY=VALUE` with white space between them, and nothing else. A value in double quotes may hold spaces, and `\"` and
    /// `\\`. Values are texts.
    Logfmt,
    /// An expression with named groups. Values are texts; groups that found nothing are left out.
    Regex(Expression),
}

impl Step {
    /// Where records of several lines begin and end, when the step joins lines.
    pub fn boundary(&self) -> Option<&Boundary> {
        match &self.action {
            Action::Multiline(boundary) => Some(boundary),
            Action::Parse { .. }
            | Action::Keep
            | Action::Drop
            | Action::Redact { .. }
            | Action::Set { .. }
            | Action::Rename { .. }
            | Action::Remove(_)
            | Action::Sample { .. }
            | Action::Throttle { .. } => None,
        }
    }

    /// The fields that a throttle has measures by.
    pub fn measured_fields(&self) -> &[Field] {
        match &self.action {
            Action::Throttle { per, .. } => per,
            Action::Parse { .. }
            | Action::Multiline(_)
            | Action::Keep
            | Action::Drop
            | Action::Redact { .. }
            | Action::Set { .. }
            | Action::Rename { .. }
            | Action::Remove(_)
            | Action::Sample { .. } => &[],
        }
    }
}
