//! Tells the text in rendered documents from what is around it.

use serde_json::Value;

/// The document with every string emptied but the keys: what no text that it holds may change.
pub fn shape(document: &Value) -> Value {
    match document {
        Value::Array(list) => list.iter().map(shape).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        Value::String(_) => Value::String(String::new()),
        Value::Null | Value::Bool(_) | Value::Number(_) => document.clone(),
    }
}

/// Reads a string as the collector's configuration reader does: `$$` is a dollar. Fails where the reader would expand a variable.
pub fn unescape(text: &Value) -> String {
    let halves: Vec<&str> = text.as_str().unwrap().split("$$").collect();
    assert!(
        halves.iter().all(|half| !half.contains('$')),
        "{text} would be expanded"
    );
    halves.join("$")
}
