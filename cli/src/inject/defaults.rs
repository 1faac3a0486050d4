//! What the API server has made of an object before decisions depend on it.

use serde_json::{Map, Value, json};
use tributary_webhook::limits::amounts::RequestsAndLimits;
use tributary_webhook::limits::pod_resources::PodResources;
use tributary_webhook::pod::Pod;

/// A pod whose volumes without a source are emptyDirs. What its containers request is defaulted where it is added up.
pub fn pod(pod: &Value) -> Value {
    let mut pod = pod.clone();
    for volume in items(&mut pod, "/spec/volumes") {
        let has_source = volume
            .iter()
            .any(|(field, value)| field != "name" && !value.is_null());
        if !has_source {
            volume.insert("emptyDir".to_owned(), json!({}));
        }
    }
    pod
}

/// Writes what a pod that has limits as a whole requests as a whole. The API server does so when it reads a pod, before its
/// webhooks: it adds up what the containers request, and a pod that comes with sidecars must not have those added, too.
///
/// `pod` is `before` with sidecars.
pub fn complete_whole(pod: &mut Value, before: &Pod<'_>) {
    let no_defaults = RequestsAndLimits::default();
    let application = PodResources::of_application(before, &no_defaults);
    let by_containers = application.of_containers().requests;
    let Some(whole) = application.whole() else {
        return;
    };
    for (resource, amount) in whole.requests.iter() {
        let name = resource.name();
        let resources = &mut pod["spec"]["resources"];
        if resources["requests"].get(name).is_none() {
            let as_limited = resources["limits"].get(name).cloned();
            let as_limited = as_limited.filter(|_| by_containers.get(resource).is_none());
            resources["requests"][name] = as_limited.unwrap_or_else(|| amount.to_string().into());
        }
    }
}

/// A `LimitRange` whose items for containers have their defaults: what is allowed at most is the default limit, and that, or else
/// what is demanded at least, is the default request.
pub fn limit_range(object: &Value) -> Value {
    let mut object = object.clone();
    for item in items(&mut object, "/spec/limits") {
        item.values_mut().for_each(write_quantities_as_text);
        if item.get("type").and_then(Value::as_str) == Some("Container") {
            for (field, default) in [
                ("default", "max"),
                ("defaultRequest", "default"),
                ("defaultRequest", "min"),
            ] {
                fill_in(item, field, default);
            }
        }
    }
    object
}

/// A `ResourceQuota` as it is once it was counted. One that comes without a status has all of it left.
pub fn quota(object: &Value) -> Value {
    let mut object = object.clone();
    if object["status"]["hard"].is_null() {
        object["status"] = json!({"hard": object["spec"]["hard"], "used": {}});
    }
    for pointer in ["/spec/hard", "/status/hard", "/status/used"] {
        if let Some(quantities) = object.pointer_mut(pointer) {
            write_quantities_as_text(quantities);
        }
    }
    object
}

fn items<'p>(object: &'p mut Value, list: &str) -> impl Iterator<Item = &'p mut Map<String, Value>> {
    let items = object.pointer_mut(list).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn fill_in(item: &mut Map<String, Value>, field: &str, default: &str) {
    let Some(defaults) = item.get(default).and_then(Value::as_object).cloned() else {
        return;
    };
    let present = item.entry(field).or_insert(Value::Null);
    if present.is_null() {
        *present = json!({});
    }
    for (resource, quantity) in defaults {
        if let Some(present) = present.as_object_mut() {
            present.entry(resource).or_insert(quantity);
        }
    }
}

/// People write `cpu: 1`; the API server keeps `cpu: "1"`.
fn write_quantities_as_text(quantities: &mut Value) {
    for quantity in quantities.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if quantity.is_number() {
            *quantity = quantity.to_string().into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_without_a_source_is_an_empty_dir() {
        let defaulted = pod(&json!({"spec": {"volumes": [
            {"name": "a"}, {"name": "b", "secret": {"secretName": "s"}}, {"name": "c", "emptyDir": null}]}}));
        assert_eq!(
            defaulted["spec"]["volumes"],
            json!([{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {"secretName": "s"}}, {"name": "c", "emptyDir": {}}])
        );
        for odd in [
            json!({}),
            json!({"spec": {"volumes": 5}}),
            json!({"spec": {"volumes": [5]}}),
        ] {
            assert_eq!(pod(&odd), odd);
        }
    }

    #[test]
    fn limits_of_containers_have_defaults() {
        let defaulted = limit_range(&json!({"spec": {"limits": [
            {"type": "Container", "max": {"cpu": 2, "memory": "1Gi"}, "default": {"cpu": "1"}, "min": {"cpu": "10m", "x": "1"}},
            {"type": "Pod", "max": {"cpu": "4"}}]}}));
        assert_eq!(
            defaulted["spec"]["limits"],
            json!([
                {
                    "type": "Container", "max": {"cpu": "2", "memory": "1Gi"}, "min": {"cpu": "10m", "x": "1"},
                    "default": {"cpu": "1", "memory": "1Gi"}, "defaultRequest": {"cpu": "1", "memory": "1Gi", "x": "1"}
                },
                {"type": "Pod", "max": {"cpu": "4"}}
            ])
        );
    }

    #[test]
    fn a_quota_from_a_file_is_all_left() {
        let counted = quota(&json!({"spec": {"hard": {"limits.cpu": 2}}}));
        assert_eq!(
            counted["status"],
            json!({"hard": {"limits.cpu": "2"}, "used": {}})
        );
        let status = json!({"hard": {"limits.cpu": "2"}, "used": {"limits.cpu": "1"}});
        assert_eq!(quota(&json!({"status": status}))["status"], status);
    }
}
