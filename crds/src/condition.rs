//! Conditions on a record, as `where` holds them.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// One test of one field: `field` and exactly one of `in`, `notIn`, `matches`, `notMatches` and `exists`. Or `anyOf`: several of
/// them, of which one is enough.
///
/// Numbers and booleans of a parsed body are compared by their text, `200` or `true`. A record without the field meets `notIn`,
/// `notMatches` and `exists: false`, and none of the others.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.__in__), has(self.notIn), has(self.matches), has(self.notMatches), has(self.exists), has(self.anyOf)].filter(x, x).size() == 1 && has(self.field) != has(self.anyOf)")
        .message("a condition makes one test: write field and one of in, notIn, matches, notMatches, exists; or anyOf alone")
)]
pub struct Condition {
    /// `message`, `level`, `stream`, `file`, `systemd.unit`, `kubernetes.namespace_name`, `kubernetes.pod_name`, `kubernetes.pod_id`,
    /// `kubernetes.container_name`, `kubernetes.host`, `kubernetes.labels.KEY`, or what was parsed or set: `data.KEY`,
    /// `data.KEY.KEY`, `data['KEY.WITH.DOTS']`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 400))]
    #[x_kube(
        validation = Rule::new(
            "self in ['message', 'level', 'stream', 'file', 'systemd.unit', 'kubernetes.namespace_name', 'kubernetes.pod_name', 'kubernetes.pod_id', 'kubernetes.container_name', 'kubernetes.host'] || self.matches('^(kubernetes[.]labels[.][A-Za-z0-9][A-Za-z0-9./_-]*|data([.][A-Za-z0-9_@-]+|\\\\[\\'[A-Za-z0-9_@./ -]+\\'\\\\])+)$')"
        )
        .message("unknown field: write message, level, stream, file, systemd.unit, kubernetes.namespace_name, kubernetes.pod_name, kubernetes.pod_id, kubernetes.container_name, kubernetes.host, kubernetes.labels.KEY or data.KEY")
    )]
    pub field: Option<String>,

    /// The field equals one of these.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub one_of: Option<Vec<String>>,

    /// The field equals none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub not_in: Option<Vec<String>>,

    /// The field contains a match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("''.matches(self) || !''.matches(self)")
            .message("not a regular expression in RE2 syntax (no look-around, no back-references)")
    )]
    pub matches: Option<String>,

    /// The field contains no match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(
        validation = Rule::new("''.matches(self) || !''.matches(self)")
            .message("not a regular expression in RE2 syntax (no look-around, no back-references)")
    )]
    pub not_matches: Option<String>,

    /// Whether the record has the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,

    /// Tests of which a record has to meet one. At most 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8))]
    pub any_of: Option<Vec<Alternative>>,
}

/// One test of one field, as in a condition.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::without_inner_descriptions)]
#[x_kube(
    validation = Rule::new("[has(self.__in__), has(self.notIn), has(self.matches), has(self.notMatches), has(self.exists)].filter(x, x).size() == 1")
        .message("each of anyOf makes one test: write field and one of in, notIn, matches, notMatches, exists")
)]
pub struct Alternative {
    /// As in a condition.
    #[schemars(length(max = 400))]
    pub field: String,

    /// The field equals one of these.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub one_of: Option<Vec<String>>,

    /// The field equals none of these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    pub not_in: Option<Vec<String>>,

    /// The field contains a match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub matches: Option<String>,

    /// The field contains no match of this regular expression (RE2 syntax).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub not_matches: Option<String>,

    /// Whether the record has the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exists: Option<bool>,
}

/// What a condition asks of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked<'a> {
    /// One test.
    One(FieldTest<'a>),
    /// Tests of which one is enough.
    AnyOf(Vec<FieldTest<'a>>),
}

/// A test, and the name of the field that is tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldTest<'a> {
    /// As the policy writes it.
    pub field: &'a str,
    /// What is asked of it.
    pub test: Test<'a>,
}

/// What is asked of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Test<'a> {
    /// Equals one of these.
    In(&'a [String]),
    /// Equals none of these, or is absent.
    NotIn(&'a [String]),
    /// Contains a match of this expression.
    Matches(&'a str),
    /// Contains no match of this expression, or is absent.
    NotMatches(&'a str),
    /// Is present, or is not.
    Exists(bool),
}

impl Condition {
    /// What is asked, or `None` when it is not exactly one thing (which the resource's schema refuses).
    pub fn asked(&self) -> Option<Asked<'_>> {
        let tests = tests(
            self.one_of.as_deref(),
            self.not_in.as_deref(),
            self.matches.as_deref(),
            self.not_matches.as_deref(),
            self.exists,
        );
        match (&self.field, self.any_of.as_deref(), tests.as_slice()) {
            (Some(field), None, [test]) => Some(Asked::One(FieldTest { field, test: *test })),
            (None, Some(alternatives @ [_, ..]), []) => {
                let asked: Option<_> = alternatives.iter().map(Alternative::asked).collect();
                asked.map(Asked::AnyOf)
            }
            _ => None,
        }
    }
}

impl Alternative {
    /// What is asked, or `None` when it is not exactly one thing.
    fn asked(&self) -> Option<FieldTest<'_>> {
        let tests = tests(
            self.one_of.as_deref(),
            self.not_in.as_deref(),
            self.matches.as_deref(),
            self.not_matches.as_deref(),
            self.exists,
        );
        match tests.as_slice() {
            [test] => Some(FieldTest {
                field: &self.field,
                test: *test,
            }),
            _ => None,
        }
    }
}

/// Those that are set.
fn tests<'a>(
    one_of: Option<&'a [String]>,
    not_in: Option<&'a [String]>,
    matches: Option<&'a str>,
    not_matches: Option<&'a str>,
    exists: Option<bool>,
) -> Vec<Test<'a>> {
    [
        one_of.map(Test::In),
        not_in.map(Test::NotIn),
        matches.map(Test::Matches),
        not_matches.map(Test::NotMatches),
        exists.map(Test::Exists),
    ]
    .into_iter()
    .flatten()
    .collect()
}
