//! What a container runtime takes for the name of an image: a pod with one that it does not would never start.

/// Longest name in characters, without tag and digest.
const MAX_NAME: usize = 255;
/// Longest tag in characters.
const MAX_TAG: usize = 128;
/// Fewest hexadecimal digits of a digest.
const MIN_DIGEST: usize = 32;

/// Whether this is an image's name: `[REGISTRY[:PORT]/]NAME[:TAG][@DIGEST]`, as the kubelet reads it.
pub fn is_image(image: &str) -> bool {
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    // A colon before a slash is that of a registry's port.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    let (registry, path) = match name.split_once('/') {
        Some((first, path)) if is_named_as_registry(first) => (Some(first), path),
        _ => (None, name),
    };
    name.len() <= MAX_NAME
        && registry.is_none_or(is_registry)
        && path.split('/').all(is_component)
        && !is_identifier(image)
        && tag.is_none_or(is_tag)
        && digest.is_none_or(is_digest)
}

/// Whether the first part of a name with several is a registry.
fn is_named_as_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.contains(|c: char| c.is_ascii_uppercase())
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (registry, None),
    };
    let is_label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(inner)
    };
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    host.split('.').all(is_label) && port.is_none_or(is_port)
}

/// Lower-case letters and digits, with a dot, one or two underscores, or dashes between them.
fn is_component(component: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator =
        |text: &str| matches!(text, "" | "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    component.starts_with(plain) && component.ends_with(plain) && component.split(plain).all(is_separator)
}

fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.starts_with(word) && tag.len() <= MAX_TAG && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hexadecimal)) = digest.split_once(':') else {
        return false;
    };
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic()) && part.chars().all(|c| c.is_ascii_alphanumeric())
    };
    algorithm.split(['+', '.', '-', '_']).all(is_part)
        && hexadecimal.len() >= MIN_DIGEST
        && hexadecimal.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether this is the identifier of an image in a runtime's store, which no registry has.
fn is_identifier(image: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    image.len() == 64 && image.bytes().all(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_as_the_kubelet_takes_them() {
        let digest = format!("sha256:{}", "0f".repeat(32));
        for image in [
            "app",
            "app:1",
            "library/app:V1.2_3-rc",
            "registry.example/tributary:1",
            "localhost/app",
            "localhost:5000/team/app",
            "Registry:5000/app",
            "10.0.0.1:5000/a__b/c--d/e.f_g",
            "app:5000/x",
            &format!("app@{digest}"),
            &format!("ghcr.io/a/b:1@{digest}"),
        ] {
            assert!(is_image(image), "{image}");
        }
        for image in [
            "",
            " ",
            "my image",
            "App",
            "team/App:1",
            "a:b:c",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a@",
            ":1",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a._b",
            "a/-b",
            "a:-1",
            "app@sha256:0f",
            "app@0f",
            "http://registry/app",
            "registry:port/app",
            "é",
            &"a".repeat(256),
            &format!("a:{}", "1".repeat(129)),
            &"0f".repeat(32),
        ] {
            assert!(!is_image(image), "{image}");
        }
    }
}
