//! The variables of a `subPathExpr`, and whether another container can have them too.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::EnvVar;

use crate::pod::Container;

/// The variables of a `subPathExpr` that another container can have too: literals and fields of the pod.
/// The error is the variable that it cannot have.
pub fn variables(container: &Container<'_>, expression: &str) -> Result<Vec<EnvVar>, String> {
    let env: Vec<EnvVar> = container
        .env
        .and_then(|env| serde_json::from_str(env.get()).ok())
        .unwrap_or_default();
    references(expression)
        .into_iter()
        .map(|name| {
            // The last one counts, as it does for the kubelet.
            let found = env.iter().rfind(|variable| variable.name == name);
            found
                .filter(|variable| is_portable(variable))
                .cloned()
                .ok_or_else(|| name.to_owned())
        })
        .collect()
}

/// Whether the variable has the same value in every container of the pod.
fn is_portable(variable: &EnvVar) -> bool {
    match (&variable.value, &variable.value_from) {
        (_, Some(source)) => {
            source.field_ref.is_some()
                && source.secret_key_ref.is_none()
                && source.config_map_key_ref.is_none()
        }
        // A literal may name other variables, which would have to be copied in their turn.
        (Some(value), None) => !value.contains("$("),
        (None, None) => true,
    }
}

/// The names in `$(NAME)`, each once, in order; `$$` stands for a dollar sign.
fn references(expression: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    renamed(expression, |name| {
        names.insert(name);
        String::new()
    });
    names
}

/// The same expression with other names for its variables.
pub fn renamed<'e>(expression: &'e str, mut rename: impl FnMut(&'e str) -> String) -> String {
    let mut text = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            text.extend(["(", &rename(name), ")"]);
            rest = after;
        }
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_renamed() {
        let renamed = renamed("a/$(B)/$$(C)/$(D)$", |name| format!("X_{name}"));
        assert_eq!(renamed, "a/$(X_B)/$$(C)/$(X_D)$");
        assert_eq!(references("a/$(B)/$$(C)/$(D)$(B"), BTreeSet::from(["B", "D"]));
    }
}
