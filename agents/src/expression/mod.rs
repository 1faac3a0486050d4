//! Regular expressions. A policy's are in RE2's syntax, and every engine must find the same with them.

mod classes;
mod onigmo;
mod portable;
mod size;
mod syntax;

use regex_syntax::ast::parse::Parser;
use regex_syntax::hir::translate::Translator;
use regex_syntax::hir::{Hir, HirKind};

/// The longest expression, in characters, which is what the policy's schema allows. Within it no expression is nested or becomes
/// as large as Go's `regexp` refuses: 1,000 levels, 3.3 million instructions, 33 million bounds of classes.
const LONGEST: usize = 1024;
/// The most that an automaton may take, in bytes: the default of Rust's `regex`, which Vector leaves as it is.
const LARGEST: u64 = 10 << 20;

const NOT_ONE: &str = "is not a regular expression";

/// A regular expression in RE2's syntax, which has been read and is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    text: String,
    hir: Hir,
}

impl Expression {
    /// Reads one that every engine accepts. The error continues a sentence that begins with the text.
    ///
    /// Nothing is compiled here: that takes some ten times longer.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        if text.chars().count() > LONGEST {
            return Err("is longer than 1024 characters");
        }
        let portable = portable::portable(text);
        let ast = Parser::new().parse(&portable).map_err(|_| NOT_ONE)?;
        syntax::check(&ast)?;
        let hir = Translator::new()
            .translate(&portable, &ast)
            .map_err(|_| NOT_ONE)?;
        if size::at_most(&hir) > LARGEST {
            return Err("is a regular expression that repeats too much");
        }
        Ok(Self {
            text: text.to_owned(),
            hir,
        })
    }

    /// As RE2 and Go read it: what the policy says.
    pub fn re2(&self) -> &str {
        &self.text
    }

    /// As Rust's `regex` reads it, and others that take braces and brackets for more than RE2 does.
    pub fn portable(&self) -> String {
        portable::portable(&self.text)
    }

    /// As Onigmo reads it, the library of Ruby and Fluent Bit: letters, digits, syntax and `\xHH` only. The error says what
    /// has no counterpart there.
    pub fn onigmo(&self) -> Result<String, &'static str> {
        onigmo::write(&self.hir)
    }

    /// What it means.
    pub fn hir(&self) -> &Hir {
        &self.hir
    }

    /// The names of its groups, in order.
    pub fn group_names(&self) -> Vec<String> {
        let mut names = Vec::new();
        add_names(&self.hir, &mut names);
        names
    }
}

fn add_names(hir: &Hir, names: &mut Vec<String>) {
    if let HirKind::Capture(capture) = hir.kind() {
        names.extend(capture.name.as_deref().map(str::to_owned));
    }
    for sub in hir.kind().subs() {
        add_names(sub, names);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Expression;

    #[test]
    fn what_re2_does_not_read_is_refused() {
        for (pattern, reason) in [
            ("", "empty"),
            ("(", "not a regular expression"),
            ("(?=a)", "not a regular expression"),
            (r"(a)\1", "not a regular expression"),
            ("(?x)a b", "flag"),
            ("(?-u:a)", "flag"),
            ("(?-u)a", "flag"),
            (r"\Ba", r"\B"),
            (r"\<a", "assertion"),
            ("a{1001}", "1000"),
            ("(?:a{40}b{2}){26}", "1000"),
            ("a**", "repeats a repetition"),
            ("a+?{2}", "repeats a repetition"),
            ("(?-u:^)", "flag"),
            (r"[\Qa]", "not a regular expression"),
            ("[[:letter:]]", "brackets"),
            ("(?P<a.b>c)", "name"),
            (r"\p{Alphabetic}", "class"),
            (r"(?:\pL{100}){10}", "too much"),
            (&"a".repeat(1025), "1024"),
            (r"\u0041", r"\x{"),
            (r"\p{sc=Greek}", "class"),
            ("[a--b]", "not a regular expression"),
            ("[[:a&&b:]]", "brackets"),
        ] {
            let refused = Expression::parse(pattern).unwrap_err();
            assert!(refused.contains(reason), "{pattern}: {refused}");
        }
    }

    #[test]
    fn what_re2_reads_is_accepted() {
        for pattern in [
            "(?i:a)|(?sU)b",
            r"\x{41}\pL\p{Greek}[[:alpha:]]",
            r"{}\d{2}",
            "(?P<a>b)(?<c>d)",
            r"\bA\z",
            "(?:a{40}){25}(?:a{2}){0}",
            "(?:a*)*",
            r"[[:^alpha:]\D\]]",
            "(?:[^ ]{1,100} ){10}",
            &"é".repeat(1024),
        ] {
            assert!(Expression::parse(pattern).is_ok(), "{pattern}");
        }
    }

    /// Expressions of many forms, most of which RE2 reads.
    fn patterns() -> impl Strategy<Value = String> {
        let leaf = prop::sample::select(vec![
            "a",
            "é",
            "[^a]",
            ".",
            r"\pL",
            r"\PN",
            r"\w",
            r"[\D]",
            r"\b",
            "^",
            "(?i)k",
            "(?s:.)",
            r"\x{10FFFF}",
            "ab|cd",
            "a{,2}",
            "(?U)",
            "[[:^space:]]",
            "a*?",
            "(?P<n>b)",
            "(?x)",
            r"\p{Alphabetic}",
            r"\B",
            "(",
            "]",
        ]);
        leaf.prop_map(str::to_owned).prop_recursive(4, 24, 4, |inner| {
            let times = prop::sample::select(vec![
                "*", "+", "?", "{0}", "{1,}", "{2}", "{0,3}", "{30}", "{40,}", "{1000}", "{1001}",
            ]);
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
                prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
                (inner, times).prop_map(|(part, times)| format!("(?:{part}){times}")),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_accepted_can_be_compiled(pattern in patterns()) {
            if let Ok(expression) = Expression::parse(&pattern) {
                let regex = regex::Regex::new(&expression.portable());
                prop_assert!(regex.is_ok(), "{}: {:?}", pattern, regex);
                let names: Vec<String> = regex.unwrap().capture_names().flatten().map(str::to_owned).collect();
                prop_assert_eq!(expression.group_names(), names);
            }
        }
    }
}
