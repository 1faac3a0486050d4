//! Patterns of file names, as the pod annotations hold them.

/// A pattern in parts. Names without `*`, `?` and `[` are not patterns, and all of their characters mean themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// `*`
    AnyText,
    /// `?`
    AnyCharacter,
    /// `[a-c]`, `[!a-c]`: from and to.
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// How an engine reads patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Characters that mean something outside of brackets, and are escaped by a backslash.
    pub special: &'static str,
    /// A backslash that means itself.
    pub backslash: &'static str,
    /// What a class that excludes starts with: `^` or `!`.
    pub negation: char,
}

impl Pattern {
    /// Text in which every character means itself.
    pub fn literal(text: &str) -> Self {
        Self(text.chars().map(Part::Literal).collect())
    }

    /// Reads a file name as the streamer does. Nothing is an error: a `[` without its `]` means itself, and so does a class
    /// that has a range from a later to an earlier character.
    pub fn parse(name: &str) -> Self {
        let characters: Vec<char> = name.chars().collect();
        let mut parts = Vec::with_capacity(characters.len());
        let mut at = 0;
        while let Some(&c) = characters.get(at) {
            let (part, length) = match c {
                '*' => (Part::AnyText, 1),
                '?' => (Part::AnyCharacter, 1),
                '\\' => match characters.get(at + 1) {
                    Some(&escaped) => (Part::Literal(escaped), 2),
                    None => (Part::Literal('\\'), 1),
                },
                '[' => class(&characters[at..]).unwrap_or((Part::Literal('['), 1)),
                _ => (Part::Literal(c), 1),
            };
            // Two stars in a row would mean directories to some.
            if part != Part::AnyText || parts.last() != Some(&Part::AnyText) {
                parts.push(part);
            }
            at += length;
        }
        Self(parts)
    }

    /// Whether it matches a name that starts with a dot only when it says so.
    pub fn starts_with_dot(&self) -> bool {
        self.0.first() == Some(&Part::Literal('.'))
    }

    /// The pattern, as an engine reads it.
    pub fn write(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal('\\') => text.push_str(dialect.backslash),
                Part::Literal(c) => {
                    if dialect.special.contains(*c) {
                        text.push('\\');
                    }
                    text.push(*c);
                }
                Part::AnyText => text.push('*'),
                Part::AnyCharacter => text.push('?'),
                Part::Class { negated, ranges } => {
                    text.push('[');
                    text.extend(negated.then_some(dialect.negation));
                    for &(from, to) in ranges {
                        bound(from, &mut text);
                        if from != to {
                            text.push('-');
                            bound(to, &mut text);
                        }
                    }
                    text.push(']');
                }
            }
        }
        text
    }
}

fn bound(c: char, text: &mut String) {
    if "\\]^!-[".contains(c) {
        text.push('\\');
    }
    text.push(c);
}

/// The class at the start, and its length; nothing when it does not end, or would match nothing or too much in some engine.
fn class(text: &[char]) -> Option<(Part, usize)> {
    let negated = matches!(text.get(1), Some('!' | '^'));
    let start = if negated { 2 } else { 1 };
    let mut at = start;
    let mut ranges = Vec::new();
    loop {
        match *text.get(at..)? {
            [']', ..] if at > start => return Some((Part::Class { negated, ranges }, at + 1)),
            [from, '-', to, ..] if to != ']' => {
                if from > to {
                    return None;
                }
                ranges.push((from, to));
                at += 3;
            }
            [one, ..] => {
                ranges.push((one, one));
                at += 1;
            }
            [] => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIALECT: Dialect = Dialect {
        special: "*?[]{}",
        backslash: "[\\\\]",
        negation: '^',
    };

    #[test]
    fn patterns_are_written_as_they_are_meant() {
        let cases = [
            ("*.log", "*.log"),
            ("**", "*"),
            ("a**?b", "a*?b"),
            ("{a,b}*", "\\{a,b\\}*"),
            ("[!a-c]x", "[^a-c]x"),
            ("[]a]x", "[\\]a]x"),
            ("[a-]*", "[a\\-]*"),
            ("*[ab", "*\\[ab"),
            ("*[z-a]", "*\\[z-a\\]"),
            ("\\*?", "\\*?"),
            ("*\\", "*[\\\\]"),
        ];
        for (pattern, written) in cases {
            assert_eq!(Pattern::parse(pattern).write(DIALECT), written, "{pattern}");
        }
    }

    #[test]
    fn literal_text_means_itself() {
        assert_eq!(
            Pattern::literal("/a{b}\\[c").write(DIALECT),
            "/a\\{b\\}[\\\\]\\[c"
        );
    }
}
