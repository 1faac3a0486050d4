//! Holds objects against the schema of the resource, as the API server does.

use kube::CustomResourceExt as _;
use serde_json::Value;
use tributary_crds::LoggingPolicy;
use tributary_webhook::explain::did_you_mean;

use crate::lines::pointer;

/// What every object has, of which the schema of policies says nothing, and what the operator writes.
const NOT_OURS: [&str; 4] = ["/apiVersion", "/kind", "/metadata", "/status"];

/// A field that the schema does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The JSON pointer of the field.
    pub pointer: String,
    /// What is wrong with it, and what to write.
    pub problem: String,
}

/// The schema that the API server holds policies against.
pub fn of_policies() -> Value {
    let crd = serde_json::to_value(LoggingPolicy::crd()).unwrap_or_default();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema");
    schema.cloned().unwrap_or_default()
}

/// The fields that the schema does not know. The API server would drop them, and kubectl refuses them.
pub fn unknown_fields(object: &Value, schema: &Value) -> Vec<Misfit> {
    let mut found = Vec::new();
    walk(object, schema, "", &mut |_, _, _| {}, &mut |misfit| {
        found.push(misfit);
    });
    found
}

/// Everything that the schema does not allow but for its rules in CEL: unknown fields, types, words, sizes.
pub fn misfits(object: &Value, schema: &Value) -> Vec<Misfit> {
    let mut unknown = Vec::new();
    let mut wrong = Vec::new();
    walk(
        object,
        schema,
        "",
        &mut |value, schema, at| {
            if let Some(problem) = wrong_value(value, schema) {
                wrong.push(Misfit {
                    pointer: at.to_owned(),
                    problem,
                });
            }
            wrong.extend(missing_fields(value, schema, at));
        },
        &mut |misfit| unknown.push(misfit),
    );
    // A field that is missing because its name is misspelt is said once.
    wrong.retain(|misfit| !unknown.iter().any(|unknown| explains(unknown, misfit)));
    unknown.extend(wrong);
    unknown
}

fn explains(unknown: &Misfit, missing: &Misfit) -> bool {
    let parent = |pointer: &str| pointer.rsplit_once('/').map(|(parent, _)| parent.to_owned());
    let name = missing.pointer.rsplit('/').next().unwrap_or_default();
    parent(&unknown.pointer) == parent(&missing.pointer) && unknown.problem.ends_with(&format!(" {name}?"))
}

/// Visits each value with its schema and JSON pointer. What the schema does not know goes to `unknown` instead.
fn walk(
    value: &Value,
    schema: &Value,
    at: &str,
    visit: &mut dyn FnMut(&Value, &Value, &str),
    unknown: &mut dyn FnMut(Misfit),
) {
    visit(value, schema, at);
    match value {
        Value::Object(fields) => {
            let known = schema["properties"].as_object();
            let any = schema.get("additionalProperties");
            for (name, value) in fields {
                let pointer = pointer(at, name);
                if NOT_OURS.contains(&pointer.as_str()) {
                    continue;
                }
                let inner = any.or_else(|| known.and_then(|known| known.get(name)));
                match (inner, known) {
                    (Some(inner), _) => walk(value, inner, &pointer, visit, unknown),
                    (None, None) => {}
                    (None, Some(known)) => unknown(Misfit {
                        problem: not_known(name, known.keys().map(String::as_str)),
                        pointer,
                    }),
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let pointer = pointer(at, &index.to_string());
                walk(item, &schema["items"], &pointer, visit, unknown);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn not_known<'k>(name: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    if let Some(near) = did_you_mean(name, known.clone()) {
        return format!("there is no such field; did you mean {near}?");
    }
    let known: Vec<&str> = known.collect();
    format!("there is no such field; there are {}", known.join(", "))
}

/// The fields that an object must have and has not.
fn missing_fields(value: &Value, schema: &Value, at: &str) -> Vec<Misfit> {
    let (Some(fields), Some(required)) = (value.as_object(), schema["required"].as_array()) else {
        return Vec::new();
    };
    let required = required.iter().filter_map(Value::as_str);
    required
        .filter(|name| fields.get(*name).is_none_or(Value::is_null))
        .map(|name| Misfit {
            pointer: pointer(at, name),
            problem: "this field is missing; write it".to_owned(),
        })
        .collect()
}

/// What is wrong with one value by itself.
fn wrong_value(value: &Value, schema: &Value) -> Option<String> {
    // The API server takes a null for an absent field.
    if value.is_null() {
        return None;
    }
    wrong_type(value, schema)
        .or_else(|| wrong_word(value, schema))
        .or_else(|| wrong_size(value, schema))
        .or_else(|| wrong_range(value, schema))
}

fn wrong_type(value: &Value, schema: &Value) -> Option<String> {
    if schema["x-kubernetes-int-or-string"] == Value::Bool(true) {
        let fits = value.is_string() || value.is_i64() || value.is_u64();
        return (!fits).then(|| format!("{} is neither a whole number nor text", shown(value)));
    }
    let (fits, wanted) = match schema["type"].as_str()? {
        "object" => (value.is_object(), "write fields below it, or {}"),
        "array" => (
            value.is_array(),
            "write a list: a line for each item that begins with a dash",
        ),
        "string" if value.is_number() || value.is_boolean() => (false, "it is not text; write it in quotes"),
        "string" => (value.is_string(), "write text"),
        "boolean" => (value.is_boolean(), "write true or false"),
        "integer" => (
            value.is_i64() || value.is_u64(),
            "write a whole number without quotes",
        ),
        "number" => (value.is_number(), "write a number without quotes"),
        _ => return None,
    };
    (!fits).then(|| format!("{} cannot be here: {wanted}", shown(value)))
}

fn wrong_word(value: &Value, schema: &Value) -> Option<String> {
    let words = schema["enum"].as_array()?;
    if words.contains(value) {
        return None;
    }
    let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    let near = did_you_mean(value.as_str().unwrap_or_default(), words.iter().copied());
    Some(match near {
        Some(near) => format!("{} is no value of this field; did you mean {near}?", shown(value)),
        None => format!(
            "{} is no value of this field; write {}",
            shown(value),
            words.join(", ")
        ),
    })
}

fn wrong_size(value: &Value, schema: &Value) -> Option<String> {
    let (size, least, most, unit) = match value {
        Value::String(text) => (text.chars().count(), "minLength", "maxLength", "characters"),
        Value::Array(items) => (items.len(), "minItems", "maxItems", "items"),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    if let Some(least) = schema[least].as_u64().filter(|least| size < *least) {
        return Some(format!("this has {size} {unit}; write at least {least}"));
    }
    let most = schema[most].as_u64().filter(|most| size > *most)?;
    Some(format!("this has {size} {unit}; write at most {most}"))
}

fn wrong_range(value: &Value, schema: &Value) -> Option<String> {
    let number = value.as_f64()?;
    if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
        return Some(format!("{number} is too small; write at least {least}"));
    }
    let most = schema["maximum"].as_f64().filter(|most| number > *most)?;
    Some(format!("{number} is too large; write at most {most}"))
}

/// A value in a sentence, without what is in it.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "this text".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(spec: &Value) -> Vec<(String, String)> {
        let object = json!({"kind": "LoggingPolicy", "metadata": {"x": 1}, "spec": spec});
        misfits(&object, &of_policies())
            .into_iter()
            .map(|misfit| (misfit.pointer, misfit.problem))
            .collect()
    }

    #[test]
    fn what_fits_is_not_spoken_of() {
        let spec = json!({
            "priority": 3,
            "selector": {"podSelector": {"matchLabels": {"a.b/c": "d"}}},
            "nodeAgent": {"rollout": {"maxUnavailable": "10%"}, "pod": {"resources": {"limits": {"memory": "1Gi", "cpu": 1}}, "image": null}},
            "processors": [{"sample": {"percent": 5}}],
            "outputs": [{"name": "a", "stdout": {}}],
        });
        assert_eq!(said(&spec), []);
    }

    #[test]
    fn every_misfit_is_found_at_its_place() {
        let spec = json!({
            "priority": "high",
            "nodeAgent": {"engine": "Fluentbit", "pod": {"resources": {"limits": {"cpu": 1.5}}}},
            "streamingSidecar": [],
            "processors": [{"parse": {"format": "Grok"}}, {"throttle": {"recordsPerSecond": 0}}],
            "outputs": [{"nane": "a", "stdout": {}, "where": "all"}, {"name": 1}],
        });
        let said = said(&spec);
        let said: Vec<(&str, &str)> = said.iter().map(|(p, s)| (p.as_str(), s.as_str())).collect();
        assert_eq!(
            said,
            [
                (
                    "/spec/outputs/0/nane",
                    "there is no such field; did you mean name?"
                ),
                (
                    "/spec/nodeAgent/engine",
                    "\"Fluentbit\" is no value of this field; did you mean FluentBit?"
                ),
                (
                    "/spec/nodeAgent/pod/resources/limits/cpu",
                    "1.5 is neither a whole number nor text"
                ),
                (
                    "/spec/outputs/0/where",
                    "\"all\" cannot be here: write a list: a line for each item that begins with a dash"
                ),
                (
                    "/spec/outputs/1/name",
                    "1 cannot be here: it is not text; write it in quotes"
                ),
                (
                    "/spec/priority",
                    "\"high\" cannot be here: write a whole number without quotes"
                ),
                (
                    "/spec/processors/0/parse/format",
                    "\"Grok\" is no value of this field; write Json, Logfmt, Regex"
                ),
                (
                    "/spec/processors/1/throttle/recordsPerSecond",
                    "0 is too small; write at least 1"
                ),
                (
                    "/spec/streamingSidecar",
                    "a list cannot be here: write fields below it, or {}"
                ),
            ]
        );
    }
}
