//! Text as the collector's configuration reader takes it.

use serde_json::Value;

/// Text that reaches the component as it is: the reader would expand `${...}`, and takes `$$` for `$`.
pub fn text(text: &str) -> Value {
    Value::String(text.replace('$', "$$"))
}

/// A list of such texts.
pub fn texts(list: &[String]) -> Value {
    list.iter().map(|entry| text(entry)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_doubled() {
        assert_eq!(text("a${env:HOME}$$b$"), Value::from("a$${env:HOME}$$$$b$$"));
    }
}
