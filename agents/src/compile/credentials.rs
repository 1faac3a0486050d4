//! How an agent proves who it is, and checks who it talks to.

use tributary_crds::auth;
use tributary_crds::destination::AwsCredentials;

use super::text::{is_header_of_agent, name};
use crate::CompileError;
use crate::pipeline::{self, Auth, ClientCertificate, Tls};

/// Checks the credential of an output. `place` is its path, for messages.
pub fn compile_auth(place: &str, auth: &auth::Auth) -> Result<Auth, CompileError> {
    match (&auth.basic, &auth.bearer, &auth.api_key) {
        (Some(basic), None, None) => {
            let field = format!("{place}.basic.username");
            if basic.username.is_empty()
                || basic.username.contains(':')
                || basic.username.contains(char::is_control)
            {
                let problem = format!("is {:?}", basic.username);
                return Err(CompileError::field(
                    field,
                    problem,
                    "write a user name without colons and control characters",
                ));
            }
            let password = check_secret(
                &format!("{place}.basic.passwordSecretRef"),
                &basic.password_secret_ref,
            )?;
            Ok(Auth::Basic {
                username: basic.username.clone(),
                password,
            })
        }
        (None, Some(bearer), None) => Ok(Auth::Bearer {
            token: check_secret(
                &format!("{place}.bearer.tokenSecretRef"),
                &bearer.token_secret_ref,
            )?,
        }),
        (None, None, Some(api_key)) => Ok(Auth::ApiKey {
            key: check_secret(&format!("{place}.apiKey.keySecretRef"), &api_key.key_secret_ref)?,
            header: api_key
                .header
                .as_deref()
                .map(|header| check_header(&format!("{place}.apiKey.header"), header))
                .transpose()?,
        }),
        _ => Err(CompileError::field(
            place,
            "does not have exactly one method",
            "write basic, bearer or apiKey",
        )),
    }
}

fn check_header(field: &str, header: &str) -> Result<String, CompileError> {
    if is_header_of_agent(header) {
        let remedy = "write the header that the server looks for, such as x-api-key";
        return Err(CompileError::field(
            field,
            format!("is {header:?}, which the agent sets"),
            remedy,
        ));
    }
    name(field, header, 100, "-", "letters, digits and dashes")
}

/// Checks the trust of an output. `place` is its path, for messages.
pub fn compile_tls(place: &str, tls: &auth::Tls) -> Result<Tls, CompileError> {
    let ca = match &tls.ca_secret_ref {
        Some(ca) => Some(check_secret(&format!("{place}.caSecretRef"), ca)?),
        None => None,
    };
    let client = tls.client_certificate.as_ref().map(|client| {
        let part = |name: &str, key| check_secret(&format!("{place}.clientCertificate.{name}"), key);
        Ok(ClientCertificate {
            certificate: part("certificateSecretRef", &client.certificate_secret_ref)?,
            key: part("keySecretRef", &client.key_secret_ref)?,
        })
    });
    if let Some(name) = &tls.server_name {
        let valid = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
        if name.is_empty() || !name.chars().all(valid) {
            let field = format!("{place}.serverName");
            return Err(CompileError::field(
                field,
                format!("is {name:?}"),
                "write a DNS name or an IP address",
            ));
        }
    }
    Ok(Tls {
        ca,
        client: client.transpose()?,
        server_name: tls.server_name.clone(),
        insecure_skip_verify: tls.insecure_skip_verify,
    })
}

/// Checks an access key of AWS. `place` is its path, for messages.
pub fn compile_aws(
    place: &str,
    credentials: &AwsCredentials,
) -> Result<pipeline::AwsCredentials, CompileError> {
    Ok(pipeline::AwsCredentials {
        access_key_id: check_secret(
            &format!("{place}.accessKeyIdSecretRef"),
            &credentials.access_key_id_secret_ref,
        )?,
        secret_access_key: check_secret(
            &format!("{place}.secretAccessKeySecretRef"),
            &credentials.secret_access_key_secret_ref,
        )?,
    })
}

/// Checks the name and the key of a Secret. `field` is its path, for messages.
pub fn check_secret(field: &str, reference: &auth::SecretKeyRef) -> Result<auth::SecretKeyRef, CompileError> {
    let name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
    let key = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    // A key becomes a file's name, and a name a directory's.
    let no_dots = |text: &str| !text.starts_with("..") && text != ".";
    let valid = |text: &str, character: &dyn Fn(char) -> bool| {
        (1..=253).contains(&text.len()) && text.chars().all(character) && no_dots(text)
    };
    if valid(&reference.name, &name) && valid(&reference.key, &key) {
        return Ok(reference.clone());
    }
    let problem = format!("is {:?} / {:?}", reference.name, reference.key);
    Err(CompileError::field(
        field,
        problem,
        "write the name of a Secret and one of its keys",
    ))
}
