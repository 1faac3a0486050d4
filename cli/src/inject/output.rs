//! Prints pods.

use std::io::Write;

use serde_json::{Value, json};

use crate::error::Error;

use super::admission::Admitted;

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Pods as YAML, a document each.
    #[default]
    Yaml,
    /// Pods as JSON; several in a List.
    Json,
    /// The JSON patch (RFC 6902) of each pod, a line each; [] where nothing changes.
    Patch,
}

/// Writes the pods.
pub fn write(admitted: &[Admitted], format: Format, stdout: &mut dyn Write) -> Result<(), Error> {
    let text = match format {
        Format::Yaml => {
            let document = |admitted: &Admitted| serde_saphyr::to_string(&admitted.pod);
            let documents: Vec<String> = admitted.iter().map(document).collect::<Result<_, _>>()?;
            documents.join("---\n")
        }
        Format::Json => match admitted {
            [one] => json_lines(&one.pod)?,
            several => {
                let items: Vec<&Value> = several.iter().map(|admitted| &admitted.pod).collect();
                json_lines(&json!({"apiVersion": "v1", "kind": "List", "items": items}))?
            }
        },
        Format::Patch => {
            let patches = admitted.iter().map(|admitted| admitted.patch.as_str());
            patches.flat_map(|patch| [patch, "\n"]).collect()
        }
    };
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

fn json_lines(value: &Value) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

#[cfg(test)]
mod tests {
    use tributary_webhook::patch::Patch;

    use super::*;

    fn admitted(pod: Value) -> Admitted {
        Admitted {
            pod,
            patch: Patch::default(),
            warnings: Vec::new(),
            note: None,
            asks: false,
            is_served: true,
        }
    }

    fn written(pods: &[Value], format: Format) -> String {
        let admitted: Vec<Admitted> = pods.iter().cloned().map(admitted).collect();
        let mut text = Vec::new();
        write(&admitted, format, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn text_stays_text_for_readers_of_either_yaml() {
        let long = [
            "long words ".repeat(40),
            format!("{}\n  indented\n", "x".repeat(200)),
        ];
        let texts = vec![
            "true",
            "yes",
            "on",
            "y",
            "no",
            "null",
            "~",
            "",
            "0644",
            "0o17",
            "1_000",
            "1e3",
            ".inf",
            "12:30:45",
            "2026-11-21",
            " x ",
            "a: b",
            "# c",
            "- d",
            "%e",
            "@f",
            "a\nb\n",
            "a\n\n",
            "\ttab",
            "\u{1b}[31m",
            "\u{85}\u{2028}",
            "😀",
            "'",
            "\"",
            "=",
            "<<",
            &long[0],
            &long[1],
        ];
        let numbers = json!([1, -1, 2.5, u64::MAX]);
        let pod = json!({"args": texts, "numbers": numbers, "maps": texts.iter().map(|text| json!({ *text: text })).collect::<Value>()});
        let text = written(std::slice::from_ref(&pod), Format::Yaml);
        assert_eq!(serde_saphyr::from_str::<Value>(&text).unwrap(), pod, "{text}");
        for bare in ["yes", "on", "0644", "12:30:45", "2026-11-21", "1_000"] {
            assert!(!text.contains(&format!("- {bare}\n")), "{bare} is quoted");
        }
    }

    #[test]
    fn several_pods_are_documents_or_a_list_or_lines() {
        let pods = [json!({"kind": "Pod"}), json!({"kind": "Pod", "a": 1})];
        assert_eq!(written(&pods, Format::Yaml), "kind: Pod\n---\na: 1\nkind: Pod\n");
        let list: Value = serde_json::from_str(&written(&pods, Format::Json)).unwrap();
        assert_eq!(list, json!({"apiVersion": "v1", "kind": "List", "items": pods}));
        assert_eq!(written(&pods[..1], Format::Json), "{\n  \"kind\": \"Pod\"\n}\n");
        assert_eq!(written(&pods, Format::Patch), "[]\n[]\n");
    }
}
