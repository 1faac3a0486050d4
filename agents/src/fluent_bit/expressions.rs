//! The expressions of a policy, each once, with the programs that are needed of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::data;
use super::program::{self, Direction};
use crate::CompileError;
use crate::expression::Expression;

/// The expressions that were asked for so far.
#[derive(Debug, Default)]
pub struct Expressions {
    numbers: BTreeMap<String, usize>,
    /// Kind and number of the expression to the other cells.
    programs: BTreeMap<(&'static str, usize), Vec<String>>,
}

impl Expressions {
    /// The number of an expression whose matches are looked for. `place` is its path, for messages.
    pub fn found(&mut self, place: &str, expression: &Expression) -> Result<String, CompileError> {
        self.with(place, expression, Direction::Forward)
    }

    /// The number of an expression whose matches are replaced.
    pub fn replaced(&mut self, place: &str, expression: &Expression) -> Result<String, CompileError> {
        self.found(place, expression)?;
        self.with(place, expression, Direction::Reverse)
    }

    /// Adds their lines.
    pub fn write(&self, lines: &mut String) {
        for ((kind, number), cells) in &self.programs {
            let mut all = vec![(*kind).to_owned(), number.to_string()];
            all.extend(cells.iter().cloned());
            data::add(lines, &all);
        }
    }

    fn with(
        &mut self,
        place: &str,
        expression: &Expression,
        direction: Direction,
    ) -> Result<String, CompileError> {
        let next = self.numbers.len() + 1;
        let number = *self.numbers.entry(expression.re2().to_owned()).or_insert(next);
        let kind = match direction {
            Direction::Forward => "forward",
            Direction::Reverse => "reverse",
        };
        if let Entry::Vacant(vacant) = self.programs.entry((kind, number)) {
            let cells = program::program(expression.hir(), direction);
            vacant.insert(cells.ok_or_else(|| too_large(place, expression))?);
        }
        Ok(number.to_string())
    }
}

fn too_large(place: &str, expression: &Expression) -> CompileError {
    CompileError::field(
        place,
        format!(
            "is {:?}, whose program for engine FluentBit would be larger than {} KiB",
            expression.re2(),
            program::LONGEST_LINE >> 10
        ),
        "write + or * for a number of repetitions, name fewer characters of other alphabets, or write engine: OpenTelemetryCollector",
    )
}
