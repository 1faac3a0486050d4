//! What is asked of records.

use tributary_crds::field::Field;

use crate::expression::Expression;

/// Predicates of which one is enough; never empty. A list of clauses is met when each of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// The predicates.
    pub any_of: Vec<Predicate>,
}

/// One test of one subject. A list of predicates is met when each of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predicate {
    /// What is looked at.
    pub subject: Subject,
    /// What is asked of it.
    pub test: Test,
}

/// What a predicate looks at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A field of the standard record.
    Record(Field),
    /// A label of the pod's namespace, by its key.
    NamespaceLabel(String),
}

/// What a predicate asks of a text. Numbers and booleans of a parsed body have the text that JSON has for them, integers without a
/// fraction; objects and lists have none, and are only present. A null counts as absent. A record without the subject meets `NotIn`, `NotMatches` and `Exists(false)` and no other,
/// which is also what Kubernetes' selectors mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Equals one of these.
    In(Vec<String>),
    /// Equals none of these, or is absent.
    NotIn(Vec<String>),
    /// Contains a match of this expression.
    Matches(Expression),
    /// Contains no match of this expression, or is absent.
    NotMatches(Expression),
    /// Is present, or is not.
    Exists(bool),
}
