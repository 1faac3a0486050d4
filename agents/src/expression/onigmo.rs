//! Expressions as Onigmo reads them, the library of Ruby and Fluent Bit.
//!
//! What is written is made anew from what the expression means, in the few forms that both read alike. Everything that is not a
//! letter, a digit or syntax is an escape, so that no configuration language finds anything of its own in it.

use std::fmt::Write as _;

use regex_syntax::hir::{Class, ClassBytes, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Look, Repetition};

const WORD: &str = "[0-9A-Za-z_]";

/// Writes an expression that finds the same. The error says what has no counterpart.
pub fn write(hir: &Hir) -> Result<String, &'static str> {
    let mut text = String::new();
    add(hir, &mut text)?;
    Ok(text)
}

fn add(hir: &Hir, text: &mut String) -> Result<(), &'static str> {
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Literal(literal) => {
            let literal = std::str::from_utf8(&literal.0).map_err(|_| "bytes that are no text")?;
            literal.chars().for_each(|c| add_character(c, text));
        }
        HirKind::Class(Class::Unicode(class)) => add_class(class, text),
        HirKind::Class(Class::Bytes(class)) => add_class(&unicode(class)?, text),
        HirKind::Look(look) => text.push_str(&assertion(*look)?),
        HirKind::Repetition(repetition) => add_repetition(repetition, text)?,
        HirKind::Capture(capture) => {
            match &capture.name {
                Some(name) => text.extend(["(?<", name, ">"]),
                // Beside named groups, Onigmo does not count others.
                None => text.push_str("(?:"),
            }
            add(&capture.sub, text)?;
            text.push(')');
        }
        HirKind::Concat(parts) => {
            for part in parts {
                add_group(part, text)?;
            }
        }
        HirKind::Alternation(parts) => {
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    text.push('|');
                }
                add_group(part, text)?;
            }
        }
    }
    Ok(())
}

/// Within a sequence, alternatives need a group.
fn add_group(hir: &Hir, text: &mut String) -> Result<(), &'static str> {
    if !matches!(hir.kind(), HirKind::Alternation(_)) {
        return add(hir, text);
    }
    text.push_str("(?:");
    add(hir, text)?;
    text.push(')');
    Ok(())
}

fn add_repetition(repetition: &Repetition, text: &mut String) -> Result<(), &'static str> {
    text.push_str("(?:");
    add(&repetition.sub, text)?;
    text.push(')');
    let (least, most) = (repetition.min, repetition.max);
    let most_digits = most.map(|most| most.to_string()).unwrap_or_default();
    text.extend(["{", &least.to_string(), ",", &most_digits, "}"]);
    // Ruby reads `{2}?` as "twice or not at all", and there is nothing to be lazy about.
    if !repetition.greedy && most != Some(least) {
        text.push('?');
    }
    Ok(())
}

/// Ruby's `^` and `$` are about lines, and its `\b` is about letters of any language.
fn assertion(look: Look) -> Result<String, &'static str> {
    Ok(match look {
        Look::Start => r"\A".to_owned(),
        Look::End => r"\z".to_owned(),
        Look::StartLF => r"(?:\A|(?<=\x0A))".to_owned(),
        Look::EndLF => r"(?=\x0A|\z)".to_owned(),
        Look::WordAscii => format!("(?:(?<={WORD})(?!{WORD})|(?<!{WORD})(?={WORD}))"),
        Look::WordAsciiNegate => format!("(?:(?<={WORD})(?={WORD})|(?<!{WORD})(?!{WORD}))"),
        Look::StartCRLF
        | Look::EndCRLF
        | Look::WordUnicode
        | Look::WordUnicodeNegate
        | Look::WordStartAscii
        | Look::WordEndAscii
        | Look::WordStartUnicode
        | Look::WordEndUnicode
        | Look::WordStartHalfAscii
        | Look::WordEndHalfAscii
        | Look::WordStartHalfUnicode
        | Look::WordEndHalfUnicode => return Err("an assertion that RE2 does not know"),
    })
}

fn unicode(class: &ClassBytes) -> Result<ClassUnicode, &'static str> {
    class
        .to_unicode_class()
        .ok_or("a class of bytes that are no characters")
}

fn add_class(class: &ClassUnicode, text: &mut String) {
    let reaches_the_end = class
        .ranges()
        .last()
        .is_some_and(|range| range.end() == char::MAX);
    let mut class = class.clone();
    if reaches_the_end {
        class.negate();
    }
    match (class.ranges(), reaches_the_end) {
        // Every character, or none.
        ([], true) => text.push_str(r"(?:[\x0A]|[^\x0A])"),
        ([], false) => text.push_str("(?!)"),
        (ranges, negated) => {
            text.push_str(if negated { "[^" } else { "[" });
            for range in ranges {
                add_range(*range, text);
            }
            text.push(']');
        }
    }
}

fn add_range(range: ClassUnicodeRange, text: &mut String) {
    add_character(range.start(), text);
    if range.start() != range.end() {
        text.push('-');
        add_character(range.end(), text);
    }
}

fn add_character(c: char, text: &mut String) {
    if c.is_ascii() && !c.is_ascii_alphanumeric() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\\x{:02X}", u32::from(c));
    } else {
        text.push(c);
    }
}

#[cfg(test)]
mod tests {
    use onig::{RegexOptions, Syntax};
    use proptest::prelude::*;

    use crate::expression::Expression;

    /// Where a match starts and ends, in bytes.
    type Found = Vec<(usize, usize)>;

    /// What Rust's `regex` finds, and what Oniguruma does.
    fn matches_of(expression: &Expression, text: &str) -> (Found, Found) {
        let ours = regex::Regex::new(&expression.portable()).unwrap();
        let written = expression.onigmo().unwrap();
        let theirs = onig::Regex::with_options(&written, RegexOptions::REGEX_OPTION_NONE, Syntax::ruby())
            .unwrap_or_else(|error| panic!("{written}: {error}"));
        (
            ours.find_iter(text)
                .map(|found| (found.start(), found.end()))
                .collect(),
            theirs.find_iter(text).collect(),
        )
    }

    #[test]
    fn what_ruby_reads_differently_means_the_same() {
        for (pattern, text) in [
            ("^b$", "a\nb\nc"),
            ("(?m)^b$", "a\nb\nc\nb"),
            ("a.b", "a\nb a-b"),
            ("(?s)a.b", "a\nb"),
            (r"\bé", "é é"),
            (r"\w+\d\s", "é1 a1 ١a "),
            ("(?i)k+", "kKK"),
            ("[^a]+", "a\nbé"),
            ("x{2}?y", "xxy xy y"),
            ("x{2,3}?", "xxxx"),
            ("(?:a|ab)(?:c|bcd)", "abcd"),
            (r"[\x00-\x{10FFFF}]", "é"),
            (r"[^\x00-\x{10FFFF}]", "é"),
            (r#"\#\{x} \$\{y} "'/\\"#, r#"#{x} ${y} "'/\"#),
            (r"\p{Greek}+[^\pL]", "αβ. β"),
        ] {
            let expression = Expression::parse(pattern).unwrap();
            let (ours, theirs) = matches_of(&expression, text);
            assert_eq!(ours, theirs, "{pattern} in {text:?}");
        }
    }

    #[test]
    fn no_configuration_language_finds_anything_of_its_own() {
        let expression = Expression::parse(r#"(?P<a>[#{$"'`\\/<> ]+)\n#\{1+1}\$\{A}"#).unwrap();
        let written = expression.onigmo().unwrap();
        assert!(
            !written.contains(['#', '$', '"', '\'', '`', '/', ' ', '\n']),
            "{written}"
        );
    }

    proptest! {
        #[test]
        fn the_same_is_found(
            pattern in r"([abé]|\.|\[a-c\]|\[\^b\]|\\d|\\w|\\b|\^|\$|\(\?i:b\)|\(a\|bc\)|\(é\)\?|a\*|b\+\?|c\{1,2\}|\(a\|b\)\{2\}){1,5}",
            text in "[abcé1 \nB_]{0,12}",
        ) {
            if let Ok(expression) = Expression::parse(&pattern) {
                let (ours, theirs) = matches_of(&expression, &text);
                prop_assert_eq!(ours, theirs, "{} in {:?}", pattern, text);
            }
        }
    }
}
