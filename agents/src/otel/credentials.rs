//! How the collector proves who it is, and checks who it talks to.
//!
//! On a node, credentials are files that are read again when they change. The collector does not start without them, which the
//! operator has looked after; in a pod nobody has, and there they are variables of the environment, which may be missing.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tributary_crds::auth::SecretKeyRef;
use tributary_crds::destination::SaslMechanism;

use super::confmap::text;
use crate::config::secret_path;
use crate::pipeline::{Auth, Destination, Output, Pipeline, Place, Tls};

/// The extension that adds an output's credential to its requests, by its name, where one does.
pub fn extension(pipeline: &Pipeline, output: &Output) -> Option<(String, Value)> {
    match (&output.destination, &output.auth) {
        // It has a protocol of its own for that.
        (Destination::Kafka { .. }, _) => None,
        (Destination::Splunk { token, .. }, _) => {
            let mut settings = bearer(pipeline, token);
            settings["scheme"] = json!("Splunk");
            Some((format!("bearertokenauth/{}", output.name), settings))
        }
        (Destination::GoogleCloudLogging(log), _) => {
            // Otherwise the extension asks the credentials, which need not name a project.
            Some((
                "googleclientauth/".to_owned() + &output.name,
                json!({"project": text(&log.project)}),
            ))
        }
        (_, Some(Auth::Basic { username, password })) => Some((
            format!("basicauth/{}", output.name),
            basic(pipeline, username, password),
        )),
        (_, Some(Auth::Bearer { token })) => Some((
            format!("bearertokenauth/{}", output.name),
            bearer(pipeline, token),
        )),
        (_, Some(Auth::ApiKey { key, header })) => {
            let mut settings = bearer(pipeline, key);
            match header {
                Some(header) => {
                    settings["header"] = text(header);
                    // The key alone.
                    settings["scheme"] = json!("");
                }
                None => settings["scheme"] = json!("ApiKey"),
            }
            Some((format!("bearertokenauth/{}", output.name), settings))
        }
        (_, None) => None,
    }
}

/// Whether an output's credential goes to the header `Authorization`.
pub fn authorizes(output: &Output) -> bool {
    match &output.auth {
        Some(Auth::Basic { .. } | Auth::Bearer { .. } | Auth::ApiKey { header: None, .. }) => true,
        Some(Auth::ApiKey {
            header: Some(header), ..
        }) => header.eq_ignore_ascii_case("authorization"),
        None => false,
    }
}

fn basic(pipeline: &Pipeline, username: &str, password: &SecretKeyRef) -> Value {
    match pipeline.place {
        Place::Node => json!({
            "client_auth": {"username": text(username), "password_file": text(&secret_path(password))},
        }),
        Place::Pod => json!({
            "client_auth": {"username": text(username), "password": variable(pipeline, password)},
        }),
    }
}

fn bearer(pipeline: &Pipeline, token: &SecretKeyRef) -> Value {
    match pipeline.place {
        Place::Node => json!({"filename": text(&secret_path(token))}),
        // One token alone must not be empty; one of a list may.
        Place::Pod => json!({"tokens": [variable(pipeline, token)]}),
    }
}

/// The keys of Secrets that exporters cannot read from files, by their variables.
pub fn environment(pipeline: &Pipeline) -> BTreeMap<String, SecretKeyRef> {
    pipeline
        .outputs
        .iter()
        .filter_map(|output| match (&output.destination, &output.auth) {
            (Destination::Kafka { .. }, Some(Auth::Basic { password, .. })) => Some(password),
            _ => None,
        })
        .map(|key| (pipeline.secret_variable(key), key.clone()))
        .chain(pipeline.aws_environment())
        .collect()
}

/// Where the collector's client of Google finds a service account's key; nothing for the identity of the agent's pod.
pub fn google_key(pipeline: &Pipeline) -> Option<(String, String)> {
    let key = pipeline.outputs.iter().find_map(Output::google_key)?;
    Some(("GOOGLE_APPLICATION_CREDENTIALS".to_owned(), secret_path(key)))
}

/// The `auth` settings of the Kafka exporter, for an output with a user.
pub fn sasl(pipeline: &Pipeline, output: &Output, mechanism: SaslMechanism) -> Option<Value> {
    let Some(Auth::Basic { username, password }) = &output.auth else {
        return None;
    };
    // The exporter refuses an empty password, and the collector would not start.
    let password = format!("${{env:{}:-missing}}", pipeline.secret_variable(password));
    Some(json!({"sasl": {"mechanism": mechanism.name(), "username": text(username), "password": password}}))
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
    if let Some(client) = &tls.client {
        for (part, key) in [("cert", &client.certificate), ("key", &client.key)] {
            let (name, value) = match pipeline.place {
                Place::Node => (format!("{part}_file"), text(&secret_path(key))),
                // Both empty, none is shown.
                Place::Pod => (format!("{part}_pem"), variable(pipeline, key)),
            };
            settings.insert(name, value);
        }
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
