//! Records that should have arrived against those that have.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

/// What became of a set's records at one output.
#[derive(Debug, Default)]
pub struct Comparison {
    /// How many are as expected.
    pub as_expected: usize,
    /// Those that have the same time, but are not the same: what should be, what is.
    pub different: Vec<(Value, Value)>,
    /// Those that did not arrive.
    pub lost: Vec<Value>,
    /// Those that arrived once more.
    pub doubled: Vec<Value>,
    /// Those that nobody has written.
    pub unexpected: Vec<Value>,
}

impl Comparison {
    /// Whether everything is as it should be.
    pub fn is_exact(&self) -> bool {
        self.different.is_empty()
            && self.lost.is_empty()
            && self.doubled.is_empty()
            && self.unexpected.is_empty()
    }
}

/// Compares whole records, in any order.
pub fn compare(expected: &[Value], actual: Vec<Value>) -> Comparison {
    let mut missing: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for record in expected {
        missing.entry(canonical(record)).or_default().push(record);
    }
    let mut comparison = Comparison::default();
    let mut others = Vec::new();
    for record in actual {
        let Some(same) = missing.get_mut(&canonical(&record)) else {
            others.push(record);
            continue;
        };
        match same.pop() {
            Some(_) => comparison.as_expected += 1,
            // One of its kind has arrived already.
            None => comparison.doubled.push(record),
        }
    }
    let mut missing: Vec<&Value> = missing.into_values().flatten().collect();
    for record in others {
        match missing.iter().position(|wanted| is_same_event(wanted, &record)) {
            Some(place) => comparison.different.push((missing.remove(place).clone(), record)),
            None => comparison.unexpected.push(record),
        }
    }
    comparison.lost = missing.into_iter().cloned().collect();
    comparison
}

/// Whether records are of one line: lines have different times, but those of files have none of their own.
fn is_same_event(one: &Value, other: &Value) -> bool {
    match (one.get("time"), other.get("time")) {
        (Some(time), Some(other)) => time == other,
        (None, None) => one.get("file") == other.get("file"),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// A text that is the same for equal records: of numbers the value counts, not how they are written.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<&String, String> = members
                .iter()
                .map(|(key, value)| (key, canonical(value)))
                .collect();
            let members: Vec<String> = sorted
                .into_iter()
                .map(|(key, value)| format!("{key:?}:{value}"))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(canonical).collect();
            format!("[{}]", values.join(","))
        }
        Value::Number(number) => canonical_number(number),
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

fn canonical_number(number: &Number) -> String {
    /// From here on, not every integer is a double.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(double) if number.is_f64() && double.fract() == 0.0 && double.abs() <= EXACT => {
            format!("{double:.0}").replace("-0", "0")
        }
        Some(double) if number.is_f64() => format!("{double:e}"),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_difference_is_found() {
        let record = |time: u32, message: &str| json!({"time": time.to_string(), "message": message});
        let expected = [record(1, "a"), record(2, "b"), record(3, "c"), record(4, "d")];
        let actual = vec![
            record(4, "d"),
            record(4, "d"),
            record(2, "x"),
            record(9, "y"),
            record(1, "a"),
        ];
        let comparison = compare(&expected, actual);
        assert_eq!(comparison.as_expected, 2);
        assert_eq!(comparison.different, [(record(2, "b"), record(2, "x"))]);
        assert_eq!(comparison.lost, [record(3, "c")]);
        assert_eq!(comparison.doubled, [record(4, "d")]);
        assert_eq!(comparison.unexpected, [record(9, "y")]);
        assert!(!comparison.is_exact());
        assert!(compare(&expected, expected.to_vec()).is_exact());
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let same = |one: &str, other: &str| {
            let parse = |text: &str| serde_json::from_str(text).unwrap();
            compare(&[parse(one)], vec![parse(other)]).is_exact()
        };
        assert!(same("1", "1.0"));
        assert!(same("1e3", "1000"));
        assert!(same("0.5", "5e-1"));
        assert!(!same("9007199254740993", "9007199254740992"));
        assert!(!same("1", "\"1\""));
    }
}
