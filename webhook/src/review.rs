//! The admission review: read without copying the pod, answered with a base64 patch.

use std::borrow::Cow;
use std::str::Utf8Error;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tributary_crds::Reason;

use crate::explain::Finding;
use crate::patch::Patch;
use crate::pod::Pod;
use crate::templates::Workload;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// The usual length of an answer without its patch, in bytes: what is longer only takes another allocation.
const BESIDES_THE_PATCH: usize = 512;

/// Why a body is no review.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// Not even text.
    #[error("reading the body as UTF-8: {0}")]
    Text(#[from] Utf8Error),
    /// Not JSON, or not of a review's shape.
    #[error("reading the body as an AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// Another kind of object.
    #[error("the body is {0:?}, not {KIND} of {API_VERSION}; register with admissionReviewVersions: [v1]")]
    OtherKind(String),
    /// A review without a request, or a request without a uid to answer to.
    #[error("the AdmissionReview has no request with a uid")]
    NoRequest,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a, O> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, bound(deserialize = "O: Deserialize<'de>"))]
    request: Option<Request<'a, O>>,
}

/// The request of a review, with its object as it came, or read as what it is expected to be.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a, O = &'a RawValue> {
    /// What the answer refers to.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// The namespace; the pod's own may still be empty.
    #[serde(borrow, default)]
    pub namespace: Option<Cow<'a, str>>,
    /// The object's name, if its author chose it.
    #[serde(borrow, default)]
    pub name: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    sub_resource: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Kind<'a>>,
    #[serde(bound(deserialize = "O: Deserialize<'de>"))]
    object: Option<O>,
}

#[derive(Debug, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads a review of anything.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        read(body)
    }

    /// The JSON of the workload that is created or changed, and its kind. The error is for the admission's warning, likewise.
    pub fn workload(&self) -> Result<(Workload, &'a str), Finding> {
        let kind = self.kind.as_ref();
        let workload = kind.and_then(|kind| Workload::of(&kind.group, &kind.kind));
        let is_written = matches!(self.operation.as_ref(), "CREATE" | "UPDATE");
        match (workload, self.object) {
            (Some(workload), Some(object)) if self.is_whole() && is_written => Ok((workload, object.get())),
            _ => Err(Finding::new(
                Reason::InternalError,
                "the webhook was called for something other than a workload with a pod template",
                "register it for CREATE and UPDATE of workloads only, as its manifest does",
            )),
        }
    }
}

impl<'a> Request<'a, Pod<'a>> {
    /// Reads a review and its pod in one pass. The error does not tell a body that is no review from an object that is no pod;
    /// [`Request::parse`] does.
    pub fn parse_with_pod(body: &'a [u8]) -> Result<Self, ReviewError> {
        read(body)
    }
}

fn read<'a, O: Deserialize<'a>>(body: &'a [u8]) -> Result<Request<'a, O>, ReviewError> {
    // At once for all of it, which is quicker than for one text after the other.
    let body = str::from_utf8(body)?;
    let envelope: Envelope<'a, O> = serde_json::from_str(body)?;
    if envelope.api_version != API_VERSION || envelope.kind != KIND {
        let is = format!("{} {}", envelope.api_version, envelope.kind);
        return Err(ReviewError::OtherKind(is.chars().take(100).collect()));
    }
    envelope
        .request
        .filter(|request| !request.uid.is_empty())
        .ok_or(ReviewError::NoRequest)
}

impl<O> Request<'_, O> {
    /// Whether this is about an object, and not about a part of one such as its scale.
    fn is_whole(&self) -> bool {
        self.sub_resource.as_ref().is_none_or(|part| part.is_empty())
    }

    /// How logs name the object that is created or changed: its kind, and its name where there is one.
    pub fn title(&self) -> String {
        let kind = self.kind.as_ref().map(|kind| kind.kind.as_ref());
        let name = self.name.as_deref().filter(|name| !name.is_empty());
        format!(
            "{} {}",
            kind.unwrap_or("object"),
            name.unwrap_or("without a name")
        )
    }

    /// The pod that is to be created. The error is for the admission's warning: somebody registered this webhook for more than
    /// it is for.
    pub fn pod(&self) -> Result<&O, Finding> {
        let is_pod = self
            .kind
            .as_ref()
            .is_some_and(|kind| kind.group.is_empty() && kind.kind == "Pod");
        match &self.object {
            Some(object) if is_pod && self.is_whole() && self.operation == "CREATE" => Ok(object),
            _ => Err(Finding::new(
                Reason::InternalError,
                "the webhook was called for something other than the creation of a pod",
                "register it for CREATE of pods only, as its manifest does",
            )),
        }
    }
}

/// The answer to a review, as JSON: always `allowed: true`, because logging stops no workload.
///
/// Put together here: a patch in base64 is most of it, and a serializer would look through it for what it must escape.
pub fn answer(uid: &str, patch: &Patch, warnings: &[String]) -> String {
    let base64 = base64::encoded_len(patch.as_str().len(), true).unwrap_or_default();
    let mut answer = String::with_capacity(BESIDES_THE_PATCH + base64);
    answer.extend([
        r#"{"apiVersion":""#,
        API_VERSION,
        r#"","kind":""#,
        KIND,
        r#"","response":{"allowed":true,"uid":"#,
        &json(uid),
    ]);
    if !warnings.is_empty() {
        answer.extend([r#","warnings":"#, &json(warnings)]);
    }
    // The API server refuses a type without a patch, so both come or neither.
    if !patch.is_empty() {
        answer.push_str(r#","patchType":"JSONPatch","patch":""#);
        STANDARD.encode_string(patch.as_str(), &mut answer);
        answer.push('"');
    }
    answer.push_str("}}");
    answer
}

fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts and lists of them can be written")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::patch::PatchBuilder;

    fn review(request: &Value) -> Vec<u8> {
        json!({"apiVersion": API_VERSION, "kind": KIND, "request": request})
            .to_string()
            .into_bytes()
    }

    #[test]
    fn the_pod_keeps_its_bytes() {
        let body = br#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","kind":
            {"group":"","version":"v1","kind":"Pod"},"operation":"CREATE","namespace":"n","object":{"spec" : {"new":1.0}}}}"#;
        let request = Request::parse(body).unwrap();
        assert_eq!(request.pod().unwrap().get(), r#"{"spec" : {"new":1.0}}"#);
        let in_one_pass = Request::parse_with_pod(body).unwrap();
        assert!(in_one_pass.pod().unwrap().spec.containers.is_empty());
        assert_eq!(
            (request.uid.as_ref(), request.namespace.as_deref()),
            ("u", Some("n"))
        );
    }

    #[test]
    fn what_is_no_review_is_an_error() {
        for body in [
            "",
            "[]",
            "{",
            "null",
            r#"{"kind":"Pod","apiVersion":"v1"}"#,
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1","request":{"uid":"u"}}"#,
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#,
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":""}}"#,
        ] {
            assert!(Request::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn other_objects_are_answered_with_a_warning() {
        let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
        for request in [
            json!({"uid": "u", "operation": "UPDATE", "kind": kind, "object": {}}),
            json!({"uid": "u", "operation": "CREATE", "kind": kind, "object": null}),
            json!({"uid": "u", "operation": "CREATE", "kind": kind, "object": {}, "subResource": "eviction"}),
            json!({"uid": "u", "operation": "CREATE", "kind": {"group": "apps", "kind": "Deployment"}, "object": {}}),
            json!({"uid": "u"}),
        ] {
            let body = review(&request);
            let finding = Request::parse(&body).unwrap().pod().unwrap_err();
            assert_eq!(finding.reason, Reason::InternalError);
        }
    }

    #[test]
    fn a_workload_is_taken_whole_when_it_is_written() {
        let job = json!({"group": "batch", "version": "v1", "kind": "Job"});
        for operation in ["CREATE", "UPDATE"] {
            let body = review(&json!({"uid": "u", "operation": operation, "kind": job, "object": {"a": 1}}));
            let request = Request::parse(&body).unwrap();
            assert_eq!(request.workload().unwrap(), (Workload::Job, r#"{"a":1}"#));
        }
        for request in [
            json!({"uid": "u", "operation": "DELETE", "kind": job, "object": null}),
            json!({"uid": "u", "operation": "UPDATE", "kind": job, "object": {}, "subResource": "status"}),
            json!({"uid": "u", "operation": "CREATE", "kind": {"group": "", "kind": "Pod"}, "object": {}}),
            json!({"uid": "u"}),
        ] {
            let body = review(&request);
            let finding = Request::parse(&body).unwrap().workload().unwrap_err();
            assert_eq!(finding.reason, Reason::InternalError);
        }
    }

    #[test]
    fn a_patch_type_comes_with_a_patch_only() {
        let read = |patch: &Patch, warnings: &[String]| -> Value {
            serde_json::from_str(&answer("\"u\"", patch, warnings)).unwrap()
        };
        let none = read(&Patch::default(), &[]);
        assert_eq!(none["response"], json!({"uid": "\"u\"", "allowed": true}));
        assert_eq!(
            (&none["apiVersion"], &none["kind"]),
            (&json!(API_VERSION), &json!(KIND))
        );
        let pod = Pod::parse(r#"{"metadata":{"labels":{}},"spec":{}}"#).unwrap();
        let mut patch = PatchBuilder::new(&pod);
        patch.label_unless_equal("a", "\"1\"");
        let patch = patch.build();
        let some = read(&patch, &["w".to_owned()]);
        assert_eq!(some["response"]["patchType"], "JSONPatch");
        assert_eq!(some["response"]["warnings"], json!(["w"]));
        let decoded = STANDARD
            .decode(some["response"]["patch"].as_str().unwrap())
            .unwrap();
        assert_eq!(str::from_utf8(&decoded).unwrap(), patch.as_str());
        assert_eq!(
            patch.as_str(),
            r#"[{"op":"add","path":"/metadata/labels/a","value":"\"1\""}]"#
        );
    }
}
