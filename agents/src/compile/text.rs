//! Texts that name servers and what is on them.

use crate::CompileError;
use crate::url::Url;

/// Reads the URL of a server.
pub fn url(field: &str, text: &str, default_port: u16) -> Result<Url, CompileError> {
    Url::parse(text, default_port).map_err(|problem| {
        CompileError::field(
            field,
            problem,
            "write an absolute URL without credentials, such as https://host.namespace:8443/path",
        )
    })
}

/// Reads the URL of a server whose API has a path that the engines know.
pub fn base_url(field: &str, text: &str, default_port: u16, example: &str) -> Result<Url, CompileError> {
    let url = url(field, text, default_port)?;
    if url.path.is_empty() {
        return Ok(url);
    }
    Err(CompileError::field(
        field,
        format!("has the path {:?}", url.path),
        format!("write the server's base URL, such as {example}"),
    ))
}

/// Reads `HOST:PORT`.
pub fn address(field: &str, text: &str, example: &str) -> Result<Url, CompileError> {
    // A port that is not written would be this one, which is none.
    Url::parse(&format!("http://{text}"), 0)
        .ok()
        .filter(|url| url.path.is_empty() && url.port > 0 && !text.ends_with('/'))
        .ok_or_else(|| {
            let remedy = format!("write HOST:PORT, such as {example}");
            CompileError::field(field, format!("has {text:?}"), remedy)
        })
}

/// A name of ASCII letters, digits and some `punctuation`. `characters` says so in words.
pub fn name(
    field: &str,
    text: &str,
    longest: usize,
    punctuation: &str,
    characters: &str,
) -> Result<String, CompileError> {
    let valid = |c: char| c.is_ascii_alphanumeric() || punctuation.contains(c);
    if (1..=longest).contains(&text.len()) && text.chars().all(valid) {
        return Ok(text.to_owned());
    }
    Err(CompileError::field(
        field,
        format!("is {text:?}"),
        format!("write at most {longest} {characters}"),
    ))
}

/// Whether agents set a header of HTTP by themselves.
pub fn is_header_of_agent(name: &str) -> bool {
    const SET: [&str; 5] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-encoding",
    ];
    SET.iter().any(|header| name.eq_ignore_ascii_case(header))
}
