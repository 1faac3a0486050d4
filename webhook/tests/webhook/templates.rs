//! What authors of workloads are told: the words that their pods will get, and nothing else.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tokio::sync::watch;
use tower::ServiceExt as _;
use tributary_crds::selection::Labels;
use tributary_webhook::Config;
use tributary_webhook::cluster_state::ClusterState;
use tributary_webhook::endpoint::{Endpoint, RequestLimits, TEMPLATES_PATH};
use tributary_webhook::lifecycle::Phase;
use tributary_webhook::metrics::Metrics;

use crate::support::{compile_policies, decide, limits, pods, policies};

/// Group and kind of every workload.
const WORKLOADS: [(&str, &str); 5] = [
    ("apps", "Deployment"),
    ("apps", "StatefulSet"),
    ("apps", "DaemonSet"),
    ("batch", "Job"),
    ("batch", "CronJob"),
];

struct Webhook {
    router: Router,
    metrics: Metrics,
    _phase: watch::Sender<Phase>,
}

impl Webhook {
    fn new(at_once: usize) -> Self {
        let state = ClusterState::default();
        state.set_policies(compile_policies());
        for name in ["shop", "lonely", "kube-system"] {
            let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
            state.set_namespace(name.to_owned(), labels);
        }
        for (name, limits) in limits() {
            state.set_namespace(
                name.clone(),
                Labels::from([("kubernetes.io/metadata.name".to_owned(), name.clone())]),
            );
            for (limit_range, limits) in limits.limit_ranges() {
                state.set_limit(name, limit_range, Some(limits.clone()));
            }
            for (quota, limits) in limits.quotas() {
                state.set_limit(name, quota, Some(limits.clone()));
            }
        }
        let (phase, phases) = watch::channel(Phase::Serving);
        let metrics = Metrics::default();
        let config = Config {
            streamer_image: "registry.example/tributary:1".to_owned(),
        };
        let limits = RequestLimits {
            at_once,
            ..RequestLimits::default()
        };
        let endpoint = Endpoint::new(Arc::new(state), config, metrics.clone(), limits, phases);
        Self {
            router: endpoint.router(),
            metrics,
            _phase: phase,
        }
    }

    /// The response to a review of this object.
    async fn review(&self, (group, kind): (&str, &str), operation: &str, object: &Value) -> Value {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "5a1c", "operation": operation, "namespace": object["metadata"]["namespace"],
                "name": object["metadata"]["name"],
                "kind": {"group": group, "version": "v1", "kind": kind}, "object": object
            }
        });
        let request = Request::post(TEMPLATES_PATH).header("content-type", "application/json");
        let request = request.body(Body::from(review.to_string())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        answer["response"].take()
    }

    fn count(&self, metric: &str) -> usize {
        let text = self.metrics.text(jiff::Timestamp::now(), None).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

/// A workload whose pods are like this one.
fn workload(kind: &str, pod: &Value) -> Value {
    let template = json!({
        "metadata": {"labels": pod["metadata"]["labels"], "annotations": pod["metadata"]["annotations"]},
        "spec": pod["spec"]
    });
    let spec = match kind {
        "CronJob" => json!({"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}),
        _ => json!({"template": template}),
    };
    let namespace = pod["metadata"]["namespace"].as_str().unwrap_or("shop");
    json!({"metadata": {"name": "x", "namespace": namespace}, "spec": spec})
}

fn expected(warnings: &[String]) -> Value {
    if warnings.is_empty() {
        json!({"uid": "5a1c", "allowed": true})
    } else {
        json!({"uid": "5a1c", "allowed": true, "warnings": warnings})
    }
}

#[tokio::test]
async fn a_template_gets_the_words_of_its_pods_and_no_patch() {
    let webhook = Webhook::new(1);
    let (mut quiet, mut warned) = (0, 0);
    for (name, pod) in pods() {
        let warnings = decide(&pod, policies()).warnings;
        *if warnings.is_empty() {
            &mut quiet
        } else {
            &mut warned
        } += WORKLOADS.len();
        for (group, kind) in WORKLOADS {
            for operation in ["CREATE", "UPDATE"] {
                let response = webhook
                    .review((group, kind), operation, &workload(kind, &pod))
                    .await;
                assert_eq!(response, expected(&warnings), "{name} in a {kind}");
            }
        }
    }
    assert!(quiet > 50 && warned > 50, "{quiet} quiet, {warned} warned");
    let templates = |outcome: &str| {
        webhook.count(&format!(
            "tributary_webhook_template_reviews_total{{outcome=\"{outcome}\"}}"
        ))
    };
    assert_eq!((templates("quiet"), templates("warned")), (2 * quiet, 2 * warned));
    let text = webhook.metrics.text(jiff::Timestamp::now(), None).unwrap();
    assert!(
        !text.contains("tributary_webhook_reviews_total{")
            && !text.contains("tributary_webhook_decisions_total{"),
        "pods' numbers are of pods only:\n{text}"
    );
}

#[tokio::test]
async fn what_controllers_add_is_known() {
    let webhook = Webhook::new(1);
    let pod = json!({
        "metadata": {"annotations": {"tributary.dev/stream": "/data/a.log"}},
        "spec": {"securityContext": {"runAsUser": 1000}, "containers": [{"name": "a", "volumeMounts": [
            {"name": "data", "mountPath": "/data", "subPathExpr": "run-$(JOB_COMPLETION_INDEX)"}]}]}
    });
    let mut set = workload("StatefulSet", &pod);
    set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
    let mount = "/spec/template/spec/containers/0/volumeMounts/0/subPathExpr";
    *set.pointer_mut(mount).unwrap() = "logs".into();
    let mut job = workload("Job", &pod);
    job["spec"]["completionMode"] = "Indexed".into();
    job["spec"]["template"]["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    for (kind, object) in [(WORKLOADS[1], &mut set), (WORKLOADS[3], &mut job)] {
        assert_eq!(webhook.review(kind, "CREATE", object).await, expected(&[]));
        let spec = object["spec"].as_object_mut().unwrap();
        spec.retain(|field, _| field == "template");
        let warnings = webhook.review(kind, "CREATE", object).await["warnings"].take();
        let warning = warnings[0].as_str().unwrap_or_default();
        assert!(warning.starts_with("tributary: UnsupportedMount: "), "{warnings}");
    }
}

#[tokio::test]
async fn anything_else_is_admitted_with_one_warning() {
    let webhook = Webhook::new(1);
    let pod = &pods()["documentation-counter"];
    let deployment = ("apps", "Deployment");
    let whole = workload("Deployment", pod);
    for (kind, operation, object) in [
        (("", "Pod"), "CREATE", pod.clone()),
        (("apps", "ReplicaSet"), "CREATE", whole.clone()),
        (deployment, "DELETE", whole.clone()),
        (deployment, "CREATE", json!({"spec": {}})),
        (deployment, "CREATE", json!({"spec": {"template": null}})),
        (deployment, "CREATE", json!({"spec": {"template": 5}})),
        (deployment, "CREATE", json!({"spec": "x\u{1b}[31m"})),
        (deployment, "CREATE", json!([])),
        (("batch", "CronJob"), "CREATE", whole),
    ] {
        let response = webhook.review(kind, operation, &object).await;
        assert_eq!(response["allowed"], true);
        let warnings = response["warnings"].as_array().unwrap();
        let warning = warnings[0].as_str().unwrap();
        assert!(
            warnings.len() == 1
                && warning.starts_with("tributary: InternalError: ")
                && !warning.contains('\u{1b}'),
            "{kind:?} {operation} {object}: {response}"
        );
        assert_eq!(response.get("patch"), None);
    }
}

/// What is logged, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn logs_name_the_workload() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .with_max_level(tracing::Level::DEBUG)
        .finish();
    // For all tests of this program: one for this thread alone would miss what others had logged first.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let webhook = Webhook::new(1);
    let pod = &pods()["documentation-counter-without-volume"];
    for name in [json!("shop-web"), json!(""), Value::Null] {
        let mut web = workload("Deployment", pod);
        web["metadata"]["name"] = name;
        web["metadata"]["namespace"] = "logged".into();
        webhook.review(WORKLOADS[0], "CREATE", &web).await;
        web["spec"]["template"]["spec"]["volumes"] = 5.into();
        webhook.review(WORKLOADS[0], "CREATE", &web).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let of_this = |line: &&str| line.contains(r#"namespace="logged""#);
    let ours: Vec<&str> = log.lines().filter(of_this).collect();
    let named: Vec<bool> = ours
        .iter()
        .map(|line| line.contains("Deployment shop-web"))
        .collect();
    assert_eq!(named, [true, true, false, false, false, false], "{ours:?}");
    let unnamed = ours
        .iter()
        .filter(|line| line.contains("Deployment without a name"));
    assert_eq!(unnamed.count(), 4, "{ours:?}");
}

#[tokio::test]
async fn overload_is_said() {
    let webhook = Webhook::new(0);
    let response = webhook
        .review(
            WORKLOADS[0],
            "CREATE",
            &workload("Deployment", &pods()["documentation-counter"]),
        )
        .await;
    let warning = response["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("tributary: Overloaded: ") && warning.contains("tributary.dev/result"),
        "{warning}"
    );
    let overloaded = "tributary_webhook_template_reviews_total{outcome=\"overloaded\"}";
    assert_eq!(webhook.count(overloaded), 1);
}
