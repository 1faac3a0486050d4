//! Documents as YAML text.

use serde_json::Value;

use crate::CompileError;

/// Writes a document. Every string is quoted, so that no reader takes `on`, `1e3` or `0x10` for something else.
pub fn write(policy: &str, file: &'static str, document: &Value) -> Result<String, CompileError> {
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(
        &mut text,
        document,
        serde_saphyr::ser_options! { quote_all: true },
    )
    .map_err(|error| CompileError::Serialize {
        policy: policy.to_owned(),
        file,
        cause: error.to_string(),
    })?;
    Ok(text)
}
