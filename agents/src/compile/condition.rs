//! Tests on records.

use tributary_crds::condition::{self, Asked, Condition, FieldTest};
use tributary_crds::field::{FORMS, Field};

use crate::CompileError;
use crate::expression::Expression;
use crate::pipeline::{Clause, Predicate, Subject, Test};

/// Checks a list of conditions. `place` is the list's path, for messages.
pub fn compile_conditions(place: &str, conditions: &[Condition]) -> Result<Vec<Clause>, CompileError> {
    conditions
        .iter()
        .enumerate()
        .map(|(index, condition)| compile_condition(&format!("{place}[{index}]"), condition))
        .collect()
}

fn compile_condition(place: &str, condition: &Condition) -> Result<Clause, CompileError> {
    let Some(asked) = condition.asked() else {
        return Err(CompileError::field(
            place,
            "does not make exactly one test",
            "write field and one of in, notIn, matches, notMatches, exists; or anyOf alone",
        ));
    };
    let any_of = match asked {
        Asked::One(test) => vec![compile_test(place, &test)?],
        Asked::AnyOf(tests) => tests
            .iter()
            .enumerate()
            .map(|(index, test)| compile_test(&format!("{place}.anyOf[{index}]"), test))
            .collect::<Result<_, _>>()?,
    };
    Ok(Clause { any_of })
}

fn compile_test(place: &str, asked: &FieldTest<'_>) -> Result<Predicate, CompileError> {
    let field = parse_field(&format!("{place}.field"), asked.field)?;
    let test = match asked.test {
        condition::Test::In(values) => Test::In(check_values(&format!("{place}.in"), values)?),
        condition::Test::NotIn(values) => Test::NotIn(check_values(&format!("{place}.notIn"), values)?),
        condition::Test::Matches(pattern) => {
            Test::Matches(parse_expression(&format!("{place}.matches"), pattern)?)
        }
        condition::Test::NotMatches(pattern) => {
            Test::NotMatches(parse_expression(&format!("{place}.notMatches"), pattern)?)
        }
        condition::Test::Exists(present) => Test::Exists(present),
    };
    Ok(Predicate {
        subject: Subject::Record(field),
        test,
    })
}

/// Reads the name of a field. `place` is the path of what names it, for messages.
pub fn parse_field(place: &str, name: &str) -> Result<Field, CompileError> {
    Field::parse(name).ok_or_else(|| {
        CompileError::field(
            place,
            format!("is {name:?}, which no record has"),
            format!("write {FORMS}"),
        )
    })
}

/// Reads an expression. `place` is its path, for messages.
pub fn parse_expression(place: &str, pattern: &str) -> Result<Expression, CompileError> {
    Expression::parse(pattern).map_err(|reason| {
        CompileError::field(
            place,
            format!("is {pattern:?}, which {reason}"),
            "write RE2 syntax (no look-around, no back-references)",
        )
    })
}

fn check_values(field: &str, values: &[String]) -> Result<Vec<String>, CompileError> {
    if values.is_empty() {
        return Err(CompileError::field(field, "is empty", "list at least one value"));
    }
    Ok(values.to_vec())
}
