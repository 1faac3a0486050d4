//! The pods that workloads make from their templates, so that an author can be told at once what those pods will get.
//!
//! A template has the shape of a pod. What its controller adds is added here only where decisions depend on it: the volumes of
//! a `StatefulSet`'s claims, and the index of an indexed Job.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The variable that an indexed Job gives to its containers, and the pod's annotation that it is taken from.
const COMPLETION_INDEX: (&str, &str) = (
    "JOB_COMPLETION_INDEX",
    "metadata.annotations['batch.kubernetes.io/job-completion-index']",
);

/// A kind of object that makes pods from a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// `apps` Deployment
    Deployment,
    /// `apps` `StatefulSet`
    StatefulSet,
    /// `apps` `DaemonSet`
    DaemonSet,
    /// `batch` Job
    Job,
    /// `batch` `CronJob`
    CronJob,
}

/// Why a workload has no pod to decide about.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Not of a workload's shape.
    #[error("reading the {kind}: {source}")]
    Json {
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// No template.
    #[error("the {kind} has no {path}")]
    Missing {
        /// Its kind.
        kind: &'static str,
        /// Where the template should be.
        path: &'static str,
    },
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    metadata: Option<Metadata<'a>>,
    #[serde(borrow, default)]
    spec: Option<Spec<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

/// What matters in the specification of any workload.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow, default)]
    template: Option<&'a RawValue>,
    /// Of `CronJob`s.
    #[serde(borrow, default)]
    job_template: Option<JobTemplate<'a>>,
    /// Of Jobs.
    #[serde(borrow, default)]
    completion_mode: Option<Cow<'a, str>>,
    /// Of `StatefulSet`s.
    volume_claim_templates: Option<Vec<Claim>>,
    /// Of `StatefulSet`s.
    ordinals: Option<Ordinals>,
}

#[derive(Deserialize)]
struct JobTemplate<'a> {
    #[serde(borrow, default)]
    spec: Option<Box<Spec<'a>>>,
}

#[derive(Deserialize)]
struct Claim {
    metadata: ClaimMetadata,
}

#[derive(Deserialize)]
struct ClaimMetadata {
    name: String,
}

#[derive(Deserialize)]
struct Ordinals {
    #[serde(default)]
    start: u64,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::Job,
        Self::CronJob,
    ];

    /// The workload of this kind, if it is one.
    pub fn of(group: &str, kind: &str) -> Option<Self> {
        Some(match (group, kind) {
            ("apps", "Deployment") => Self::Deployment,
            ("apps", "StatefulSet") => Self::StatefulSet,
            ("apps", "DaemonSet") => Self::DaemonSet,
            ("batch", "Job") => Self::Job,
            ("batch", "CronJob") => Self::CronJob,
            _ => return None,
        })
    }

    /// The kind's name.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Job => "Job",
            Self::CronJob => "CronJob",
        }
    }

    /// Where such an object holds its template.
    pub fn template_path(self) -> &'static str {
        match self {
            Self::CronJob => "spec.jobTemplate.spec.template",
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::Job => "spec.template",
        }
    }

    /// The JSON of the first pod that this object makes: its template, as it stands wherever that is enough.
    ///
    /// # Errors
    /// When the JSON is no such object, or one without a template.
    pub fn pod(self, json: &str) -> Result<Cow<'_, str>, TemplateError> {
        let unreadable = |source| TemplateError::Json {
            kind: self.kind(),
            source,
        };
        let object: Object<'_> = serde_json::from_str(json).map_err(unreadable)?;
        let spec = match self {
            Self::CronJob => object.spec.and_then(|spec| Some(*spec.job_template?.spec?)),
            Self::Deployment | Self::StatefulSet | Self::DaemonSet | Self::Job => object.spec,
        };
        let Some((template, spec)) = spec.and_then(|spec| Some((spec.template?.get(), spec))) else {
            return Err(TemplateError::Missing {
                kind: self.kind(),
                path: self.template_path(),
            });
        };
        let is_indexed = spec.completion_mode.as_deref() == Some("Indexed");
        let claims = spec.volume_claim_templates.unwrap_or_default();
        if claims.is_empty() && !is_indexed {
            return Ok(Cow::Borrowed(template));
        }
        let mut pod: Value = serde_json::from_str(template).map_err(unreadable)?;
        if is_indexed {
            add_completion_index(&mut pod);
        }
        if !claims.is_empty() {
            let name = object.metadata.and_then(|metadata| metadata.name);
            let first = spec.ordinals.map_or(0, |ordinals| ordinals.start);
            let owner = format!("{}-{first}", name.unwrap_or_default());
            add_claims(&mut pod, &claims, &owner);
        }
        Ok(Cow::Owned(pod.to_string()))
    }
}

/// Gives every container the variable that the Job controller gives it.
fn add_completion_index(pod: &mut Value) {
    let (name, field) = COMPLETION_INDEX;
    for list in ["containers", "initContainers"] {
        let containers = pod.pointer_mut(&format!("/spec/{list}"));
        for container in containers.and_then(Value::as_array_mut).into_iter().flatten() {
            let Some(container) = container.as_object_mut() else {
                continue;
            };
            let env = container.entry("env").or_insert(Value::Null);
            let mut variables = env.as_array().cloned().unwrap_or_default();
            if !variables.iter().any(|variable| variable["name"] == name) {
                variables.push(json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": field}}}));
            }
            *env = Value::Array(variables);
        }
    }
}

/// Gives the pod of this name a volume for each claim, in place of the template's volume of the same name.
fn add_claims(pod: &mut Value, claims: &[Claim], owner: &str) {
    let volume = |claim: &Claim| {
        let name = &claim.metadata.name;
        json!({"name": name, "persistentVolumeClaim": {"claimName": format!("{name}-{owner}")}})
    };
    let is_claimed = |volume: &Value| claims.iter().any(|claim| volume["name"] == claim.metadata.name);
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return;
    };
    let own = spec
        .get("volumes")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let others = own.into_iter().filter(|volume| !is_claimed(volume));
    let volumes = claims.iter().map(volume).chain(others).collect();
    spec.insert("volumes".to_owned(), Value::Array(volumes));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_taken_as_it_stands() {
        const TEMPLATE: &str = r#"{"metadata" : {"labels":{"a":"b"}},"spec":{"containers":[],"new":1.0}}"#;
        for (group, kind) in [
            ("apps", "Deployment"),
            ("apps", "StatefulSet"),
            ("apps", "DaemonSet"),
            ("batch", "Job"),
        ] {
            let json =
                format!(r#"{{"metadata":{{"name":"x"}},"spec":{{"template":{TEMPLATE},"replicas":3}}}}"#);
            let pod = Workload::of(group, kind).unwrap().pod(&json).unwrap();
            assert!(matches!(pod, Cow::Borrowed(TEMPLATE)), "{kind}: {pod}");
        }
        let json = format!(r#"{{"spec":{{"jobTemplate":{{"spec":{{"template":{TEMPLATE}}}}}}}}}"#);
        assert_eq!(Workload::CronJob.pod(&json).unwrap(), TEMPLATE);
        for (group, kind) in [
            ("", "Pod"),
            ("apps", "ReplicaSet"),
            ("batch", "Deployment"),
            ("example.com", "Job"),
        ] {
            assert_eq!(Workload::of(group, kind), None, "{group} {kind}");
        }
    }

    #[test]
    fn claims_become_volumes() {
        let json = r#"{"metadata":{"name":"db"},"spec":{"ordinals":{"start":2},
            "volumeClaimTemplates":[{"metadata":{"name":"data"}},{"metadata":{"name":"logs"}}],
            "template":{"spec":{"volumes":[{"name":"tmp","emptyDir":{}},{"name":"data","emptyDir":{}}]}}}}"#;
        let pod: Value = serde_json::from_str(&Workload::StatefulSet.pod(json).unwrap()).unwrap();
        assert_eq!(
            pod["spec"]["volumes"],
            json!([
                {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-2"}},
                {"name": "logs", "persistentVolumeClaim": {"claimName": "logs-db-2"}},
                {"name": "tmp", "emptyDir": {}},
            ])
        );
    }

    #[test]
    fn containers_of_an_indexed_job_know_their_index() {
        let json = r#"{"spec":{"jobTemplate":{"spec":{"completionMode":"Indexed","template":{"spec":{
            "initContainers":[{"name":"i","env":null}],
            "containers":[{"name":"a","env":[{"name":"X"}]},{"name":"b","env":[{"name":"JOB_COMPLETION_INDEX","value":"7"}]}]}}}}}}"#;
        let pod: Value = serde_json::from_str(&Workload::CronJob.pod(json).unwrap()).unwrap();
        let names = |pointer: &str| {
            let env = pod.pointer(pointer).and_then(Value::as_array).unwrap();
            env.iter()
                .map(|variable| variable["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("/spec/initContainers/0/env"), ["JOB_COMPLETION_INDEX"]);
        assert_eq!(names("/spec/containers/0/env"), ["X", "JOB_COMPLETION_INDEX"]);
        assert_eq!(
            pod["spec"]["containers"][1]["env"],
            json!([{"name": "JOB_COMPLETION_INDEX", "value": "7"}])
        );
    }

    #[test]
    fn what_has_no_template_is_explained() {
        for (json, problem) in [
            ("{}", "the CronJob has no spec.jobTemplate.spec.template"),
            (
                r#"{"spec":{"template":{}}}"#,
                "the CronJob has no spec.jobTemplate.spec.template",
            ),
            (
                r#"{"spec":{"jobTemplate":{"spec":{"template":null}}}}"#,
                "the CronJob has no",
            ),
            (r#"{"spec":5}"#, "reading the CronJob: invalid type"),
            ("[", "reading the CronJob: EOF"),
        ] {
            let error = Workload::CronJob.pod(json).unwrap_err().to_string();
            assert!(error.starts_with(problem), "{json}: {error}");
        }
    }
}
