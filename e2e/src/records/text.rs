//! Texts as data: also those that no YAML file can hold.

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// The bytes that a text, or a list of texts, `{hex: "ff 00"}` and `{repeat: "ab", times: 3}`, stands for.
pub fn bytes(written: &Value) -> anyhow::Result<Vec<u8>> {
    match written {
        Value::String(text) => Ok(text.clone().into_bytes()),
        Value::Array(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(bytes(part)?);
            }
            Ok(all)
        }
        Value::Object(part) => {
            if let Some(Value::String(digits)) = part.get("hex") {
                return hex(digits);
            }
            let repeated = part.get("repeat").context("a part is a text, hex or repeat")?;
            let times = part
                .get("times")
                .and_then(Value::as_u64)
                .context("repeat needs times")?;
            Ok(bytes(repeated)?.repeat(usize::try_from(times)?))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => bail!("{written} is no text"),
    }
}

/// The same for a text of a record.
pub fn text(written: &Value) -> anyhow::Result<String> {
    String::from_utf8(bytes(written)?).context("a text of a record is UTF-8")
}

/// The pieces of a text that have at most so many bytes, each of which ends where a character does. An empty text is one.
pub fn pieces(text: &str, most: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut end = most.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (piece, more) = text.split_at(end);
        rest = (!more.is_empty()).then_some(more);
        Some(piece)
    })
}

fn hex(digits: &str) -> anyhow::Result<Vec<u8>> {
    let digits: Vec<char> = digits.chars().filter(|digit| *digit != ' ').collect();
    ensure!(digits.len().is_multiple_of(2), "hex needs two digits a byte");
    let byte = |pair: &[char]| {
        let text: String = pair.iter().collect();
        u8::from_str_radix(&text, 16).with_context(|| format!("{text} is no byte"))
    };
    digits.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_are_put_together() {
        let written = json!(["a", {"hex": "ff 0d"}, {"repeat": ["b", {"hex": "00"}], "times": 2}]);
        assert_eq!(bytes(&written).unwrap(), b"a\xff\rb\0b\0");
        assert!(bytes(&json!({"hex": "f"})).is_err());
        assert!(text(&json!({"hex": "ff"})).is_err());
    }

    #[test]
    fn pieces_end_where_characters_do() {
        let all = |text| pieces(text, 3).collect::<Vec<_>>();
        assert_eq!(all("aéébc"), ["aé", "éb", "c"]);
        assert_eq!(all("abc"), ["abc"]);
        assert_eq!(all(""), [""]);
    }
}
