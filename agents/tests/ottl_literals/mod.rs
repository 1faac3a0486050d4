//! Reads what is written in the collector's language.

/// Reads the string literals of an OTTL statement, which are those of Go.
pub fn literals(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = statement;
    while let Some(start) = rest.find('"') {
        let mut literal = String::new();
        let mut characters = rest[start + 1..].char_indices();
        let end = loop {
            let (at, c) = characters.next().expect("a literal that does not end");
            match c {
                '"' => break at,
                '\\' => match characters.next().unwrap().1 {
                    'u' => {
                        let code: String = characters.by_ref().take(4).map(|(_, c)| c).collect();
                        literal.push(char::from_u32(u32::from_str_radix(&code, 16).unwrap()).unwrap());
                    }
                    c @ ('"' | '\\') => literal.push(c),
                    c => panic!("unknown escape {c}"),
                },
                c => {
                    assert!(!c.is_control(), "a control character in a literal");
                    literal.push(c);
                }
            }
        };
        found.push(literal);
        rest = &rest[start + 1 + end + 1..];
    }
    found
}
