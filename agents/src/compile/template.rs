//! Names that may hold placeholders.

use tributary_crds::placeholder::FORMS;

use crate::CompileError;
use crate::template::{Flaw, Spelling, Template};

/// What names of one kind may be.
pub struct Names {
    /// The most bytes.
    pub longest: usize,
    /// How values of records are spelled in them.
    pub spelling: Spelling,
    /// Whether a name may be, with a letter for each placeholder.
    pub valid: fn(&str) -> bool,
    /// What to write.
    pub advice: &'static str,
}

/// Indices of Elasticsearch and `OpenSearch`.
pub const INDICES: Names = Names {
    longest: 255,
    spelling: Spelling::LowerCase,
    valid: |name| {
        let first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        name.starts_with(first) && name.chars().all(|c| first(c) || "._-".contains(c))
    },
    advice: "write at most 255 lower-case letters, digits, dots, underscores and dashes, starting with a letter or digit",
};

/// Indices of Splunk.
pub const SPLUNK_INDICES: Names = Names {
    longest: 80,
    spelling: Spelling::LowerCaseWithoutDots,
    valid: |name| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
        !name.starts_with('-') && name.chars().all(plain)
    },
    advice: "write at most 80 lower-case letters, digits, underscores and dashes, not starting with a dash",
};

/// Topics of Kafka.
pub const TOPICS: Names = Names {
    longest: 249,
    spelling: Spelling::Verbatim,
    valid: |name| !name.starts_with('.') && plain(name, "._-"),
    advice: "write at most 249 letters, digits, dots, underscores and dashes, not starting with a dot",
};

/// What keys of objects begin with. A name that begins with a dot would be taken for a place of a file system.
pub const KEY_PREFIXES: Names = Names {
    longest: 512,
    spelling: Spelling::Verbatim,
    valid: |prefix| {
        let name = |name: &str| !name.is_empty() && !name.starts_with('.') && plain(name, ".=_-");
        prefix.split('/').all(name)
    },
    advice: "write names of letters, digits, dots, dashes, underscores and equals signs with slashes between them, such as logs/prod",
};

/// Groups and streams of `CloudWatch`.
pub const LOG_GROUPS: Names = Names {
    longest: 512,
    spelling: Spelling::Verbatim,
    valid: |name| plain(name, "_/.#-"),
    advice: "write at most 512 letters, digits, slashes, dots, dashes, underscores and number signs",
};

fn plain(name: &str, punctuation: &str) -> bool {
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || punctuation.contains(c))
}

/// Reads a name. `field` is its path, for messages.
pub fn compile(field: &str, text: &str, names: &Names) -> Result<Template, CompileError> {
    let fail = |problem: String, remedy: String| Err(CompileError::field(field, problem, remedy));
    let template = match Template::parse(text, names.spelling) {
        Ok(template) => template,
        Err(flaw) => {
            let remedy = match flaw {
                Flaw::Empty => names.advice.to_owned(),
                Flaw::NoBeginning => format!("begin with what all names have in common, such as logs-{text}"),
                Flaw::Unclosed | Flaw::Unknown(_) => format!("write placeholders as {FORMS}"),
            };
            return fail(format!("is {text:?}, which {flaw}"), remedy);
        }
    };
    if !(names.valid)(&template.filled("x")) {
        return fail(format!("is {text:?}"), names.advice.to_owned());
    }
    let longest = template.longest();
    if longest > names.longest {
        let problem = match template.fixed() {
            Some(_) => format!("has {longest} characters"),
            None => {
                format!("may become {longest} characters long with the longest values that Kubernetes allows")
            }
        };
        let remedy = format!("write what has no more than {}", names.longest);
        return fail(problem, remedy);
    }
    Ok(template)
}
