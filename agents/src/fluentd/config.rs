//! Fluentd's configuration language, as far as it is written here: sections, and settings whose values are all quoted.

use std::fmt::Write as _;

use crate::CompileError;

/// A section, `<name argument> ... </name>`.
#[derive(Clone, Debug)]
pub struct Section {
    name: &'static str,
    argument: Option<String>,
    settings: Vec<(&'static str, Setting)>,
    sections: Vec<Section>,
}

/// What a setting has. Fluentd reads numbers, sizes, lists and maps from texts, too.
#[derive(Clone, Debug)]
pub enum Setting {
    /// A text that means itself.
    Text(String),
    /// What the agent's environment has for a variable, whose name is ours.
    Variable(String),
}

impl<T: Into<String>> From<T> for Setting {
    fn from(text: T) -> Self {
        Self::Text(text.into())
    }
}

impl Section {
    /// An empty one.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            argument: None,
            settings: Vec::new(),
            sections: Vec::new(),
        }
    }

    /// Says what stands behind its name: a label's name, a pattern of tags, or keys of chunks. Letters, digits and `@.*-_[],`.
    pub fn argument(mut self, argument: impl Into<String>) -> Self {
        self.argument = Some(argument.into());
        self
    }

    /// Adds a setting.
    pub fn set(mut self, key: &'static str, setting: impl Into<Setting>) -> Self {
        self.settings.push((key, setting.into()));
        self
    }

    /// Adds a setting, when there is a value for it.
    pub fn set_some(self, key: &'static str, setting: Option<impl Into<Setting>>) -> Self {
        match setting {
            Some(setting) => self.set(key, setting),
            None => self,
        }
    }

    /// Adds a section within this one.
    pub fn with(mut self, section: Self) -> Self {
        self.sections.push(section);
        self
    }
}

/// Writes a file. `policy` is for messages.
pub fn write(policy: &str, file: &'static str, sections: &[Section]) -> Result<String, CompileError> {
    let mut text = String::new();
    for section in sections {
        write_section(&mut text, section, 0).map_err(|cause| CompileError::Serialize {
            policy: policy.to_owned(),
            file,
            cause,
        })?;
    }
    Ok(text)
}

fn write_section(text: &mut String, section: &Section, depth: usize) -> Result<(), String> {
    let indentation = "  ".repeat(depth);
    let name = section.name;
    let argument = match &section.argument {
        Some(argument)
            if !argument
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "@.*-_[],".contains(c)) =>
        {
            return Err(format!("section {name} cannot have the argument {argument:?}"));
        }
        Some(argument) => format!(" {argument}"),
        None => String::new(),
    };
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{indentation}<{name}{argument}>");
    for (key, setting) in &section.settings {
        let _ = writeln!(text, "{indentation}  {key} {}", value(key, setting)?);
    }
    for inner in &section.sections {
        write_section(text, inner, depth + 1)?;
    }
    let _ = writeln!(text, "{indentation}</{name}>");
    Ok(())
}

fn value(key: &str, setting: &Setting) -> Result<String, String> {
    match setting {
        Setting::Text(text) => literal(text).ok_or_else(|| format!("{key} cannot have the value {text:?}")),
        Setting::Variable(name)
            if name
                .bytes()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_') =>
        {
            Ok(format!("\"#{{ENV['{name}']}}\""))
        }
        Setting::Variable(name) => Err(format!("{key} cannot name the variable {name:?}")),
    }
}

/// Within single quotes, only a backslash and a single quote mean something else, and nothing is evaluated. A literal is one line.
fn literal(text: &str) -> Option<String> {
    if text.contains(char::is_control) {
        return None;
    }
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        if matches!(c, '\'' | '\\') {
            literal.push('\\');
        }
        literal.push(c);
    }
    literal.push('\'');
    Some(literal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_written_with_everything_quoted() {
        let section = Section::new("match")
            .argument("**")
            .set("@type", "x")
            .set("password", Setting::Variable("SECRET_0".to_owned()))
            .set_some("none", None::<&str>)
            .with(Section::new("buffer").set("path", r"a'b\c #{1}"));
        let expected = "<match **>\n  @type 'x'\n  password \"#{ENV['SECRET_0']}\"\n  <buffer>\n    path 'a\\'b\\\\c #{1}'\n  </buffer>\n</match>\n";
        assert_eq!(write("test", "fluent.conf", &[section]).as_deref(), Ok(expected));
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        for section in [
            Section::new("match").set("a", "b\nc"),
            Section::new("match").argument("a>b"),
            Section::new("match").set("a", Setting::Variable("A']}".to_owned())),
        ] {
            assert!(write("test", "fluent.conf", &[section]).is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn literals_are_read_back(text in r"[^\x00-\x1f\x7f-\x9f]{0,20}") {
            let literal = literal(&text).unwrap();
            proptest::prop_assert_eq!(read(&literal), Some(text));
        }
    }

    /// As Fluentd's reader does: the literal must end where its line does.
    fn read(literal: &str) -> Option<String> {
        let mut rest = literal.strip_prefix('\'')?;
        let mut text = String::new();
        loop {
            if let Some(after) = rest.strip_prefix('\'') {
                return after.is_empty().then_some(text);
            }
            let escaped = rest.strip_prefix('\\').and_then(|after| after.chars().next());
            let c = match escaped {
                Some(c @ ('\'' | '\\')) => c,
                Some(_) | None => rest.chars().next()?,
            };
            let taken = if matches!(escaped, Some('\'' | '\\')) {
                2
            } else {
                c.len_utf8()
            };
            text.push(c);
            rest = &rest[taken..];
        }
    }
}
