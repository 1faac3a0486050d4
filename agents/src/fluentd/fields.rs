//! Where the standard record has its fields.

use tributary_crds::field::Field;

/// Where the standard record has a field.
pub fn path(field: &Field) -> Vec<&str> {
    match field {
        Field::Message => vec!["message"],
        Field::Level => vec!["level"],
        Field::Stream => vec!["stream"],
        Field::File => vec!["file"],
        Field::Unit => vec!["systemd", "unit"],
        Field::NamespaceName => vec!["kubernetes", "namespace_name"],
        Field::PodName => vec!["kubernetes", "pod_name"],
        Field::PodId => vec!["kubernetes", "pod_id"],
        Field::ContainerName => vec!["kubernetes", "container_name"],
        Field::Host => vec!["kubernetes", "host"],
        Field::Label(key) => vec!["kubernetes", "labels", key],
        Field::Data(keys) => std::iter::once("data")
            .chain(keys.iter().map(String::as_str))
            .collect(),
    }
}
