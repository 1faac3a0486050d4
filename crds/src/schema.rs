//! Keeps the schema small: what is described in one place, or everywhere in Kubernetes, need not be described again where it repeats.

use schemars::Schema;
use serde_json::Value;

/// Removes the descriptions of everything within a field; its own stays.
pub fn without_inner_descriptions(schema: &mut Schema) {
    if let Some(schema) = schema.as_object_mut() {
        schema
            .iter_mut()
            .filter(|(key, _)| *key != "description")
            .for_each(|(_, part)| forget(part));
    }
}

/// A description is a text; a field of that name is described by an object.
fn forget(part: &mut Value) {
    match part {
        Value::Object(part) => {
            if part.get("description").is_some_and(Value::is_string) {
                part.remove("description");
            }
            part.values_mut().for_each(forget);
        }
        Value::Array(parts) => parts.iter_mut().for_each(forget),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
