//! Pattern 4, direct push: the application sends its telemetry by itself, and is told where to by the variables that every
//! OpenTelemetry SDK reads.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector};
use serde::Deserialize;
use serde_json::{Value, json};
use tributary_crds::names::label;
use tributary_crds::output::OtlpProtocol;
use tributary_crds::{Reason, annotation};

use crate::blocks::Direct;
use crate::explain::{DirectResult, Finding, Quoted};
use crate::patch::PatchBuilder;
use crate::pod::{Container, ContainerRef, Pod};
use crate::policies::Chosen;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
/// Addresses for one kind of telemetry, each with the variable of its protocol. Without that, [`PROTOCOL`] would be theirs.
const OF_SIGNALS: [(&str, &str); 3] = [
    (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    ),
    (
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL",
    ),
    (
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    ),
];
/// Variables of ours from which [`ATTRIBUTES`] is made, with the attribute and the pod's field of each.
const FIELDS: [(&str, &str, &str); 4] = [
    (
        "TRIBUTARY_NAMESPACE_NAME",
        "k8s.namespace.name",
        "metadata.namespace",
    ),
    ("TRIBUTARY_POD_NAME", "k8s.pod.name", "metadata.name"),
    ("TRIBUTARY_POD_UID", "k8s.pod.uid", "metadata.uid"),
    ("TRIBUTARY_NODE_NAME", "k8s.node.name", "spec.nodeName"),
];

/// Most containers that the annotation may name.
const MAX_NAMES: usize = 16;

/// Which containers push for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// All containers of the application.
    All,
    /// Those of these names.
    Named(Vec<String>),
}

impl Who {
    /// Reads `tributary.dev/direct`; `None` for `"false"`. The error says what to write.
    pub fn parse(value: &str) -> Option<Result<Self, Finding>> {
        let refused = |message: String, remedy: &str| {
            let finding = Finding::new(Reason::InvalidAnnotation, message, remedy);
            Some(Err(finding.about(annotation::DIRECT)))
        };
        match value.trim() {
            "false" => return None,
            "true" => return Some(Ok(Self::All)),
            _ => {}
        }
        let mut names: Vec<String> = Vec::new();
        for name in value.split(',').map(str::trim) {
            if !annotation::is_container_name(name) {
                let remedy = r#"write "true", or names of containers separated by commas"#;
                return refused(format!("{} is not understood", Quoted(value)), remedy);
            }
            if names.iter().any(|named| named == name) {
                continue;
            }
            if names.len() == MAX_NAMES {
                return refused(
                    format!("more than {MAX_NAMES} containers"),
                    r#"write "true" for all of them"#,
                );
            }
            names.push(name.to_owned());
        }
        Some(Ok(Self::Named(names)))
    }
}

/// What is to be done for a pod that pushes for itself.
#[derive(Debug)]
pub struct Plan<'p> {
    policy: &'p str,
    /// For each container that is served, the variables to add.
    served: Vec<(ContainerRef<'p>, Vec<EnvVar>)>,
    /// What is so of the pod as a whole.
    pub notes: Vec<Finding>,
}

/// An entry of `env`, as far as it must be known.
#[derive(Deserialize)]
struct Present {
    name: String,
}

impl<'p> Plan<'p> {
    /// Plans the variables.
    pub fn new(pod: &'p Pod<'p>, who: &Who, chosen: &Chosen<'p, Direct>) -> Self {
        let mut plan = Self {
            policy: chosen.name,
            served: Vec::new(),
            notes: Vec::new(),
        };
        let apps = || pod.all_containers().take(pod.spec.containers.len());
        match who {
            Who::All => apps().for_each(|container| plan.serve(pod, container, chosen.block)),
            Who::Named(names) => {
                for name in names {
                    match apps().find(|container| container.container.name == *name) {
                        Some(container) => plan.serve(pod, container, chosen.block),
                        None => plan.notes.push(unknown(name, apps())),
                    }
                }
            }
        }
        plan
    }

    fn serve(&mut self, pod: &Pod<'_>, container: ContainerRef<'p>, block: &Direct) {
        let name = &container.container.name;
        let mut wanted = variables(pod, container.container, block);
        let present = present(container.container);
        let has = |variable: &EnvVar| present.get(&variable.name);
        let ours = |variable: &EnvVar| has(variable).is_some_and(|present| *present == json!(variable));
        self.notes.extend(keep_protocol(name, &mut wanted, &present));
        for kept in wanted
            .iter()
            .filter(|variable| has(variable).is_some() && !ours(variable))
        {
            let message = format!("container {name} sets {} itself", kept.name);
            let remedy = "its own value stays; remove the variable from env to have it set here";
            let finding = Finding::new(Reason::VariableKept, message, remedy);
            self.notes.push(finding.about(annotation::DIRECT));
        }
        if container
            .container
            .env_from
            .as_ref()
            .is_some_and(|sources| !sources.is_empty())
        {
            let message = format!("container {name} has envFrom, which OTEL_* set here overrule");
            let remedy = "write in env what shall hold: that is never changed";
            let finding = Finding::new(Reason::EnvFromOverruled, message, remedy);
            self.notes.push(finding.about(annotation::DIRECT));
        }
        let added = wanted
            .into_iter()
            .filter(|variable| has(variable).is_none())
            .collect();
        self.served.push((container, added));
    }

    /// Whether any container is served, now or from before.
    pub fn serves(&self) -> bool {
        !self.served.is_empty()
    }

    /// Whether a variable is to be added.
    pub fn adds(&self) -> bool {
        self.served.iter().any(|(_, added)| !added.is_empty())
    }

    /// A reason for each container, for metrics.
    pub fn reasons(&self) -> impl Iterator<Item = Reason> {
        self.served.iter().map(|(_, added)| {
            if added.is_empty() {
                Reason::AlreadyInjected
            } else {
                Reason::Injected
            }
        })
    }

    /// What became of the pod.
    pub fn result(&self) -> Option<DirectResult> {
        let containers = self
            .served
            .iter()
            .map(|(container, _)| container.container.name.to_string());
        self.serves().then(|| DirectResult {
            policy: self.policy.to_owned(),
            containers: containers.collect(),
        })
    }

    /// Makes the changes. Call it before containers are inserted, which shifts indices.
    pub fn apply(&self, patch: &mut PatchBuilder<'_>) {
        for (container, added) in &self.served {
            // First, because a variable may only use those before it, and ours are for the application's own to use.
            for (index, variable) in added.iter().enumerate() {
                patch.env(*container, index, variable);
            }
        }
        if self.serves() {
            patch.label_unless_equal(label::DIRECT, self.policy);
        }
    }
}

/// Leaves the protocol unset where it would become that of telemetry which the application sends elsewhere. Says so where nothing
/// else does.
fn keep_protocol(
    container: &str,
    wanted: &mut Vec<EnvVar>,
    present: &BTreeMap<String, Value>,
) -> Option<Finding> {
    if present.contains_key(PROTOCOL) {
        return None;
    }
    let goes_elsewhere = wanted.iter().any(|variable| {
        let own = present.get(&variable.name);
        variable.name == ENDPOINT && own.is_some_and(|own| *own != json!(variable))
    });
    let signal = OF_SIGNALS
        .iter()
        .find(|(endpoint, protocol)| present.contains_key(*endpoint) && !present.contains_key(*protocol));
    if goes_elsewhere || signal.is_some() {
        wanted.retain(|variable| variable.name != PROTOCOL);
    }
    let (endpoint, protocol) = signal?;
    let message = format!("container {container} sets {endpoint} itself");
    let remedy = format!("its protocol stays too; write {protocol} in env to have {PROTOCOL} set here");
    Some(Finding::new(Reason::VariableKept, message, remedy).about(annotation::DIRECT))
}

/// All that a container is told, in an order in which each variable uses only earlier ones.
fn variables(pod: &Pod<'_>, container: &Container<'_>, block: &Direct) -> Vec<EnvVar> {
    let literal = |name: &str, value: &str| EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        value_from: None,
    };
    let fields = FIELDS.iter().map(|(name, _, field)| EnvVar {
        name: (*name).to_owned(),
        value: None,
        value_from: Some(EnvVarSource {
            // With the version that the API server would fill in, so that a second look finds what the first one set.
            field_ref: Some(ObjectFieldSelector {
                api_version: Some("v1".to_owned()),
                field_path: (*field).to_owned(),
            }),
            ..EnvVarSource::default()
        }),
    });
    let protocol = match block.protocol {
        OtlpProtocol::Http => "http/protobuf",
        OtlpProtocol::Grpc => "grpc",
    };
    fields
        .chain([
            literal(ENDPOINT, &block.endpoint),
            literal(PROTOCOL, protocol),
            literal(ATTRIBUTES, &attributes(pod, container)),
        ])
        .collect()
}

/// Who sends, in OpenTelemetry's semantic conventions. An application's own `OTEL_SERVICE_NAME` overrules `service.name`.
fn attributes(pod: &Pod<'_>, container: &Container<'_>) -> String {
    let fields = FIELDS
        .iter()
        .map(|(name, attribute, _)| format!("{attribute}=$({name})"));
    let container = format!("k8s.container.name={}", container.name);
    let service = service_name(pod).map(|name| format!("service.name={name}"));
    let all: Vec<String> = fields.chain([container]).chain(service).collect();
    all.join(",")
}

/// The recommended label, or the name of what made the pod. Neither can hold a comma, an equals sign or a dollar sign.
fn service_name<'p>(pod: &'p Pod<'_>) -> Option<&'p str> {
    let label = |key: &str| pod.metadata.labels.as_ref()?.get(key).map(String::as_str);
    let owner = || {
        let owner = pod.metadata.owner_references.as_ref()?.first()?;
        // A ReplicaSet is called as its Deployment, and the hash of the template.
        let hash = label("pod-template-hash").filter(|_| owner.kind == "ReplicaSet");
        let without_hash = hash.and_then(|hash| owner.name.strip_suffix(hash)?.strip_suffix('-'));
        Some(without_hash.unwrap_or(&owner.name))
    };
    let name = label("app.kubernetes.io/name").or_else(owner)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

/// The variables that a container has and that matter here, the last of a name: it is the one that holds.
fn present(container: &Container<'_>) -> BTreeMap<String, Value> {
    let json = container.env.map_or("[]", |env| env.get());
    let entries: Vec<&serde_json::value::RawValue> = serde_json::from_str(json).unwrap_or_default();
    let matters = |name: &str| {
        [ENDPOINT, PROTOCOL, ATTRIBUTES].contains(&name)
            || FIELDS.iter().any(|(field, ..)| *field == name)
            || OF_SIGNALS
                .iter()
                .any(|(endpoint, protocol)| *endpoint == name || *protocol == name)
    };
    // Pods with thousands of variables exist, of which only those that matter are read whole.
    entries
        .into_iter()
        .filter_map(|entry| Some((serde_json::from_str::<Present>(entry.get()).ok()?.name, entry)))
        .filter(|(name, _)| matters(name))
        .filter_map(|(name, entry)| Some((name, serde_json::from_str(entry.get()).ok()?)))
        .collect()
}

fn unknown<'p>(name: &str, known: impl Iterator<Item = ContainerRef<'p>>) -> Finding {
    let known: Vec<&str> = known.map(|container| container.container.name.as_str()).collect();
    let remedy = format!("write \"true\" or some of: {}", known.join(", "));
    let message = format!("there is no container {}", Quoted(name));
    Finding::new(Reason::UnknownContainer, message, remedy).about(annotation::DIRECT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(pod: &str, who: &Who) -> (Value, Vec<Reason>) {
        let mut json: Value = serde_json::from_str(pod).unwrap();
        let text = json.to_string();
        let pod = Pod::parse(&text).unwrap();
        let block = Direct {
            endpoint: "http://collector.logging:4318".to_owned(),
            protocol: OtlpProtocol::Http,
        };
        let chosen = Chosen {
            name: "default",
            block: &block,
        };
        let plan = Plan::new(&pod, who, &chosen);
        let mut patch = PatchBuilder::new(&pod);
        plan.apply(&mut patch);
        json_patch::patch(&mut json, &patch.build().operations()).unwrap();
        (json, plan.notes.iter().map(|note| note.reason).collect())
    }

    fn env(pod: &Value, container: usize) -> BTreeMap<String, String> {
        let entries = pod["spec"]["containers"][container]["env"].as_array().cloned();
        let text = |value: &Value| value.as_str().unwrap_or("(field)").to_owned();
        entries
            .unwrap_or_default()
            .iter()
            .map(|entry| (text(&entry["name"]), text(&entry["value"])))
            .collect()
    }

    #[test]
    fn says_where_to_and_who_sends() {
        let pod = r#"{"metadata":{"labels":{"pod-template-hash":"abc12"},"ownerReferences":[{"kind":"ReplicaSet","name":"shop-web-abc12"}]},
            "spec":{"containers":[{"name":"app","env":[{"name":"X","value":"1"}]},{"name":"other"}]}}"#;
        let (pod, notes) = planned(pod, &Who::All);
        assert_eq!(notes, []);
        let app = env(&pod, 0);
        assert_eq!(app[ENDPOINT], "http://collector.logging:4318");
        assert_eq!(app[PROTOCOL], "http/protobuf");
        assert_eq!(
            app[ATTRIBUTES],
            "k8s.namespace.name=$(TRIBUTARY_NAMESPACE_NAME),k8s.pod.name=$(TRIBUTARY_POD_NAME),\
             k8s.pod.uid=$(TRIBUTARY_POD_UID),k8s.node.name=$(TRIBUTARY_NODE_NAME),k8s.container.name=app,service.name=shop-web"
        );
        assert_eq!(
            pod["spec"]["containers"][0]["env"][7]["name"], "X",
            "ours come first"
        );
        assert!(env(&pod, 1)[ATTRIBUTES].contains("k8s.container.name=other"));
    }

    #[test]
    fn what_the_application_sets_stays() {
        let pod = r#"{"metadata":{},"spec":{"containers":[{"name":"app","envFrom":[{"configMapRef":{"name":"c"}}],
            "env":[{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"http://own:4318"}]}]}}"#;
        let (pod, notes) = planned(pod, &Who::Named(vec!["app".to_owned(), "ap".to_owned()]));
        assert_eq!(env(&pod, 0)[ENDPOINT], "http://own:4318");
        assert_eq!(
            notes,
            [
                Reason::VariableKept,
                Reason::EnvFromOverruled,
                Reason::UnknownContainer
            ]
        );
    }

    #[test]
    fn a_second_look_finds_its_own_work() {
        let (once, _) = planned(
            r#"{"metadata":{},"spec":{"containers":[{"name":"app"}]}}"#,
            &Who::All,
        );
        let (twice, notes) = planned(&once.to_string(), &Who::All);
        assert_eq!((&once, notes), (&twice, vec![]));
    }

    #[test]
    fn the_annotation_is_true_or_names() {
        assert_eq!(Who::parse("true").unwrap().unwrap(), Who::All);
        let named = Who::Named(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(Who::parse("a, b").unwrap().unwrap(), named);
        assert_eq!(Who::parse("a,b, a").unwrap().unwrap(), named, "each once");
        assert!(Who::parse("false").is_none());
        for bad in ["", "yes,", "A", "a b"] {
            let finding = Who::parse(bad).unwrap().unwrap_err();
            assert_eq!(finding.reason, Reason::InvalidAnnotation, "{bad}");
        }
    }
}
