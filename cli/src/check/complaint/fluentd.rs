//! `fluentd --dry-run`.
//!
//! It prints the section that it does not accept after `config error in:`, and then why:
//! `config error file="..." error_class=Fluent::ConfigError error="..."`.

use super::{Heard, Parts};

/// Where the section begins that is not accepted.
const SECTION: &str = "config error in:\n";

/// Understands what it has printed.
pub fn understand(printed: &str, parts: &Parts<'_>) -> Heard {
    let Some(error) = printed.lines().find_map(error) else {
        return Heard::Complaints(Vec::new());
    };
    if let Some(lacks) = lacking(&error) {
        return Heard::Lacks(lacks);
    }
    let part = printed
        .split_once(SECTION)
        .and_then(|(_, section)| origin(section, parts))
        .unwrap_or_else(|| parts.block_pointer());
    Heard::Complaints(vec![parts.complaint(part, &error)])
}

/// What a line of an error says: the text after `error=`, as Ruby inspects it.
fn error(line: &str) -> Option<String> {
    let (_, message) = line.split_once("[error]: ")?;
    let (_, quoted) = message.split_once(" error=\"")?;
    let mut text = String::new();
    let mut characters = quoted.chars();
    while let Some(c) = characters.next() {
        match c {
            '"' => return Some(text),
            '\\' => match characters.next()? {
                'n' | 't' | 'r' => text.push(' '),
                other => text.push(other),
            },
            c => text.push(c),
        }
    }
    None
}

/// A plugin that is not installed.
fn lacking(error: &str) -> Option<String> {
    let rest = error.strip_prefix("Unknown ")?;
    let (kind, name) = rest.split_once(" plugin '")?;
    let name = name.split('\'').next()?;
    Some(format!("it has no {kind} plugin {name}; install its gem"))
}

/// The field that a section is made from, by its `@id` or `@label`.
fn origin(section: &str, parts: &Parts<'_>) -> Option<String> {
    // The next line of the log begins with a time.
    let lines = section
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with(|c: char| c.is_ascii_digit()));
    let mut is_source = false;
    for line in lines {
        is_source |= line.starts_with("<source");
        let name = ["@id ", "@label @", "<label @"]
            .iter()
            .find_map(|key| line.strip_prefix(key));
        if let Some(part) = name.and_then(|name| parts.named_within(name.trim_matches(['"', '>', '\'']))) {
            return Some(part);
        }
    }
    is_source.then(|| parts.sources())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::compiling::Block;

    fn heard(printed: &str) -> Heard {
        let policy = json!({"spec": {
            "nodeAgent": {"sources": {}},
            "processors": [{"drop": {}}],
            "outputs": [{"name": "search"}, {"name": "to-b", "forward": {"address": "aggregator:24224"}}],
        }});
        understand(printed, &Parts::new(&policy, Block::NodeAgent))
    }

    fn one(printed: &str) -> (String, String) {
        match heard(printed) {
            Heard::Complaints(complaints) if complaints.len() == 1 => {
                (complaints[0].pointer.clone(), complaints[0].text.clone())
            }
            other => panic!("{other:?}"),
        }
    }

    // As config/section.rb, plugin.rb and supervisor.rb of version 1.19 print it.
    #[test]
    fn the_section_leads_to_the_field() {
        let said = one(
            "2026-08-07 17:28:43 +0900 [info]: starting fluentd-1.19.3 as dry run mode ruby=\"3.4.1\"
2026-08-07 17:28:43 +0900 [error]: config error in:
<match **>
  @type elasticsearch
  @id output_search
  <buffer>
    @type file
  </buffer>
</match>
2026-08-07 17:28:43 +0900 [error]: config error file=\"/x/fluent.conf\" error_class=Fluent::ConfigError error=\"'host' parameter is required, in section \\\"server\\\"\"
",
        );
        assert_eq!(
            said,
            (
                "/spec/outputs/0".to_owned(),
                "'host' parameter is required, in section \"server\"".to_owned()
            )
        );
        for (section, pointer) in [
            ("<filter **>\n  @id step_0\n</filter>", "/spec/processors/0"),
            ("<label @to-b>\n</label>", "/spec/outputs/1"),
            ("<source>\n  @type tail\n</source>", "/spec/nodeAgent/sources"),
            ("<system>\n</system>", "/spec/nodeAgent"),
        ] {
            let printed = format!(
                "2026 [error]: config error in:\n{section}\n2026 [error]: config error error=\"no\"\n"
            );
            assert_eq!(one(&printed).0, pointer, "{section}");
        }
    }

    #[test]
    fn an_error_without_a_section_is_about_the_agent() {
        let said = one(
            "2026-08-07 17:28:43 +0900 [error]: config error file=\"/x/fluent.conf\" error_class=Fluent::ConfigParseError error=\"expected end of line at fluent.conf line 3,5\\n  3: <a\\n     ----^\\n\"",
        );
        assert_eq!(said.0, "/spec/nodeAgent");
        assert_eq!(said.1, "expected end of line at fluent.conf line 3,5 3: <a ----^");
    }

    #[test]
    fn without_a_plugin_it_cannot_judge() {
        let said = heard(
            "2026 [error]: config error file=\"/x/fluent.conf\" error_class=Fluent::NotFoundPluginError error=\"Unknown output plugin 'opensearch'. Run 'gem search -rd fluent-plugin' to find plugins\"\n",
        );
        assert_eq!(
            said,
            Heard::Lacks("it has no output plugin opensearch; install its gem".to_owned())
        );
        assert_eq!(heard("Killed\n"), Heard::Complaints(Vec::new()));
    }
}
