//! The Vector Remap Language: literals and paths.

use tributary_crds::field::Field;

use crate::expression::Expression;

/// Any text as a string literal. Braces are escaped because two of them would be read as a template.
pub fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' | '{' | '}' => quoted.extend(['\\', c]),
            _ if c.is_control() => quoted.extend(format!("\\u{{{:x}}}", u32::from(c)).chars()),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A list of string literals.
pub fn literals(texts: &[String]) -> String {
    let literals: Vec<String> = texts.iter().map(|text| literal(text)).collect();
    format!("[{}]", literals.join(", "))
}

/// A regular expression literal. The language has no escapes there: a quote, escaped or not, would end it, and is written by
/// its number.
pub fn regex(expression: &Expression) -> String {
    let mut quoted = String::from("r'");
    let portable = expression.portable();
    let mut rest = portable.chars();
    while let Some(c) = rest.next() {
        match c {
            '\'' => quoted.push_str("\\x27"),
            '\\' => match rest.next() {
                Some('\'') => quoted.push_str("\\x27"),
                escaped => quoted.extend(std::iter::once('\\').chain(escaped)),
            },
            _ => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// The text as the replacement of a regular expression, where a dollar would name a group.
pub fn replacement(text: &str) -> String {
    literal(&text.replace('$', "$$"))
}

/// The path of a field in the standard record.
pub fn path(field: &Field) -> String {
    match field {
        Field::Message => ".message".to_owned(),
        Field::Level => ".level".to_owned(),
        Field::Stream => ".stream".to_owned(),
        Field::File => ".file".to_owned(),
        Field::Unit => ".systemd.unit".to_owned(),
        Field::NamespaceName => ".kubernetes.namespace_name".to_owned(),
        Field::PodName => ".kubernetes.pod_name".to_owned(),
        Field::PodId => ".kubernetes.pod_id".to_owned(),
        Field::ContainerName => ".kubernetes.container_name".to_owned(),
        Field::Host => ".kubernetes.host".to_owned(),
        Field::Label(key) => format!(".kubernetes.labels.{}", literal(key)),
        Field::Data(keys) => keys
            .iter()
            .fold(".data".to_owned(), |path, key| path + "." + &literal(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_escape_what_ends_or_breaks_them() {
        assert_eq!(literal("a\"b\\c\n{{d}}'é$%"), r#""a\"b\\c\u{a}\{\{d\}\}'é$%""#);
        assert_eq!(literals(&["a".to_owned(), "b".to_owned()]), r#"["a", "b"]"#);
        assert_eq!(replacement("$1"), r#""$$1""#);
    }

    #[test]
    fn expressions_hold_no_quote() {
        for (pattern, expected) in [
            (r"a'b", r"r'a\x27b'"),
            (r"a\'b\\'", r"r'a\x27b\\\x27'"),
            (r"['\]]", r"r'[\x27\]]'"),
        ] {
            let expression = Expression::parse(pattern).expect("a regular expression");
            assert_eq!(regex(&expression), expected, "{pattern}");
        }
    }

    #[test]
    fn keys_are_quoted() {
        let field = Field::parse("data.a['b.c d']").expect("a field");
        assert_eq!(path(&field), r#".data."a"."b.c d""#);
    }
}
