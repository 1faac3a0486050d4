//! A pod of the corpus, changed so that the test's node can run it: its images, programs, claims, ports and amounts of CPU become
//! some that there are; everything else stays.

use serde_json::{Map, Value, json};
use tributary_cluster::images::catalog;
use tributary_crds::annotation;

use super::lines::{WRITTEN, mark};
use super::{Files, Habitat, NODE_DIRECTORY};
use crate::corpus::unannotated;
use crate::image;

/// `BusyBox` that runs as a user, for containers that must not run as root and do not say as whom.
pub const BUSYBOX_OF_A_USER: &str = "tributary.dev/busybox-of-a-user:1";
/// The only handler of a runtime that the node has.
pub const HANDLER: &str = "runc";

/// How long pods may run that have a deadline, in seconds: longer than they are looked at.
const DEADLINE: u64 = 3_600;

/// Writes the lines to each file that the arguments name, then says how many it could write; `$0` is `NAMESPACE.CONTAINER`.
const WRITE: &str = r#"k=0
for f in "$@"; do
    mkdir -p "${f%/*}" 2>/dev/null
    n=0
    while [ $n -lt LINES ] && echo "$n: $0.$k" 2>/dev/null >>"$f"; do n=$((n+1)); done
    echo "wrote $n $0.$k"
    k=$((k+1))
done
"#;

/// The pod as it is to run in one of its two habitats, called `name`.
pub fn runnable(name: &str, pod: &Value, files: &Files, habitat: Habitat) -> Value {
    let mut pod = if habitat.is_annotated {
        pod.clone()
    } else {
        unannotated(pod.clone())
    };
    let metadata = &mut pod["metadata"];
    metadata["name"] = name.into();
    metadata["namespace"] = habitat.namespace.into();
    if let Some(metadata) = metadata.as_object_mut() {
        // An owner that is not there would have the pod collected as garbage.
        metadata.retain(|key, _| key != "generateName" && key != "ownerReferences");
    }
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut)
        && let Some(image) = annotations.get_mut(annotation::IMAGE)
    {
        *image = image::NAME.into();
    }
    let spec = &mut pod["spec"];
    let ends = spec["restartPolicy"].is_string() && spec["restartPolicy"] != "Always";
    let user = spec["securityContext"].clone();
    for (list, stays) in [("initContainers", false), ("containers", !ends)] {
        for container in items(spec, list) {
            adapt_container(container, &user, stays, files, habitat);
        }
    }
    if let Some(resources) = spec.get_mut("resources") {
        scale_cpu(resources);
    }
    if let Some(seconds) = spec.get_mut("activeDeadlineSeconds") {
        *seconds = DEADLINE.into();
    }
    for volume in items(spec, "volumes") {
        if let Some(path) = volume.pointer_mut("/hostPath/path") {
            *path = format!(
                "{NODE_DIRECTORY}/{}{}",
                habitat.namespace,
                path.as_str().unwrap_or_default()
            )
            .into();
        }
    }
    if let Some(affinity) = spec.get_mut("affinity") {
        replace_text(affinity, "node-1", "node1");
    }
    pod
}

/// Why the pod gets no further than being made on the test's node, whoever asks for what, if that is so.
pub fn why_stuck(pod: &Value) -> Option<&'static str> {
    let spec = &pod["spec"];
    let mut volumes = spec["volumes"].as_array().into_iter().flatten();
    let lists = [&spec["initContainers"], &spec["containers"]];
    let mut containers = lists.into_iter().filter_map(Value::as_array).flatten();
    let asks_for_devices = |container: &Value| {
        let amounts = [
            &container["resources"]["limits"],
            &container["resources"]["requests"],
        ];
        let mut resources = amounts.into_iter().filter_map(Value::as_object).flatten();
        resources.any(|(resource, _)| resource.contains('/'))
    };
    if spec["os"]["name"] == "windows" {
        Some("the node is no Windows")
    } else if spec["schedulingGates"].is_array() {
        Some("nobody lifts its scheduling gate")
    } else if volumes.any(|volume| volume["nfs"].is_object() || volume["csi"].is_object()) {
        Some("there is no NFS server and no CSI driver")
    } else if containers.any(asks_for_devices) {
        Some("the node has no devices")
    } else {
        None
    }
}

/// The amounts of CPU that the corpus asks for, of a policy too, as a small node has them: a tenth.
pub fn scale_cpu(resources: &mut Value) {
    for kind in ["requests", "limits"] {
        if let Some(cpu) = resources.get_mut(kind).and_then(|amounts| amounts.get_mut("cpu")) {
            let text = cpu.as_str().map_or_else(|| cpu.to_string(), str::to_owned);
            let thousandths = match text.strip_suffix('m') {
                Some(number) => number.parse::<u64>(),
                None => text.parse::<u64>().map(|number| number * 1000),
            };
            if let Ok(thousandths) = thousandths {
                *cpu = format!("{}m", thousandths / 10).into();
            }
        }
    }
}

fn items<'v>(object: &'v mut Value, list: &str) -> impl Iterator<Item = &'v mut Value> {
    object
        .get_mut(list)
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
}

fn adapt_container(container: &mut Value, of_pod: &Value, stays: bool, files: &Files, habitat: Habitat) {
    if let Some(resources) = container.get_mut("resources") {
        scale_cpu(resources);
    }
    for port in items(container, "ports") {
        for key in ["containerPort", "hostPort"] {
            if let Some(number) = port.get(key).and_then(Value::as_u64) {
                port[key] = (number + habitat.port_offset).into();
            }
        }
    }
    let is_sidecar = container["restartPolicy"] == "Always";
    let name = container["name"].as_str().unwrap_or_default().to_owned();
    let setting = |key: &str| match &container["securityContext"][key] {
        Value::Null => of_pod[key].clone(),
        own => own.clone(),
    };
    let is_nobody = setting("runAsNonRoot") == true && setting("runAsUser").is_null();
    let Some(container) = container.as_object_mut() else {
        return;
    };
    for probe in [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "imagePullPolicy",
    ] {
        container.remove(probe);
    }
    if is_ours(container) {
        // A sidecar that an earlier admission put there.
        container.insert("image".to_owned(), image::NAME.into());
        return;
    }
    let busybox = if is_nobody {
        BUSYBOX_OF_A_USER
    } else {
        catalog::BUSYBOX
    };
    container.insert("image".to_owned(), busybox.into());
    if !stays && !is_sidecar && container.contains_key("command") {
        // It prepares something for the others.
        return;
    }
    let written = files.get(&name).map(Vec::as_slice).unwrap_or_default();
    container.insert(
        "command".to_owned(),
        command(&name, written, stays || is_sidecar, habitat),
    );
    container.remove("args");
}

fn is_ours(container: &Map<String, Value>) -> bool {
    container
        .get("command")
        .is_some_and(|command| command[0] == "/tributary-streamer")
}

fn command(container: &str, files: &[String], stays: bool, habitat: Habitat) -> Value {
    let end = if stays { "exec sleep 3600" } else { "exit 0" };
    let script = WRITE.replace("LINES", &WRITTEN.to_string()) + end;
    // The mark of a file is this and the file's index.
    let marks = mark(habitat.namespace, container, 0);
    let marks = marks.trim_end_matches(".0");
    let mut command = vec!["/bin/sh".to_owned(), "-c".to_owned(), script, marks.to_owned()];
    // Kubernetes replaces $(NAME) there.
    command.extend(files.iter().map(|file| matching(file).replace("$(", "$$(")));
    json!(command)
}

/// A file that the pattern selects.
fn matching(pattern: &str) -> String {
    let mut file = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        match c {
            '*' | '?' => file.push('x'),
            '[' => {
                file.extend(rest.next());
                rest.by_ref().find(|&c| c == ']');
            }
            _ => file.push(c),
        }
    }
    file
}

fn replace_text(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text == from => to.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace_text(item, from, to)),
        Value::Object(fields) => fields
            .values_mut()
            .for_each(|field| replace_text(field, from, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH: Habitat = Habitat {
        namespace: "zoo",
        is_annotated: true,
        port_offset: 0,
    };
    const WITHOUT: Habitat = Habitat {
        namespace: "twins",
        is_annotated: false,
        port_offset: 1000,
    };

    fn pod() -> Value {
        json!({
            "metadata": {
                "generateName": "web-", "namespace": "shop", "ownerReferences": [{}],
                "annotations": {"tributary.dev/stream": "/logs/*.log", "other": "stays"}
            },
            "spec": {
                "restartPolicy": "Never",
                "initContainers": [
                    {"name": "touch", "image": "a", "command": ["touch", "/v/app.log"]},
                    {"name": "mesh", "image": "b", "restartPolicy": "Always", "startupProbe": {}},
                    {"name": "stream", "image": "c", "command": ["/tributary-streamer", "--", "/x"]}
                ],
                "containers": [{
                    "name": "app", "image": "d", "args": ["serve"], "ports": [{"containerPort": 80}],
                    "resources": {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": {"cpu": "200m"}},
                    "securityContext": {"runAsNonRoot": true}
                }],
                "volumes": [{"name": "logs", "hostPath": {"path": "/var/log/agent"}}]
            }
        })
    }

    fn files() -> Files {
        Files::from([(
            "app".to_owned(),
            vec!["/logs/*.log".to_owned(), "/logs/$(reboot)-[0-9].log".to_owned()],
        )])
    }

    #[test]
    fn programs_become_some_that_the_node_has() {
        let runnable = runnable("job", &pod(), &files(), WITH);
        let spec = &runnable["spec"];
        assert_eq!(
            spec["initContainers"][0]["command"],
            json!(["touch", "/v/app.log"])
        );
        let mesh = &spec["initContainers"][1];
        assert!(
            mesh["command"][2].as_str().unwrap().ends_with("exec sleep 3600")
                && mesh.get("startupProbe").is_none()
        );
        assert_eq!(spec["initContainers"][2]["image"], image::NAME);
        let app = &spec["containers"][0];
        assert_eq!(app["image"], BUSYBOX_OF_A_USER);
        let command = app["command"].as_array().unwrap();
        assert!(command[2].as_str().unwrap().ends_with("exit 0") && app.get("args").is_none());
        assert_eq!(
            command[3..],
            [
                json!("zoo.app"),
                json!("/logs/x.log"),
                json!("/logs/$$(reboot)-0.log")
            ]
        );
        assert_eq!(
            app["resources"],
            json!({"limits": {"cpu": "100m", "memory": "1Gi"}, "requests": {"cpu": "20m"}})
        );
    }

    #[test]
    fn pods_that_no_node_of_ours_can_run_are_known() {
        assert_eq!(why_stuck(&pod()), None);
        let stuck = [
            json!({"os": {"name": "windows"}}),
            json!({"schedulingGates": [{"name": "a"}]}),
            json!({"volumes": [{"csi": {}}]}),
            json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]}),
        ];
        let why: std::collections::BTreeSet<_> = stuck.map(|spec| why_stuck(&json!({"spec": spec}))).into();
        assert!(why.len() == 4 && !why.contains(&None), "{why:?}");
    }

    #[test]
    fn twins_differ_in_what_they_ask_of_us_only() {
        let (with, mut without) = (
            runnable("job", &pod(), &files(), WITH),
            runnable("job", &pod(), &files(), WITHOUT),
        );
        assert_eq!(
            without["metadata"],
            json!({"name": "job", "namespace": "twins", "annotations": {"other": "stays"}})
        );
        assert_eq!(
            without["spec"]["containers"][0]["ports"][0]["containerPort"],
            1080
        );
        assert_eq!(
            without["spec"]["volumes"][0]["hostPath"]["path"],
            "/var/lib/zoo/twins/var/log/agent"
        );
        without["metadata"] = with["metadata"].clone();
        without["spec"]["containers"][0]["ports"] = with["spec"]["containers"][0]["ports"].clone();
        let same = without.to_string().replace("twins", "zoo");
        assert_eq!(serde_json::from_str::<Value>(&same).unwrap(), with);
    }
}
