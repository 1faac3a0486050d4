//! What holds for every pod, not only for those that somebody thought of.

use crate::quality_of_service::{class, resources};
use crate::support::{decide, patched, policies};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// JSON that no version of Kubernetes knows.
fn unknown() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has no NaN", |f| f.is_finite())
            .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z/~]{1,6}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Names of volumes, some of which are ours.
const VOLUMES: [&str; 5] = ["v0", "v1", "v2", "tributary-positions", "tributary-agent-state"];

fn mount() -> impl Strategy<Value = Value> {
    let path = prop_oneof![
        Just("/logs"),
        Just("/logs/app"),
        Just("/var/log/"),
        Just("/logs/app/a.log"),
        Just("/var/run"),
        Just("/etc"),
        Just("/"),
        Just("/tributary"),
        Just("/tributary-positions"),
        Just("/etc/tributary/config"),
    ];
    let part = proptest::option::of(prop_oneof![Just("a.log"), Just("sub/dir")]);
    (0..VOLUMES.len(), path, part, any::<Option<bool>>(), unknown()).prop_map(
        |(volume, path, part, read_only, unknown)| {
            let mut mount = json!({"name": VOLUMES[volume], "mountPath": path, "futureMount": unknown});
            if let Some(part) = part {
                mount["subPath"] = part.into();
            }
            if let Some(read_only) = read_only {
                mount["readOnly"] = read_only.into();
            }
            mount
        },
    )
}

fn variable() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        Just("X"),
        Just("OTEL_RESOURCE_ATTRIBUTES"),
        Just("TRIBUTARY_POD_NAME")
    ];
    (name, ".{0,6}").prop_map(|(name, value)| json!({"name": name, "value": value}))
}

fn container() -> impl Strategy<Value = Value> {
    let mounts = proptest::option::of(proptest::collection::vec(mount(), 0..3));
    let user = proptest::option::of(0..3_i64);
    let resources = proptest::option::of(resources());
    let env = proptest::option::of(proptest::collection::vec(variable(), 0..3));
    let generated = (mounts, user, any::<bool>(), resources, env, unknown());
    generated.prop_map(|(mounts, user, sidecar, resources, env, unknown)| {
        let mut container = json!({"image": "i", "futureField": unknown});
        if let Some(env) = env {
            container["env"] = env.into();
        }
        if let Some(resources) = resources {
            container["resources"] = resources;
        }
        if let Some(mounts) = mounts {
            container["volumeMounts"] = mounts.into();
        }
        if let Some(user) = user {
            container["securityContext"] = json!({"runAsUser": user});
        }
        if sidecar {
            container["restartPolicy"] = "Always".into();
        }
        container
    })
}

fn volumes() -> impl Strategy<Value = Value> {
    let source = prop_oneof![
        Just(json!({"emptyDir": {}})),
        Just(json!({"configMap": {"name": "c"}})),
        Just(json!({"persistentVolumeClaim": {"claimName": "c"}})),
        Just(json!({"futureVolume": {"a": 1}})),
    ];
    proptest::collection::vec(source, 0..=VOLUMES.len()).prop_map(|sources| {
        let named = sources.into_iter().enumerate().map(|(index, mut source)| {
            source["name"] = VOLUMES[index].into();
            source
        });
        Value::Array(named.collect())
    })
}

fn files() -> impl Strategy<Value = String> {
    let file = prop_oneof![
        Just("/logs/app/a.log"),
        Just("/logs/b.log"),
        Just("/logs/app/*.log"),
        Just("/var/run/c.log"),
        Just("c1:/logs/app/a.log"),
        Just("i0:/new/deep/d.log"),
        Just("/new/e.log"),
        Just("nobody:/x/y"),
        Just("/f.log"),
        Just("/logs/A.LOG"),
        Just("/logs/a-log"),
        Just("/logs/$(X)"),
        Just("/tributary/g.log"),
        Just("/tributary-positions/h.log"),
        Just("/positions/i.log"),
    ];
    let files = proptest::collection::vec(file, 1..6).prop_map(|files| files.join(","));
    prop_oneof![8 => files, 1 => ".{0,300}"]
}

/// What is asked for: at least one pattern, and choices.
fn annotations() -> impl Strategy<Value = Value> {
    let direct = prop_oneof![Just("true"), Just("c0"), Just("c1, nobody"), Just("false")];
    let asks = (
        proptest::option::weighted(0.7, files()),
        proptest::option::weighted(0.4, files()),
        proptest::option::weighted(0.3, direct),
    );
    let choices = (
        any::<bool>(),
        proptest::option::of(prop_oneof![Just("PerFile"), Just("Combined"), Just("Other")]),
        proptest::option::of(prop_oneof![Just("Raw"), Just("Json")]),
        proptest::option::of(prop_oneof![Just("Java"), Just("^$(X)"), Just("(")]),
    );
    (asks, choices).prop_map(|((stream, ship, direct), (create, layout, format, multiline))| {
        let mut annotations = Map::new();
        let mut set = |key: &str, value: Option<String>| {
            annotations.extend(value.map(|value| (format!("tributary.dev/{key}"), Value::from(value))));
        };
        let nothing = stream.is_none() && ship.is_none();
        set("stream", stream);
        set("ship", ship);
        set(
            "direct",
            direct
                .map(str::to_owned)
                .or_else(|| nothing.then(|| "true".to_owned())),
        );
        set("missing-volume", create.then(|| "create".to_owned()));
        set("layout", layout.map(str::to_owned));
        set("format", format.map(str::to_owned));
        set("multiline", multiline.map(str::to_owned));
        annotations.into()
    })
}

prop_compose! {
    fn pod()(
        mut containers in proptest::collection::vec(container(), 1..3),
        mut init in proptest::option::of(proptest::collection::vec(container(), 0..3)),
        volumes in proptest::option::of(volumes()),
        annotations in annotations(),
        resources in proptest::option::weighted(0.2, resources()),
        labels in any::<bool>(),
        unknown in unknown(),
    ) -> Value {
        let name = |list: &mut Vec<Value>, prefix: &str| {
            for (index, container) in list.iter_mut().enumerate() {
                container["name"] = format!("{prefix}{index}").into();
            }
        };
        name(&mut containers, "c");
        let mut spec = json!({"containers": containers, "futureSpec": unknown});
        if let Some(init) = &mut init {
            name(init, "i");
            spec["initContainers"] = init.clone().into();
        }
        if let Some(volumes) = volumes {
            spec["volumes"] = volumes;
        }
        if let Some(resources) = resources {
            spec["resources"] = resources;
        }
        let mut metadata = json!({"name": "p", "namespace": "shop", "annotations": annotations});
        if labels {
            metadata["labels"] = json!({"a": "b"});
        }
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }
}

/// Takes out of a patched pod what the patch may have added, and nothing else.
fn without_additions(mut pod: Value, before: &Value) -> Value {
    let strip_keys = |map: &mut Map<String, Value>, original: &Value| {
        map.retain(|key, _| {
            let ours = key.starts_with("tributary.dev/") || key == "kubectl.kubernetes.io/default-container";
            !ours || original.get(key).is_some()
        });
    };
    for map in ["labels", "annotations"] {
        if let Some(Value::Object(entries)) = pod["metadata"].get_mut(map) {
            strip_keys(entries, &before["metadata"][map]);
        }
    }
    let spec = pod["spec"].as_object_mut().unwrap();
    let is_new = |list: &str, item: &Value| {
        let known = before["spec"][list].as_array().into_iter().flatten();
        !known.into_iter().any(|original| original["name"] == item["name"])
    };
    for list in ["initContainers", "volumes"] {
        if let Some(Value::Array(items)) = spec.get_mut(list) {
            items.retain(|item| !is_new(list, item));
        }
    }
    for list in ["containers", "initContainers"] {
        for container in spec
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let original = before["spec"][list].as_array().into_iter().flatten();
            let original = original
                .into_iter()
                .find(|known| known["name"] == container["name"])
                .unwrap();
            if let Some(Value::Array(env)) = container.get_mut("env") {
                // What is added comes first.
                env.drain(..env.len() - original["env"].as_array().map_or(0, Vec::len));
            }
            if let Some(Value::Array(mounts)) = container.get_mut("volumeMounts") {
                mounts.truncate(original["volumeMounts"].as_array().map_or(0, Vec::len));
            }
        }
    }
    pod
}

/// Empty lists and maps that were made to hold an addition count as absent.
fn without_empty_parents(mut pod: Value) -> Value {
    let drop_empty = |value: &mut Value, key: &str| {
        let empty = value.get(key).is_some_and(|held| match held {
            Value::Array(items) => items.is_empty(),
            Value::Object(entries) => entries.is_empty(),
            _ => false,
        });
        if empty {
            value.as_object_mut().unwrap().remove(key);
        }
    };
    drop_empty(&mut pod["metadata"], "labels");
    for list in ["containers", "initContainers"] {
        for container in pod["spec"]
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            drop_empty(container, "volumeMounts");
            drop_empty(container, "env");
        }
    }
    drop_empty(&mut pod["spec"], "volumes");
    drop_empty(&mut pod["spec"], "initContainers");
    pod
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_patched_pod_keeps_everything_and_a_second_pass_adds_nothing(pod in pod()) {
        let policies = policies();
        let first = decide(&pod, policies);
        let once = patched(&pod, &first);
        prop_assert_eq!(
            without_empty_parents(without_additions(once.clone(), &pod)),
            without_empty_parents(pod.clone())
        );
        let second = decide(&once, policies);
        prop_assert!(second.patch.is_empty(), "{:?}", second.patch);
        prop_assert_eq!(first.result, second.result);
    }

    #[test]
    fn what_is_added_is_sound(pod in pod()) {
        let decision = decide(&pod, policies());
        let after = patched(&pod, &decision);
        let spec = &after["spec"];
        let containers = || ["containers", "initContainers"].into_iter().flat_map(|list| spec[list].as_array().into_iter().flatten());
        let mut names: Vec<&str> = containers().map(|c| c["name"].as_str().unwrap()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), count, "container names are unique");
        let volumes: Vec<&str> =
            spec["volumes"].as_array().into_iter().flatten().map(|v| v["name"].as_str().unwrap()).collect();
        let is_ours = |container: &Value| {
            let known = pod["spec"]["initContainers"].as_array().into_iter().flatten();
            let apps = pod["spec"]["containers"].as_array().into_iter().flatten();
            !known.chain(apps).any(|known| known["name"] == container["name"])
        };
        for sidecar in containers().filter(|container| is_ours(container)) {
            prop_assert_eq!(&sidecar["securityContext"]["runAsNonRoot"], &json!(true));
            prop_assert!(sidecar["securityContext"]["runAsUser"].as_i64().unwrap() > 0);
            let mounts = sidecar["volumeMounts"].as_array().unwrap();
            let path = |mount: &Value| format!("{}/", mount["mountPath"].as_str().unwrap());
            for (index, mount) in mounts.iter().enumerate() {
                prop_assert!(volumes.contains(&mount["name"].as_str().unwrap()));
                let writable = ["/tributary-positions", "/var/lib/tributary"].contains(&mount["mountPath"].as_str().unwrap());
                prop_assert_eq!(mount.get("readOnly"), (!writable).then_some(&json!(true)));
                for other in &mounts[index + 1..] {
                    prop_assert!(!path(mount).starts_with(&path(other)) && !path(other).starts_with(&path(mount)), "{mounts:?}");
                }
                let shared = containers()
                    .filter(|container| !is_ours(container))
                    .flat_map(|container| container["volumeMounts"].as_array().into_iter().flatten())
                    .any(|theirs| theirs["name"] == mount["name"]);
                prop_assert!(!writable || !shared, "no container of the application can reach positions and buffers");
            }
        }
    }

    #[test]
    fn no_pod_changes_its_quality_of_service(pod in pod()) {
        let after = patched(&pod, &decide(&pod, policies()));
        prop_assert_eq!(class(&pod), class(&after));
    }

    #[test]
    fn what_another_webhook_takes_away_comes_back(pod in pod(), of_list in any::<prop::sample::Index>(), volume in any::<bool>()) {
        let policies = policies();
        let once = patched(&pod, &decide(&pod, policies));
        let is_added = |list: &str, item: &Value| {
            let known = pod["spec"][list].as_array().into_iter().flatten();
            !known.into_iter().any(|known| known["name"] == item["name"])
        };
        let mut less = once.clone();
        let own = ["/tributary-positions", "/var/lib/tributary", "/etc/tributary/config"];
        let sidecars = once["spec"]["initContainers"].as_array().into_iter().flatten();
        let own: Vec<&Value> = sidecars
            .filter(|container| is_added("initContainers", container))
            .flat_map(|container| container["volumeMounts"].as_array().into_iter().flatten())
            .filter(|mount| own.contains(&mount["mountPath"].as_str().unwrap()))
            .map(|mount| &mount["name"])
            .collect();
        let list = if volume { "volumes" } else { "initContainers" };
        if let Some(items) = less["spec"][list].as_array_mut() {
            let ours: Vec<usize> = (0..items.len())
                .filter(|&index| is_added(list, &items[index]) && (!volume || own.contains(&&items[index]["name"])))
                .collect();
            if !ours.is_empty() {
                items.remove(ours[of_list.index(ours.len())]);
            }
        }
        let sorted = |pod: &Value| {
            let mut items = pod["spec"][list].as_array().cloned().unwrap_or_default();
            items.sort_by_key(|item| item["name"].to_string());
            items
        };
        let again = patched(&less, &decide(&less, policies));
        prop_assert_eq!(sorted(&again), sorted(&once));
    }

    #[test]
    fn every_file_is_accounted_for(pod in pod()) {
        let decision = decide(&pod, policies());
        let result = &decision.result;
        let shipped = result.agent.as_ref().map_or(&[][..], |agent| &agent.files);
        let told = result.files.len() + shipped.len() + result.pod.len() + usize::from(result.direct.is_some());
        let asks = pod["metadata"]["annotations"].as_object().unwrap();
        let declined = asks.keys().all(|key| !["tributary.dev/stream", "tributary.dev/ship"].contains(&key.as_str()))
            && asks.get("tributary.dev/direct") == Some(&json!("false"));
        prop_assert!(told > 0 || declined, "no silent skip");
        for finding in result.files.iter().chain(shipped).filter(|file| file.sidecar.is_none()) {
            let reason = finding.reason.as_str();
            prop_assert!(decision.warnings.iter().any(|warning| warning.contains(reason)), "{reason}");
        }
    }

    #[test]
    fn hostile_annotations_do_no_harm(value in any::<String>(), other in any::<String>()) {
        let pod = json!({
            "metadata": {"annotations": {
                "tributary.dev/stream": value, "tributary.dev/ship": other, "tributary.dev/direct": value,
                "tributary.dev/layout": other, "tributary.dev/format": value, "tributary.dev/multiline": other,
                "tributary.dev/resources": value, "tributary.dev/image": other, "tributary.dev/policy": other, "tributary.dev/run-as": other,
                "tributary.dev/missing-volume": other, "tributary.dev/result": value, "tributary.dev/inject": "true",
                "kubectl.kubernetes.io/default-container": other
            }},
            "spec": {"containers": [{"name": "app"}]}
        });
        let decision = decide(&pod, policies());
        for warning in &decision.warnings {
            prop_assert!(!warning.contains(char::is_control), "{warning:?}");
        }
    }
}
