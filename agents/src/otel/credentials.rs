//! How the collector proves who it is, and checks who it talks to.
//!
//! On a node, credentials are files that are read again when they change. The collector does not start without them, which the
//! operator has looked after; in a pod nobody has, and there they are variables of the environment, which may be missing.

use serde_json::{Map, Value, json};
use tributary_crds::auth::SecretKeyRef;

use super::confmap::text;
use crate::config::secret_path;
use crate::pipeline::{Auth, Pipeline, Place, Tls};

/// The name of the extension that authenticates an output.
pub fn extension_name(output: &str, auth: &Auth) -> String {
    match auth {
        Auth::Basic { .. } => format!("basicauth/{output}"),
        Auth::Bearer { .. } => format!("bearertokenauth/{output}"),
    }
}

/// The settings of that extension.
pub fn extension(pipeline: &Pipeline, auth: &Auth) -> Value {
    match (auth, pipeline.place) {
        (Auth::Basic { username, password }, Place::Node) => json!({
            "client_auth": {"username": text(username), "password_file": text(&secret_path(password))},
        }),
        (Auth::Basic { username, password }, Place::Pod) => json!({
            "client_auth": {"username": text(username), "password": variable(pipeline, password)},
        }),
        (Auth::Bearer { token }, Place::Node) => json!({"filename": text(&secret_path(token))}),
        // One token alone must not be empty; one of a list may.
        (Auth::Bearer { token }, Place::Pod) => json!({"tokens": [variable(pipeline, token)]}),
    }
}

/// The `tls` settings of an exporter.
pub fn transport_security(pipeline: &Pipeline, tls: &Tls) -> Value {
    let mut settings = Map::new();
    if let Some(ca) = &tls.ca {
        let (key, value) = match pipeline.place {
            Place::Node => ("ca_file", text(&secret_path(ca))),
            // Empty, it means the authorities of the image, which have not signed for such a server: nothing is sent to it.
            Place::Pod => ("ca_pem", variable(pipeline, ca)),
        };
        settings.insert(key.to_owned(), value);
    }
    if let Some(name) = &tls.server_name {
        settings.insert("server_name_override".to_owned(), text(name));
    }
    settings.insert("insecure_skip_verify".to_owned(), json!(tls.insecure_skip_verify));
    Value::Object(settings)
}

/// What the collector's configuration reader replaces by a key of a Secret, or by nothing when it is missing.
fn variable(pipeline: &Pipeline, key: &SecretKeyRef) -> Value {
    json!(format!("${{env:{}:-}}", pipeline.secret_variable(key)))
}
