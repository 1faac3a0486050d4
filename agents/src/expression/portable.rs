//! Patterns in RE2's syntax, written so that Rust's `regex` reads the same.

/// Escapes what RE2 takes literally and others do not: braces that repeat nothing, and brackets, `&` and `~` within
/// brackets; writes `\Q...\E` out, and classes such as `\d`, which RE2 takes for ASCII. The result means to RE2 what the pattern means.
pub fn portable(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => ascii_class(rest, &mut written, false).unwrap_or_else(|| escape(rest, &mut written)),
            '[' => class(rest, &mut written),
            '{' if repetition(rest).is_none() => {
                written.push_str("\\{");
                1
            }
            '{' => copy(rest, repetition(rest).unwrap_or(1), &mut written),
            _ => copy(rest, c.len_utf8(), &mut written),
        };
        rest = &rest[taken..];
    }
    written
}

fn copy(text: &str, length: usize, written: &mut String) -> usize {
    written.push_str(&text[..length]);
    length
}

/// The length of `{2}`, `{2,}` or `{2,3}` at the start.
fn repetition(text: &str) -> Option<usize> {
    let end = text.find('}')?;
    let (least, most) = text[1..end].split_once(',').unwrap_or((&text[1..end], ""));
    let digits = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && digits(least) && digits(most)).then_some(end + 1)
}

/// Writes the class or assertion of ASCII at the start, if there is one, and returns its length. `within` brackets, or on its own.
fn ascii_class(text: &str, written: &mut String, within: bool) -> Option<usize> {
    let (negated, ranges) = match text.as_bytes().get(1)? {
        b'd' => (false, "0-9"),
        b'D' => (true, "0-9"),
        b'w' => (false, "0-9A-Za-z_"),
        b'W' => (true, "0-9A-Za-z_"),
        b's' => (false, r"\t\n\f\r "),
        b'S' => (true, r"\t\n\f\r "),
        b'b' if !within => {
            written.push_str(r"(?-u:\b)");
            return Some(2);
        }
        _ => return None,
    };
    let class = match (negated, within) {
        (false, true) => ranges.to_owned(),
        (true, true) => format!("[^{ranges}]"),
        // Without regard to case, letters of other alphabets would belong to them.
        (false, false) => format!("(?-i:[{ranges}])"),
        (true, false) => format!("(?-i:[^{ranges}])"),
    };
    written.push_str(&class);
    Some(2)
}

/// Writes the escape at the start, and returns its length.
fn escape(text: &str, written: &mut String) -> usize {
    if let Some(quoted) = text.strip_prefix("\\Q") {
        let (literal, end) = match quoted.find("\\E") {
            Some(end) => (&quoted[..end], end + 2),
            None => (quoted, quoted.len()),
        };
        written.push_str(&regex_syntax::escape(literal));
        return end + 2;
    }
    let name = text.chars().nth(1);
    let length = match (name, text.find('}')) {
        (Some('p' | 'P' | 'x'), Some(end)) if text[2..].starts_with('{') => end + 1,
        _ => 1 + name.map_or(0, char::len_utf8),
    };
    copy(text, length, written)
}

/// Writes the class in brackets at the start, and returns its length.
fn class(text: &str, written: &mut String) -> usize {
    let start = if text.starts_with("[^") { 2 } else { 1 };
    let mut at = copy(text, start, written);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match c {
            ']' if at > start => return at + copy(rest, 1, written),
            '\\' => ascii_class(rest, written, true).unwrap_or_else(|| escape(rest, written)),
            '[' if rest.starts_with("[:") => copy(rest, rest.find(":]").map_or(1, |end| end + 2), written),
            '[' | '&' | '~' | ']' => {
                written.push('\\');
                copy(rest, 1, written)
            }
            _ => copy(rest, c.len_utf8(), written),
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_others_read_differently_is_changed() {
        let cases = [
            (r#"{"level":"error"}"#, r#"\{"level":"error"}"#),
            (r"a{2}b{2,}c{2,3}d{,3}", r"a{2}b{2,}c{2,3}d\{,3}"),
            (r"\{a\}\p{Greek}\x{41}\\{", r"\{a\}\p{Greek}\x{41}\\\{"),
            (r"[[a&&~]{[]]", r"[\[a\&\&\~]\{[\]]"),
            (r"[^]a][[:alpha:]\]{]", r"[^\]a][[:alpha:]\]{]"),
            (r"\Qa.b{\Ec", r"a\.b\{c"),
            ("é{é", "é\\{é"),
            (
                r"\d\W\\d[\s\D]",
                r"(?-i:[0-9])(?-i:[^0-9A-Za-z_])\\d[\t\n\f\r [^0-9]]",
            ),
            (r"\bx", r"(?-u:\b)x"),
        ];
        for (pattern, expected) in cases {
            assert_eq!(portable(pattern), expected, "{pattern}");
            assert!(regex::Regex::new(expected).is_ok(), "{expected}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_is_too_strange(pattern in r"[\[\]{}\\QEpx&~^:,2é-]{0,12}") {
            let once = portable(&pattern);
            proptest::prop_assert!(once.len() >= pattern.len().saturating_sub(4));
        }
    }
}
