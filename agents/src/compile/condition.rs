//! Tests on records.

use tributary_crds::condition::{self, Condition, Field};

use crate::CompileError;
use crate::pipeline::{Predicate, Subject, Test};
use crate::re2;

/// Checks one test. `place` is its path, for messages.
pub fn compile_condition(place: &str, condition: &Condition) -> Result<Predicate, CompileError> {
    let field = Field::parse(&condition.field).filter(|field| match field {
        Field::Label(key) => key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c)),
        Field::Message
        | Field::Stream
        | Field::NamespaceName
        | Field::PodName
        | Field::PodId
        | Field::ContainerName
        | Field::Host => true,
    });
    let field = field.ok_or_else(|| {
        let remedy = "write message, stream, kubernetes.namespace_name, kubernetes.pod_name, kubernetes.pod_id, \
                      kubernetes.container_name, kubernetes.host or kubernetes.labels.KEY";
        CompileError::field(format!("{place}.field"), format!("is {:?}, which no record has", condition.field), remedy)
    })?;
    let Some(test) = condition.test() else {
        let remedy = "write one of in, notIn, matches, notMatches, exists";
        return Err(CompileError::field(
            place,
            "does not make exactly one test",
            remedy,
        ));
    };
    let test = match test {
        condition::Test::In(values) => Test::In(check_values(&format!("{place}.in"), values)?),
        condition::Test::NotIn(values) => Test::NotIn(check_values(&format!("{place}.notIn"), values)?),
        condition::Test::Matches(pattern) => {
            Test::Matches(check_pattern(&format!("{place}.matches"), pattern)?)
        }
        condition::Test::NotMatches(pattern) => {
            Test::NotMatches(check_pattern(&format!("{place}.notMatches"), pattern)?)
        }
        condition::Test::Exists(present) => Test::Exists(present),
    };
    Ok(Predicate {
        subject: Subject::Record(field),
        test,
    })
}

fn check_values(field: &str, values: &[String]) -> Result<Vec<String>, CompileError> {
    if values.is_empty() {
        return Err(CompileError::field(field, "is empty", "list at least one value"));
    }
    Ok(values.to_vec())
}

fn check_pattern(field: &str, pattern: &str) -> Result<String, CompileError> {
    match regex::Regex::new(&re2::portable(pattern)) {
        Ok(_) if !pattern.is_empty() => Ok(pattern.to_owned()),
        _ => Err(CompileError::field(
            field,
            format!("is {pattern:?}, which is not a regular expression"),
            "write RE2 syntax (no look-around, no back-references)",
        )),
    }
}
