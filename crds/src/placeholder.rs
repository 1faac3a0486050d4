//! Names that may hold placeholders, as the resource's schema judges them.

use kube::core::Rule;

/// What may stand in braces.
const PLACEHOLDER: &str =
    "[{](date|kubernetes[.](namespace_name|pod_name|container_name|host|labels[.][A-Za-z0-9./_-]+))[}]";

/// How placeholders are written, for messages.
pub const FORMS: &str = "{kubernetes.namespace_name}, {kubernetes.pod_name}, {kubernetes.container_name}, {kubernetes.host}, \
                         {kubernetes.labels.KEY} or {date}";

/// The rule that a name meets `pattern`, a regular expression in which `@` stands for a placeholder. `advice` says what to write.
pub fn rule(pattern: &str, advice: &str) -> Rule {
    Rule::new(format!("self.matches('{}')", pattern.replace('@', PLACEHOLDER)))
        .message(format!("{advice}; placeholders such as {{kubernetes.namespace_name}} may follow").as_str())
}
