//! The script and its data: what a policy says, and what a pod is, reaches the script only as lines that it reads.

use tributary_crds::field::Field;

use crate::pipeline::Subject;

/// The file of the script.
pub const SCRIPT: &str = "tributary.lua";
/// The file of its data, and the only place where it meets the text of a policy or of a pod.
pub const DATA: &str = "pipeline.tsv";

/// The script, the same for every policy: its parts, one after the other, each of which uses the ones before.
pub const SCRIPT_TEXT: &str = concat!(
    include_str!("script/data.lua"),
    "\n",
    include_str!("script/encoding.lua"),
    "\n",
    include_str!("script/json.lua"),
    "\n",
    include_str!("script/logfmt.lua"),
    "\n",
    include_str!("script/expression.lua"),
    "\n",
    include_str!("script/fields.lua"),
    "\n",
    include_str!("script/conditions.lua"),
    "\n",
    include_str!("script/steps.lua"),
    "\n",
    include_str!("script/record.lua"),
    "\n",
    include_str!("script/outputs.lua"),
    "\n",
    include_str!("script/filters.lua"),
);

/// The script as a sidecar has it, in an annotation, where room is scarce: without comments and indentation. No text in it spans
/// lines.
pub fn short_script() -> String {
    let lines = SCRIPT_TEXT.lines().map(str::trim_start);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("--"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// Adds a line of cells, none of which holds a tab or a line break: see [`text`] and [`path`].
pub fn add(lines: &mut String, cells: &[String]) {
    lines.push_str(&cells.join("\t"));
    lines.push('\n');
}

/// A cell of any text: percent-encoded but for unreserved bytes.
pub fn text(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'.' | b'_' | b'-' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// A cell of the keys that lead to what a test looks at.
pub fn subject(subject: &Subject) -> String {
    match subject {
        Subject::Record(field) => path(field),
        Subject::NamespaceLabel(key) => keys(&["namespace_labels", key]),
    }
}

/// A cell of the keys that lead to a field of the standard record.
pub fn path(field: &Field) -> String {
    match field {
        Field::Message => keys(&["message"]),
        Field::Stream => keys(&["stream"]),
        Field::Level => keys(&["level"]),
        Field::File => keys(&["file"]),
        Field::Unit => keys(&["systemd", "unit"]),
        Field::Data(inner) => {
            let all: Vec<&str> = std::iter::once("data")
                .chain(inner.iter().map(String::as_str))
                .collect();
            keys(&all)
        }
        Field::NamespaceName => keys(&["kubernetes", "namespace_name"]),
        Field::PodName => keys(&["kubernetes", "pod_name"]),
        Field::PodId => keys(&["kubernetes", "pod_id"]),
        Field::ContainerName => keys(&["kubernetes", "container_name"]),
        Field::Host => keys(&["kubernetes", "host"]),
        Field::Label(key) => keys(&["kubernetes", "labels", key]),
    }
}

fn keys(keys: &[&str]) -> String {
    keys.iter().map(|key| text(key)).collect::<Vec<_>>().join("/")
}
