//! Addresses of destinations, taken apart because engines want the parts.

use std::fmt;

/// `http` or `https`, a host, a port and a path. No credentials, no fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// Whether the scheme is `https`.
    pub https: bool,
    /// A DNS name or an IPv4 address, or an IPv6 address without its brackets.
    pub host: String,
    /// The port, also when it was not written.
    pub port: u16,
    /// Empty, or the path (and query) with its leading slash and without a trailing one.
    pub path: String,
}

impl Url {
    /// Reads an absolute URL. `default_port` is used for `http`, 443 for `https`, when none is written.
    ///
    /// The error continues a sentence that starts with the name of the field.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, &'static str> {
        let (https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err("does not start with http:// or https://"),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if !path.is_empty() && !path.starts_with('/') {
            return Err("has a query without a path");
        }
        if !path.chars().all(is_path_character) {
            return Err("has a character in its path that a URL cannot have unescaped");
        }
        let (host, port) = split_authority(authority)?;
        let port = match port {
            Some(port) => port
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or("has a port that is not a number from 1 to 65535")?,
            None if https => 443,
            None => default_port,
        };
        Ok(Self {
            https,
            host: host.to_owned(),
            port,
            path: path.trim_end_matches('/').to_owned(),
        })
    }

    /// `HOST:PORT`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}://{}{}",
            if self.https { "https" } else { "http" },
            self.authority(),
            self.path
        )
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if authority.contains('@') {
        return Err("contains credentials");
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("has a bracket that is not closed")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("has something in brackets that is not an IPv6 address");
        }
        return match after {
            "" => Ok((host, None)),
            _ => Ok((
                host,
                Some(after.strip_prefix(':').ok_or("has text after the host")?),
            )),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let valid = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if host.is_empty() || !host.chars().all(valid) {
        return Err("has no valid host name");
    }
    Ok((host, port))
}

/// The characters of RFC 3986's path and query, without `@`, which the resource's schema refuses.
fn is_path_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:/?%".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_addresses_apart() {
        let cases = [
            ("http://loki.logging:3100", "http://loki.logging:3100"),
            ("http://loki.logging/", "http://loki.logging:80"),
            ("https://es.logging/path/", "https://es.logging:443/path"),
            ("https://[fd00::1]:9200/a?b=c", "https://[fd00::1]:9200/a?b=c"),
        ];
        for (text, parsed) in cases {
            assert_eq!(
                Url::parse(text, 80).map(|url| url.to_string()),
                Ok(parsed.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_address() {
        for text in [
            "loki:3100",
            "http://",
            "http://a:b",
            "http://a:0",
            "http://a:70000",
            "http://u:p@a/",
            "http://a b/",
            "http://[::1",
            "http://[x]",
            "http://[::1]x",
            "http://a/\"",
            "http://a/\n",
            "http://a/#f",
            "http://a?b",
        ] {
            assert!(Url::parse(text, 80).is_err(), "{text}");
        }
    }
}
