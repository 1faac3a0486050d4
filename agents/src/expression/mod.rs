//! Regular expressions. A policy's are in RE2's syntax, and every engine must find the same with them.

mod portable;

use regex_syntax::hir::Hir;

/// A regular expression in RE2's syntax, which has been read and is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(String);

impl Expression {
    /// Reads one. `None` when it is empty or none.
    pub fn parse(text: &str) -> Option<Self> {
        let expression = Self(text.to_owned());
        (!text.is_empty() && regex::Regex::new(&expression.portable()).is_ok()).then_some(expression)
    }

    /// As RE2 and Go read it: what the policy says.
    pub fn re2(&self) -> &str {
        &self.0
    }

    /// As Rust's `regex` reads it, and others that take braces and brackets for more than RE2 does.
    pub fn portable(&self) -> String {
        portable::portable(&self.0)
    }

    /// What it means.
    pub fn hir(&self) -> Hir {
        // What `parse` has read, this reads too.
        regex_syntax::parse(&self.portable()).unwrap_or_else(|_| Hir::fail())
    }

    /// The names of its groups, in order.
    pub fn group_names(&self) -> Vec<String> {
        let Ok(regex) = regex::Regex::new(&self.portable()) else {
            return Vec::new();
        };
        regex.capture_names().flatten().map(str::to_owned).collect()
    }
}
