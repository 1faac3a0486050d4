//! Patterns in RE2's syntax, written so that other engines read the same.

/// Escapes what RE2 takes literally and others do not: braces that repeat nothing, and brackets, `&` and `~` within
/// brackets; and writes `\Q...\E` out. The result means to RE2 what the pattern means.
pub fn portable(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => escape(rest, &mut written),
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
            '\\' => escape(rest, written),
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
