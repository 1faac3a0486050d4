//! YAML values with the line at which each part begins, so that what is said about a part can be found.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_path_to_error::Segment;
use serde_saphyr::Spanned;

/// The lines of a value's parts, counted from 1.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// By JSON pointer.
    by_pointer: BTreeMap<String, u64>,
}

impl Lines {
    /// One line for everything.
    pub fn all_at(line: u64) -> Self {
        Self {
            by_pointer: BTreeMap::from([(String::new(), line)]),
        }
    }

    /// The line of what this JSON pointer leads to, or of the nearest part around it.
    pub fn of(&self, pointer: &str) -> Option<u64> {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.by_pointer.get(pointer) {
                return Some(*line);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// The lines of one part, as if it were all.
    #[must_use]
    pub fn below(&self, pointer: &str) -> Self {
        let prefix = format!("{pointer}/");
        let inner = self.by_pointer.range(prefix.clone()..);
        let mut by_pointer: BTreeMap<String, u64> = inner
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, line)| (path[pointer.len()..].to_owned(), *line))
            .collect();
        by_pointer.extend(self.of(pointer).map(|line| (String::new(), line)));
        Self { by_pointer }
    }
}

/// A JSON pointer, a token longer.
pub fn pointer(parent: &str, token: &str) -> String {
    format!("{parent}/{}", token.replace('~', "~0").replace('/', "~1"))
}

/// The JSON pointer of what could not be read.
pub fn pointer_of(path: &serde_path_to_error::Path) -> String {
    path.iter().fold(String::new(), |at, segment| match segment {
        Segment::Map { key } => pointer(&at, key),
        Segment::Seq { index } => pointer(&at, &index.to_string()),
        Segment::Enum { .. } | Segment::Unknown => at,
    })
}

/// The path of a JSON pointer as people write it: `spec.outputs[0].name`.
pub fn dotted(pointer: &str) -> String {
    let part = |token: &str| {
        let token = token.replace("~1", "/").replace("~0", "~");
        if token.bytes().all(|b| b.is_ascii_digit()) {
            format!("[{token}]")
        } else if token.contains(['.', '/']) {
            format!("[{token:?}]")
        } else {
            format!(".{token}")
        }
    };
    let path: String = pointer.split('/').skip(1).map(part).collect();
    path.strip_prefix('.').unwrap_or(&path).to_owned()
}

/// The path that a message begins with, as people write it: `spec.outputs[0].name`. Empty if it begins with none.
pub fn leading_path(message: &str) -> &str {
    if !["spec", "metadata"].iter().any(|root| message.starts_with(root)) {
        return "";
    }
    let belongs = |c: char| c.is_ascii_alphanumeric() || ".[]".contains(c);
    let end = message.find(|c| !belongs(c)).unwrap_or(message.len());
    message[..end].trim_end_matches('.')
}

/// The JSON pointer of a path as [`leading_path`] gives it.
pub fn pointer_of_dotted(path: &str) -> String {
    let tokens = path.split(['.', '[', ']']).filter(|token| !token.is_empty());
    tokens.fold(String::new(), |at, token| pointer(&at, token))
}

/// A value whose parts know their places.
pub enum Tree {
    Leaf(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(String, Spanned<Tree>)>),
}

impl Tree {
    /// The value, and the lines of its parts; its own is `line`.
    pub fn split(place: Spanned<Self>) -> (Value, Lines) {
        let mut lines = Lines::default();
        let value = lines.take(String::new(), place);
        (value, lines)
    }
}

impl Lines {
    fn take(&mut self, at: String, place: Spanned<Tree>) -> Value {
        let value = match place.value {
            Tree::Leaf(value) => value,
            Tree::List(items) => {
                let items = items.into_iter().enumerate();
                items
                    .map(|(index, item)| self.take(pointer(&at, &index.to_string()), item))
                    .collect()
            }
            Tree::Map(entries) => {
                let entries = entries.into_iter();
                let entries = entries.map(|(key, value)| {
                    let value = self.take(pointer(&at, &key), value);
                    (key, value)
                });
                Value::Object(entries.collect::<Map<_, _>>())
            }
        };
        // Where it stands, and not where an alias in its place leads to.
        self.by_pointer.insert(at, place.referenced.line());
        value
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct TreeVisitor;

impl<'de> Visitor<'de> for TreeVisitor {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON can hold")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Leaf(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Leaf(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Leaf(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        Tree::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Tree::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Tree::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn split(yaml: &str) -> (Value, Lines) {
        Tree::split(serde_saphyr::from_str(yaml).unwrap())
    }

    #[test]
    fn every_part_knows_its_line() {
        let (value, lines) = split("a:\n  b/c: 1\n  d:\n  - x\n  - {e: 2.5}\n\nf: {g: null}\n");
        assert_eq!(
            value,
            json!({"a": {"b/c": 1, "d": ["x", {"e": 2.5}]}, "f": {"g": null}})
        );
        for (pointer, line) in [
            ("", 1),
            ("/a/b~1c", 2),
            ("/a/d/0", 4),
            ("/a/d/1/e", 5),
            ("/f/g", 7),
            ("/f/h/i", 7),
            ("/z", 1),
        ] {
            assert_eq!(lines.of(pointer), Some(line), "{pointer}");
        }
        let below = lines.below("/a/d/1");
        assert_eq!(
            (below.of("/e"), below.of("/x"), below.of("")),
            (Some(5), Some(5), Some(5))
        );
    }

    #[test]
    fn paths_are_written_as_people_do() {
        assert_eq!(dotted("/spec/outputs/0/name"), "spec.outputs[0].name");
        assert_eq!(
            dotted("/metadata/annotations/tributary.dev~1stream"),
            r#"metadata.annotations["tributary.dev/stream"]"#
        );
        assert_eq!(pointer("/a", "b/~c"), "/a/b~1~0c");
        for (message, path, pointer) in [
            (
                "spec.outputs[0].tls: is set",
                "spec.outputs[0].tls",
                "/spec/outputs/0/tls",
            ),
            ("metadata.name is \"a.b\"", "metadata.name", "/metadata/name"),
            ("spec.outputs. Then", "spec.outputs", "/spec/outputs"),
            ("the memory limit is", "", ""),
        ] {
            assert_eq!(leading_path(message), path);
            assert_eq!(pointer_of_dotted(path), pointer);
        }
    }
}
