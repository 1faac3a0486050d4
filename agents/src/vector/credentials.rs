//! How Vector proves who it is, and checks who it talks to.
//!
//! Vector puts secrets into the text of its configuration before it reads it. They stand alone on a line of a block there, where
//! no character but a line break means anything. Keys and certificates are files that it opens itself.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};
use serde_saphyr::LitStr;
use tributary_crds::auth::SecretKeyRef;

use crate::CompileError;
use crate::config::{SECRETS_DIRECTORY, secret_path};
use crate::pipeline::{Auth, Output, Tls};

/// What begins a place for a secret; policies may not hold it where Vector looks for it.
pub const PLACE: &str = "SECRET[";
/// The backend that reads the agent's mounted Secrets, each key as `NAME/KEY`.
const BACKEND: &str = "tributary";

/// The `secret` section of the configuration.
pub fn backends() -> Value {
    let directory = json!({
        "type": "directory",
        "path": SECRETS_DIRECTORY,
        // Files often end with a line break that belongs to no password.
        "remove_trailing_whitespace": true,
    });
    json!({BACKEND: directory})
}

/// What Vector replaces by a key of a Secret.
pub fn secret(key: &SecretKeyRef) -> String {
    format!("{PLACE}{BACKEND}.{}/{}]", key.name, key.key)
}

/// The `auth` settings of a sink that speaks HTTP.
pub fn http_auth(output: &Output) -> Option<Value> {
    match output.auth.as_ref()? {
        Auth::Basic { username, password } => {
            Some(json!({"strategy": "basic", "user": username, "password": secret(password)}))
        }
        Auth::Bearer { token } => Some(json!({"strategy": "bearer", "token": secret(token)})),
        Auth::ApiKey { .. } => None,
    }
}

/// The header that holds a key, and what it holds.
pub fn api_key(output: &Output) -> Option<(String, String)> {
    match output.auth.as_ref()? {
        Auth::ApiKey {
            key,
            header: Some(header),
        } => Some((header.clone(), secret(key))),
        Auth::ApiKey { key, header: None } => {
            Some(("Authorization".to_owned(), format!("ApiKey {}", secret(key))))
        }
        Auth::Basic { .. } | Auth::Bearer { .. } => None,
    }
}

/// The `tls` settings of a sink.
pub fn transport_security(tls: Option<&Tls>) -> Map<String, Value> {
    let mut settings = Map::new();
    let Some(tls) = tls else {
        return settings;
    };
    if let Some(ca) = &tls.ca {
        settings.insert("ca_file".to_owned(), json!(secret_path(ca)));
    }
    if let Some(client) = &tls.client {
        settings.insert("crt_file".to_owned(), json!(secret_path(&client.certificate)));
        settings.insert("key_file".to_owned(), json!(secret_path(&client.key)));
    }
    let verify = !tls.insecure_skip_verify;
    settings.insert("verify_certificate".to_owned(), json!(verify));
    settings.insert("verify_hostname".to_owned(), json!(verify));
    settings
}

/// Writes the configuration as YAML, each text with a place for a secret as a block.
pub fn write(policy: &str, file: &'static str, document: &Value) -> Result<String, CompileError> {
    let mut text = String::new();
    serde_saphyr::to_fmt_writer_with_options(
        &mut text,
        &Document(document),
        serde_saphyr::ser_options! { quote_all: true },
    )
    .map_err(|error| CompileError::Serialize {
        policy: policy.to_owned(),
        file,
        cause: error.to_string(),
    })?;
    Ok(text)
}

struct Document<'a>(&'a Value);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) if text.contains(PLACE) => LitStr(text).serialize(serializer),
            Value::Array(list) => {
                let mut sequence = serializer.serialize_seq(Some(list.len()))?;
                for entry in list {
                    sequence.serialize_element(&Document(entry))?;
                }
                sequence.end()
            }
            Value::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, value) in fields {
                    map.serialize_entry(key, &Document(value))?;
                }
                map.end()
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                other.serialize(serializer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_secret_can_be_put_in() {
        let key = SecretKeyRef {
            name: "es".to_owned(),
            key: "password".to_owned(),
        };
        let document =
            json!({"list": [{"password": secret(&key), "header": format!("Bearer {}", secret(&key))}]});
        let text = write("test", "vector.yaml", &document).expect("can be written");
        for password in ["plain", "'", "\"", "\\n", "a: b # c", "- {[", "*&!|>%@`", "é😀"] {
            let replaced = text.replace("SECRET[tributary.es/password]", password);
            let read: Value = serde_saphyr::from_str(&replaced).expect("can be read");
            let header = format!("Bearer {password}");
            assert_eq!(
                read["list"][0],
                json!({"password": password, "header": header}),
                "{replaced}"
            );
        }
    }
}
