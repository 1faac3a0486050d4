//! Reviews as the API server sends them, of any size, and what is right as their answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json_patch::Patch;
use serde_json::{Value, json};

use crate::Error;
use crate::client::{Answer, find};

/// The length of every uid here, in bytes.
const UID_LENGTH: usize = 36;

/// A request to review the creation of a pod that asks for a streaming sidecar. Each time it is sent with a new uid.
#[derive(Clone, Debug)]
pub struct Review {
    request: Vec<u8>,
    uid_at: usize,
    body_length: usize,
    pod: Value,
    /// The answer before and after its uid, from the first answer, whose patch was applied.
    right: Option<(Vec<u8>, Vec<u8>)>,
}

impl Review {
    /// A review of a pod whose JSON has about `pod_bytes`, most of them environment variables, in this namespace.
    pub fn of_size(pod_bytes: usize, namespace: &str) -> Self {
        Self::of(pod(pod_bytes, namespace))
    }

    /// A review of this pod.
    pub fn of(pod: Value) -> Self {
        let body = envelope(&pod, &uid(0)).to_string();
        let head = format!(
            "POST /mutate?timeout=3s HTTP/1.1\r\nHost: tributary-webhook.tributary-system.svc\r\nUser-Agent: kube-apiserver-admission\r\n\
             Content-Length: {}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
            body.len()
        );
        let request = [head.as_bytes(), body.as_bytes()].concat();
        // The envelope holds it, before anything of the pod.
        let uid_at = find(&request, uid(0).as_bytes()).unwrap_or_default();
        Self {
            request,
            uid_at,
            body_length: body.len(),
            pod,
            right: None,
        }
    }

    /// Bytes of the body.
    pub fn body_length(&self) -> usize {
        self.body_length
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.request[self.request.len() - self.body_length..]
    }

    /// The whole HTTP request, with the uid of this number.
    pub fn request(&mut self, number: u64) -> &[u8] {
        self.request[self.uid_at..self.uid_at + UID_LENGTH].copy_from_slice(uid(number).as_bytes());
        &self.request
    }

    /// Checks the answer to the review of this number.
    ///
    /// The first one is taken apart: it is for this uid, allows the pod, and its patch applies and adds a sidecar. Those after
    /// it must be the same bytes but for the uid, because the same pod must get the same patch.
    pub fn check(&mut self, number: u64, answer: &Answer<'_>) -> Result<(), Error> {
        let uid = uid(number);
        let wrong = |problem: String| Error::WrongAnswer {
            uid: uid.clone(),
            problem,
        };
        if answer.status != 200 {
            return Err(wrong(format!(
                "status {}: {}",
                answer.status,
                String::from_utf8_lossy(answer.body)
            )));
        }
        if let Some((before, after)) = &self.right {
            let is_right = answer
                .body
                .strip_prefix(before.as_slice())
                .and_then(|rest| rest.strip_prefix(uid.as_bytes()))
                .is_some_and(|rest| rest == after);
            return if is_right {
                Ok(())
            } else {
                Err(wrong(format!(
                    "it differs from the first answer for this pod: {}",
                    String::from_utf8_lossy(answer.body)
                )))
            };
        }
        take_apart(answer.body, &uid, &self.pod).map_err(wrong)?;
        let at = find(answer.body, uid.as_bytes()).ok_or_else(|| wrong("it lacks the uid".to_owned()))?;
        let (before, rest) = answer.body.split_at(at);
        self.right = Some((before.to_vec(), rest[UID_LENGTH..].to_vec()));
        Ok(())
    }
}

/// Reads an answer as the API server does; the error says what is wrong.
fn take_apart(body: &[u8], uid: &str, pod: &Value) -> Result<(), String> {
    let answer: Value = serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
    let response = &answer["response"];
    if response["uid"] != uid || response["allowed"] != true || response["patchType"] != "JSONPatch" {
        return Err(format!("it does not allow this pod with a patch: {answer}"));
    }
    let patch = response["patch"].as_str().unwrap_or_default();
    let patch = STANDARD
        .decode(patch)
        .map_err(|error| format!("its patch is not base64: {error}"))?;
    let patch: Patch =
        serde_json::from_slice(&patch).map_err(|error| format!("its patch is no JSON patch: {error}"))?;
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).map_err(|error| format!("its patch does not apply: {error}"))?;
    let count = |pod: &Value| pod["spec"]["initContainers"].as_array().map_or(0, Vec::len);
    if count(&patched) == count(pod) {
        return Err("its patch adds no sidecar".to_owned());
    }
    Ok(())
}

fn uid(number: u64) -> String {
    format!(
        "7b6f0c1e-52f0-4a3b-{:04x}-{:012x}",
        number >> 48,
        number & 0xffff_ffff_ffff
    )
}

fn envelope(pod: &Value, uid: &str) -> Value {
    let kind = json!({"group": "", "version": "v1", "kind": "Pod"});
    let resource = json!({"group": "", "version": "v1", "resource": "pods"});
    json!({
        "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": uid, "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
            "namespace": pod["metadata"]["namespace"], "operation": "CREATE",
            "userInfo": {
                "username": "system:serviceaccount:kube-system:replicaset-controller",
                "uid": "0a5f3c52-7d0f-4b27-a0b1-0e6f1d2c3b4a",
                "groups": ["system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"]
            },
            "object": pod, "oldObject": null, "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"}
        }
    })
}

/// A pod as a `ReplicaSet` makes it, after the API server's own admission.
fn pod(bytes: usize, namespace: &str) -> Value {
    let mut pod = json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": {
            "generateName": "web-5d9c7b7d4f-", "namespace": namespace, "creationTimestamp": null,
            "labels": {"app": "web", "pod-template-hash": "5d9c7b7d4f"},
            "annotations": {"tributary.dev/stream": "/var/log/app/access.log"},
            "ownerReferences": [{
                "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-5d9c7b7d4f",
                "uid": "6f2b1f0e-8e4f-4f8e-9f0a-6b1b1c2d3e4f", "controller": true, "blockOwnerDeletion": true
            }]
        },
        "spec": {
            "volumes": [{"name": "logs", "emptyDir": {}}, {"name": "kube-api-access-x7x2b", "projected": {"sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
            ]}}],
            "containers": [{
                "name": "web", "image": "registry.example/web:1", "env": [],
                "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
                "volumeMounts": [
                    {"name": "logs", "mountPath": "/var/log/app"},
                    {"name": "kube-api-access-x7x2b", "readOnly": true,
                     "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}
                ],
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent",
                "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}
            }],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default",
            "securityContext": {"runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            ],
            "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"
        },
        "status": {}
    });
    let mut missing = bytes.saturating_sub(pod.to_string().len());
    let mut variables = Vec::new();
    while missing > 0 {
        let index = variables.len();
        let value = format!(
            "https://service-{index:04}.{namespace}.svc.cluster.local:8443/api/v1?timeout=30s&retries=3"
        );
        let variable = json!({"name": format!("SERVICE_{index:04}_ADDRESS"), "value": value});
        missing = missing.saturating_sub(variable.to_string().len() + 1);
        variables.push(variable);
    }
    pod["spec"]["containers"][0]["env"] = variables.into();
    pod
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(number: u64, patch: &Value) -> Vec<u8> {
        let patch = STANDARD.encode(patch.to_string());
        json!({"response": {"uid": uid(number), "allowed": true, "patchType": "JSONPatch", "patch": patch}})
            .to_string()
            .into_bytes()
    }

    fn check(review: &mut Review, number: u64, body: &[u8]) -> Result<(), String> {
        let answer = Answer {
            status: 200,
            closes: false,
            body,
        };
        review.check(number, &answer).map_err(|error| error.to_string())
    }

    #[test]
    fn pods_have_the_size_that_was_asked_for() {
        for bytes in [2_500, 12_000, 200_000] {
            let length = pod(bytes, "shop").to_string().len();
            assert!((bytes..bytes + 200).contains(&length), "{length}");
        }
    }

    #[test]
    fn only_right_answers_pass() {
        let sidecar = json!([{"op": "add", "path": "/spec/initContainers", "value": [{"name": "s"}]}]);
        let label = json!([{"op": "add", "path": "/metadata/labels/a", "value": "b"}]);
        let nowhere = json!([{"op": "remove", "path": "/spec/nothing"}]);
        let mut review = Review::of_size(2_000, "shop");
        for (wrong, says) in [
            (answer(2, &sidecar), "does not allow this pod"),
            (answer(1, &label), "adds no sidecar"),
            (answer(1, &nowhere), "does not apply"),
            (b"{}".to_vec(), "does not allow this pod"),
        ] {
            let problem = check(&mut review, 1, &wrong).unwrap_err();
            assert!(problem.contains(says), "{problem}");
        }
        check(&mut review, 1, &answer(1, &sidecar)).unwrap();
        check(&mut review, 2, &answer(2, &sidecar)).unwrap();
        for wrong in [answer(2, &sidecar), answer(3, &label)] {
            assert!(check(&mut review, 3, &wrong).unwrap_err().contains("differs"));
        }
    }

    #[test]
    fn a_request_holds_its_uid() {
        let mut review = Review::of_size(2_000, "shop");
        let text = String::from_utf8(review.request(0xabc).to_vec()).unwrap();
        assert!(
            text.contains("\"uid\":\"7b6f0c1e-52f0-4a3b-0000-000000000abc\""),
            "{text}"
        );
    }
}
