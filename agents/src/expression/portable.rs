//! Patterns in RE2's syntax, written so that Rust's `regex` reads the same.

/// Escapes what RE2 takes literally and others do not: braces that repeat nothing, and brackets, `&`, `~` and dashes within
/// brackets; writes `\Q...\E` out, and classes such as `\d`, which RE2 takes for ASCII. The result means to RE2 what the pattern means.
pub fn portable(pattern: &str) -> String {
    let mut written = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '\\' => ascii_class(rest, &mut written, false)
                .or_else(|| quoted(rest, &mut written))
                .unwrap_or_else(|| escape(rest, &mut written)),
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
    // To RE2, a number with a zero before it is none.
    let digits = |number: &str| {
        number.bytes().all(|byte| byte.is_ascii_digit()) && (number.len() < 2 || !number.starts_with('0'))
    };
    (!least.is_empty() && digits(least) && digits(most)).then_some(end + 1)
}

/// Writes the class or assertion of ASCII at the start, if there is one, and returns its length. `within` brackets, or on its own.
fn ascii_class(text: &str, written: &mut String, within: bool) -> Option<usize> {
    let (negated, ranges) = match text.strip_prefix('\\')?.as_bytes().first()? {
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
    match (negated, within) {
        (false, true) => written.push_str(ranges),
        (false, false) => written.extend(["[", ranges, "]"]),
        (true, _) => written.extend(["[^", ranges, "]"]),
    }
    Some(2)
}

/// Writes what stands between `\Q` at the start and `\E`, if it does, and returns the length of all. Within brackets RE2 knows no
/// quotes.
fn quoted(text: &str, written: &mut String) -> Option<usize> {
    let quoted = text.strip_prefix("\\Q")?;
    let (literal, end) = match quoted.find("\\E") {
        Some(end) => (&quoted[..end], end + 2),
        None => (quoted, quoted.len()),
    };
    written.push_str(&regex_syntax::escape(literal));
    Some(end + 2)
}

/// Writes the escape at the start, and returns its length.
fn escape(text: &str, written: &mut String) -> usize {
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
    while !text[at..].is_empty() {
        let rest = &text[at..];
        if rest.starts_with(']') && at > start {
            return at + copy(rest, 1, written);
        }
        at += named_class(rest, written)
            .or_else(|| ascii_class(rest, written, true))
            .unwrap_or_else(|| range(rest, written));
    }
    at
}

/// Writes the class such as `[:alpha:]` at the start, if there is one, and returns its length.
fn named_class(text: &str, written: &mut String) -> Option<usize> {
    let end = text.strip_prefix("[:")?.find(":]")?;
    Some(copy(text, end + 4, written))
}

/// Writes the character at the start, or the range of characters, and returns its length.
fn range(text: &str, written: &mut String) -> usize {
    let first = match text.strip_prefix("-]") {
        Some(_) => copy(text, 1, written),
        None => character(text, written),
    };
    let rest = &text[first..];
    match rest.strip_prefix('-') {
        Some(last) if !last.is_empty() && !last.starts_with(']') => {
            written.push('-');
            first + 1 + character(last, written)
        }
        _ => first,
    }
}

/// Writes the one character or escape at the start within brackets, and returns its length.
fn character(text: &str, written: &mut String) -> usize {
    match text.chars().next() {
        Some('\\') => escape(text, written),
        Some(c) => {
            if matches!(c, '[' | ']' | '&' | '~' | '-') {
                written.push('\\');
            }
            copy(text, c.len_utf8(), written)
        }
        None => 0,
    }
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
            (r"[--a-][+--[:]", r"[\--a-][+-\-\[:]"),
            (r"[\w-a][a-c-e]", r"[0-9A-Za-z_\-a][a-c\-e]"),
            (r"a{02}b{1,00}", r"a\{02}b\{1,00}"),
            (r"\Qa.b{\Ec", r"a\.b\{c"),
            ("é{é", "é\\{é"),
            (r"\d\W\\d[\s\D]", r"[0-9][^0-9A-Za-z_]\\d[\t\n\f\r [^0-9]]"),
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
