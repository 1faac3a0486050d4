//! A file's name as it is printed with its lines.

use std::path::Path;

/// Characters of a path that a prefix shows at most; of a longer one its end, which tells more.
const SHOWN: usize = 200;

/// The path without `strip` before it: where the application has the file, when the sidecar has it elsewhere.
pub fn stripped<'p>(path: &'p Path, strip: Option<&Path>) -> String {
    let below: Option<&'p Path> = strip.and_then(|strip| path.strip_prefix(strip).ok());
    below.map_or_else(
        || path.to_string_lossy().into_owned(),
        |below| format!("/{}", below.to_string_lossy()),
    )
}

/// `[/var/log/app.log] `, on one line whatever is in the name.
pub fn prefix(path: &str) -> String {
    let length = path.chars().count();
    let mut prefix = String::from("[");
    if length > SHOWN {
        prefix.push('…');
    }
    for character in path.chars().skip(length.saturating_sub(SHOWN)) {
        match character {
            // These have an escape too, and stand for themselves here.
            '\'' | '"' => prefix.push(character),
            _ => prefix.extend(character.escape_debug()),
        }
    }
    prefix.push_str("] ");
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_short_and_stays_on_its_line() {
        assert_eq!(prefix("/var/log/app.log"), "[/var/log/app.log] ");
        assert_eq!(
            prefix("/l\n\u{1b}[2J\u{202e}'é\\"),
            r"[/l\n\u{1b}[2J\u{202e}'é\\] "
        );
        let long = prefix(&format!("/{}/app.log", "d".repeat(4000)));
        assert!(
            long.starts_with("[…dd") && long.ends_with("d/app.log] "),
            "{long}"
        );
        assert_eq!(long.chars().count(), 200 + "[…] ".chars().count());
    }

    #[test]
    fn the_path_is_that_of_the_application() {
        let stripped = |path: &str| stripped(Path::new(path), Some(Path::new("/tributary")));
        assert_eq!(stripped("/tributary/var/run/app.log"), "/var/run/app.log");
        assert_eq!(stripped("/tributary-x/app.log"), "/tributary-x/app.log");
        assert_eq!(stripped("/var/tributary/app.log"), "/var/tributary/app.log");
        assert_eq!(super::stripped(Path::new("/a"), None), "/a");
    }
}
