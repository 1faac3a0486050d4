//! Regular expressions. A policy's are in RE2's syntax, and every engine must find the same with them.

mod onigmo;
mod portable;
mod syntax;

use regex_syntax::hir::Hir;

/// A regular expression in RE2's syntax, which has been read and is not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression(String);

impl Expression {
    /// Reads one. The error continues a sentence that begins with the text.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("is empty");
        }
        let expression = Self(text.to_owned());
        let portable = expression.portable();
        let ast = regex_syntax::ast::parse::Parser::new().parse(&portable);
        let ast = ast.map_err(|_| "is not a regular expression")?;
        syntax::check(&ast)?;
        match regex::Regex::new(&portable) {
            Ok(_) => Ok(expression),
            Err(regex::Error::CompiledTooBig(_)) => Err("is a regular expression that repeats too much"),
            Err(_) => Err("is not a regular expression"),
        }
    }

    /// As RE2 and Go read it: what the policy says.
    pub fn re2(&self) -> &str {
        &self.0
    }

    /// As Rust's `regex` reads it, and others that take braces and brackets for more than RE2 does.
    pub fn portable(&self) -> String {
        portable::portable(&self.0)
    }

    /// As Onigmo reads it, the library of Ruby and Fluent Bit: letters, digits, syntax and `\xHH` only. The error says what
    /// has no counterpart there.
    pub fn onigmo(&self) -> Result<String, &'static str> {
        onigmo::write(&self.hir())
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

#[cfg(test)]
mod tests {
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
            (r"\u0041", r"\x{"),
            (r"\p{sc=Greek}", "class"),
            ("[a--b]", "classes"),
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
        ] {
            assert!(Expression::parse(pattern).is_ok(), "{pattern}");
        }
    }
}
