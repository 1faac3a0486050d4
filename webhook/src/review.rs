//! The admission review: read without copying the pod, answered with a base64 patch.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tributary_crds::Reason;

use crate::explain::Finding;
use crate::templates::Workload;

const API_VERSION: &str = "admission.k8s.io/v1";
const KIND: &str = "AdmissionReview";
/// The usual length of a patch that adds one sidecar, in bytes: what is longer only takes another allocation.
const USUAL_PATCH: usize = 4 << 10;
/// The same of an answer without its patch.
const BESIDES_THE_PATCH: usize = 512;

/// Why a body is no review.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
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
struct Envelope<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    request: Option<Request<'a>>,
}

/// The request of a review, with its object as it came.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request<'a> {
    /// What the answer refers to.
    #[serde(borrow, default)]
    pub uid: Cow<'a, str>,
    /// The namespace; the pod's own may still be empty.
    #[serde(borrow, default)]
    pub namespace: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    operation: Cow<'a, str>,
    #[serde(borrow, default)]
    sub_resource: Option<Cow<'a, str>>,
    #[serde(borrow)]
    kind: Option<Kind<'a>>,
    #[serde(borrow)]
    object: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default)]
    group: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

impl<'a> Request<'a> {
    /// Reads a review.
    pub fn parse(body: &'a [u8]) -> Result<Self, ReviewError> {
        let envelope: Envelope<'a> = serde_json::from_slice(body)?;
        if envelope.api_version != API_VERSION || envelope.kind != KIND {
            let is = format!("{} {}", envelope.api_version, envelope.kind);
            return Err(ReviewError::OtherKind(is.chars().take(100).collect()));
        }
        envelope
            .request
            .filter(|request| !request.uid.is_empty())
            .ok_or(ReviewError::NoRequest)
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

    /// Whether this is about an object, and not about a part of one such as its scale.
    fn is_whole(&self) -> bool {
        self.sub_resource.as_ref().is_none_or(|part| part.is_empty())
    }

    /// The JSON of the pod that is to be created. The error is for the admission's warning: somebody registered this webhook
    /// for more than it is for.
    pub fn pod(&self) -> Result<&'a str, Finding> {
        let is_pod = self
            .kind
            .as_ref()
            .is_some_and(|kind| kind.group.is_empty() && kind.kind == "Pod");
        match self.object {
            Some(object) if is_pod && self.is_whole() && self.operation == "CREATE" => Ok(object.get()),
            _ => Err(Finding::new(
                Reason::InternalError,
                "the webhook was called for something other than the creation of a pod",
                "register it for CREATE of pods only, as its manifest does",
            )),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    // The API server refuses a type without a patch, so both come or neither.
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
}

/// The answer to a review, as JSON: always `allowed: true`, because logging stops no workload.
pub fn answer(uid: &str, patch: &Patch, warnings: &[String]) -> Vec<u8> {
    let patch = (!patch.0.is_empty()).then(|| STANDARD.encode(json(patch, USUAL_PATCH)));
    let patch_type = patch.as_ref().map(|_| "JSONPatch");
    let response = Response {
        uid,
        allowed: true,
        patch_type,
        patch,
        warnings,
    };
    let length = response.patch.as_ref().map_or(0, String::len) + BESIDES_THE_PATCH;
    let answer = Answer {
        api_version: API_VERSION,
        kind: KIND,
        response,
    };
    json(&answer, length)
}

/// JSON of about this length. Strings, maps and lists always serialize.
fn json(value: &impl Serialize, length: usize) -> Vec<u8> {
    let mut json = Vec::with_capacity(length);
    serde_json::to_writer(&mut json, value).map_or_else(|_| Vec::new(), |()| json)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
        assert_eq!(request.pod().unwrap(), r#"{"spec" : {"new":1.0}}"#);
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
        let none: Value = serde_json::from_slice(&answer("u", &Patch::default(), &[])).unwrap();
        assert_eq!(none["response"], json!({"uid": "u", "allowed": true}));
        let patch: Patch = serde_json::from_value(json!([{"op": "add", "path": "/a", "value": 1}])).unwrap();
        let some: Value = serde_json::from_slice(&answer("u", &patch, &["w".to_owned()])).unwrap();
        assert_eq!(some["response"]["patchType"], "JSONPatch");
        assert_eq!(some["response"]["warnings"], json!(["w"]));
        let decoded = STANDARD
            .decode(some["response"]["patch"].as_str().unwrap())
            .unwrap();
        assert_eq!(serde_json::from_slice::<Patch>(&decoded).unwrap(), patch);
    }
}
