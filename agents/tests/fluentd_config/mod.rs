//! Reads Fluentd's configuration back, as strictly as it is written: every value is in quotes, and evaluates nothing but a variable.

use std::collections::BTreeMap;

/// A section.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Section {
    pub name: String,
    pub argument: String,
    pub settings: BTreeMap<String, String>,
    pub sections: Vec<Section>,
}

impl Section {
    /// A setting, which must be there.
    pub fn get(&self, key: &str) -> &str {
        self.settings
            .get(key)
            .unwrap_or_else(|| panic!("{} has no {key}", self.name))
    }

    /// The first inner section of a name.
    pub fn section(&self, name: &str) -> &Section {
        self.sections
            .iter()
            .find(|section| section.name == name)
            .unwrap_or_else(|| panic!("{} has no section {name}", self.name))
    }

    /// It and all that are in it, each with the names of those around it.
    pub fn all(&self) -> Vec<&Section> {
        std::iter::once(self)
            .chain(self.sections.iter().flat_map(Section::all))
            .collect()
    }

    /// Without its texts: what no text that it holds may change.
    pub fn shape(&self) -> Section {
        Section {
            settings: self
                .settings
                .keys()
                .map(|key| (key.clone(), String::new()))
                .collect(),
            sections: self.sections.iter().map(Section::shape).collect(),
            ..self.clone()
        }
    }
}

/// What a file holds. A variable of the environment is read as `$NAME`.
pub fn read(text: &str) -> Section {
    let mut open = vec![Section::default()];
    for line in text.lines() {
        let line = line.trim_start();
        if let Some(name) = line.strip_prefix("</") {
            let section = open.pop().unwrap();
            assert_eq!(name, format!("{}>", section.name));
            open.last_mut().unwrap().sections.push(section);
        } else if let Some(head) = line.strip_prefix('<') {
            let head = head.strip_suffix('>').unwrap();
            let (name, argument) = head.split_once(' ').unwrap_or((head, ""));
            open.push(Section {
                name: name.to_owned(),
                argument: argument.to_owned(),
                ..Section::default()
            });
        } else {
            let (key, literal) = line.split_once(' ').unwrap();
            let settings = &mut open.last_mut().unwrap().settings;
            assert_eq!(
                settings.insert(key.to_owned(), value(literal)),
                None,
                "{key} is there twice"
            );
        }
    }
    assert_eq!(open.len(), 1, "a section is not closed");
    open.remove(0)
}

fn value(literal: &str) -> String {
    if let Some(variable) = literal
        .strip_prefix("\"#{ENV['")
        .and_then(|rest| rest.strip_suffix("']}\""))
    {
        assert!(
            variable
                .bytes()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
        );
        return format!("${variable}");
    }
    let mut characters = literal.strip_prefix('\'').unwrap().chars().peekable();
    let mut text = String::new();
    loop {
        match characters.next().expect("a literal that does not end") {
            '\'' => break,
            '\\' if matches!(characters.peek(), Some('\'' | '\\')) => text.extend(characters.next()),
            c => text.push(c),
        }
    }
    assert_eq!(characters.next(), None, "something follows {literal}");
    text
}
