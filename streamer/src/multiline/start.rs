//! A pattern for the first line of a record.

use std::fmt;

use regex_lite::Regex;

use super::RulesError;
use crate::text::lossy;

/// What the first line of a record looks like.
#[derive(Clone)]
pub struct StartPattern(Regex);

impl StartPattern {
    /// Compiles `pattern`, whose matching takes time linear in the line's length.
    pub fn parse(pattern: &str) -> Result<Self, RulesError> {
        if pattern.is_empty() {
            return Err(RulesError::Empty);
        }
        // With the library's own limits, so that whoever checks a pattern with it beforehand comes to the same answer.
        Regex::new(pattern)
            .map(Self)
            .map_err(|error| RulesError::Pattern {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
            })
    }

    /// Whether `line` begins a record. Bytes that are not UTF-8 are U+FFFD to the pattern.
    pub fn matches(&self, line: &[u8]) -> bool {
        self.0.is_match(&lossy(line))
    }
}

impl fmt::Debug for StartPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "/{}/", self.0.as_str())
    }
}

impl PartialEq for StartPattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for StartPattern {}

#[cfg(test)]
mod tests {
    use crate::multiline::{Rules, tests::assert_records};

    #[test]
    fn lines_that_do_not_match_go_with_the_one_before() {
        let rules = Rules::parse(r"/^\d{4}-\d\d /").unwrap();
        assert_records(
            &rules,
            &["no start\nat all", "2026-01 a", "2026-02 b\n\n  c\nlast"],
        );
    }

    #[test]
    fn a_pattern_sees_lines_that_are_not_text() {
        let rules = Rules::parse("/^.x/").unwrap();
        let Rules::Start(pattern) = &rules else {
            panic!("{rules:?}");
        };
        assert!(pattern.matches(b"\xffx") && !pattern.matches(b"x"));
    }

    #[test]
    fn a_pattern_cannot_take_all_memory() {
        let error = Rules::parse(r"/(\w{1000}){1000}/").expect_err("too much");
        assert!(error.to_string().contains("no regular expression"), "{error}");
    }
}
