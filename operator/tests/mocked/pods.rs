//! The calls of one look at all pods.

use std::time::Duration;

use http::{Method, Request, Response};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use kube::core::DeserializeGuard;
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::{reflector, watcher};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use tower_test::mock;
use tributary_crds::LoggingPolicy;
use tributary_operator::metrics::Metrics;
use tributary_operator::pods::{self, Pace, Watchdog};

use crate::api_server::{Call, call, play, refused};

const NAMESPACES: &str = "/api/v1/namespaces";
const PODS: &str = "/api/v1/pods";
const STATUS: &str = "/apis/tributary.dev/v1alpha1/loggingpolicies/p/status";
const REPLICA_SET: &str = "/apis/apps/v1/namespaces/shop/replicasets/web-abc";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/shop/events";
const NOW: Timestamp = Timestamp::constant(1_800_000_000, 0);

fn watchdog(client: &Client, metrics: &Metrics) -> Watchdog {
    let reporter = Reporter {
        controller: "tributary-operator".to_owned(),
        instance: None,
    };
    Watchdog::new(
        client.clone(),
        Recorder::new(client.clone(), reporter),
        metrics.clone(),
        || NOW,
    )
}

fn policy(spec: &Value, status: &Value) -> LoggingPolicy {
    let object = json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy",
        "metadata": {"name": "p", "uid": "u", "generation": 3}, "spec": spec, "status": status});
    serde_json::from_value(object).unwrap()
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {"resourceVersion": "1"}, "items": items})
}

fn namespaces() -> Call {
    let shop = json!({"metadata": {"name": "shop", "labels": {"kubernetes.io/metadata.name": "shop"}}});
    call(Method::GET, NAMESPACES, list(&[shop]))
}

/// A pod of the Deployment `web`.
fn pod(name: &str, labels: &Value, annotations: &Value) -> Value {
    let mut all = json!({"pod-template-hash": "abc"});
    for (key, value) in labels.as_object().unwrap() {
        all[key] = value.clone();
    }
    json!({"metadata": {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": all, "annotations": annotations, "managedFields": [{"manager": "kubelet"}],
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-abc", "uid": "rs", "controller": true}]}})
}

fn replica_set() -> Call {
    let owner = json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "deployment", "controller": true});
    call(
        Method::GET,
        REPLICA_SET,
        json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": {"name": "web-abc", "namespace": "shop", "uid": "rs", "ownerReferences": [owner]}}),
    )
}

fn event() -> Call {
    call(
        Method::POST,
        EVENTS,
        json!({"metadata": {"name": "e"}, "regarding": {}, "eventTime": null}),
    )
}

/// Plays looks at `policies`, one after the other; the bodies of all requests.
async fn played(looks: &[LoggingPolicy], calls: Vec<Call>) -> (Vec<Value>, Metrics) {
    let (client, playing) = play(calls);
    let metrics = Metrics::default();
    let mut watchdog = watchdog(&client, &metrics);
    drop(client);
    for policy in looks {
        watchdog.look(std::slice::from_ref(policy)).await.unwrap();
    }
    drop(watchdog);
    (playing.bodies().await, metrics)
}

#[tokio::test]
async fn a_pod_that_the_webhook_never_saw_is_in_the_status_and_its_deployment_has_an_event_once() {
    let served = pod(
        "a",
        &json!({"tributary.dev/streaming": "p"}),
        &json!({"tributary.dev/stream": "/x"}),
    );
    let missed = pod("b", &json!({}), &json!({"tributary.dev/stream": "/x"}));
    let pods = || call(Method::GET, PODS, list(&[served.clone(), missed.clone()]));
    let spec = json!({"streamingSidecar": {}});
    let fresh = policy(&spec, &Value::Null);
    let calls = vec![
        namespaces(),
        pods(),
        call(Method::PATCH, STATUS, serde_json::to_value(&fresh).unwrap()),
        replica_set(),
        event(),
    ];
    let (bodies, _) = played(std::slice::from_ref(&fresh), calls).await;
    let status = &bodies[2]["status"];
    assert_eq!(
        status["injection"],
        json!({"pods": "1/2", "streaming": 1, "agent": 0, "direct": 0, "outdated": 0,
            "skipped": [{"reason": "NotSeen", "count": 1, "pods": ["shop/b"]}]})
    );
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["status"], &condition["reason"]),
        (&json!("PodsServed"), &json!("False"), &json!("NotSeen"))
    );
    assert!(
        condition["message"]
            .as_str()
            .unwrap()
            .contains("`kubectl -n shop rollout restart deployment/web`"),
        "{condition}"
    );
    assert_eq!(
        (&bodies[2]["spec"], &bodies[2]["metadata"]["uid"]),
        (&Value::Null, &json!("u")),
        "only the status is written"
    );
    let event = &bodies[4];
    assert_eq!(
        (
            &event["regarding"]["kind"],
            &event["regarding"]["name"],
            &event["regarding"]["uid"]
        ),
        (&json!("Deployment"), &json!("web"), &json!("deployment"))
    );
    assert_eq!(
        (&event["type"], &event["reason"]),
        (&json!("Warning"), &json!("NotSeen"))
    );
    let note = event["note"].as_str().unwrap();
    assert!(
        note.starts_with("pod b: it is annotated tributary.dev/stream")
            && note.ends_with("See docs/reference/reasons.md#notseen"),
        "{note}"
    );
}

#[tokio::test]
async fn nothing_is_said_twice_and_what_no_longer_holds_is_taken_back() {
    let missed = pod("b", &json!({}), &json!({"tributary.dev/stream": "/x"}));
    let spec = json!({"streamingSidecar": {}});
    let (fresh, written) = (
        policy(&spec, &Value::Null),
        serde_json::to_value(policy(&spec, &Value::Null)).unwrap(),
    );
    let first = vec![
        namespaces(),
        call(Method::GET, PODS, list(std::slice::from_ref(&missed))),
        call(Method::PATCH, STATUS, written.clone()),
        replica_set(),
        event(),
    ];
    let (bodies, _) = played(std::slice::from_ref(&fresh), first).await;
    let said = policy(&spec, &bodies[2]["status"]);
    let off = policy(&json!({"nodeAgent": {}}), &bodies[2]["status"]);
    let calls = vec![
        namespaces(),
        call(Method::GET, PODS, list(std::slice::from_ref(&missed))),
        replica_set(),
        event(),
        // The same again: no write, no Event.
        namespaces(),
        call(Method::GET, PODS, list(std::slice::from_ref(&missed))),
        // The block is gone: every field is given up.
        namespaces(),
        call(Method::GET, PODS, list(&[])),
        call(Method::PATCH, STATUS, written),
    ];
    let (bodies, _) = played(&[said.clone(), said, off], calls).await;
    assert_eq!(bodies[8]["status"], json!({}));
}

#[tokio::test]
async fn pods_that_no_policy_serves_are_counted_and_belong_to_no_status() {
    let spec =
        json!({"streamingSidecar": {}, "selector": {"podSelector": {"matchLabels": {"app": "other"}}}});
    let missed = pod("b", &json!({}), &json!({"tributary.dev/stream": "/x"}));
    let mut going = missed.clone();
    going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut ours = missed.clone();
    ours["metadata"]["namespace"] = json!("tributary-agents");
    let settled = policy(
        &spec,
        &json!({"injection": {"pods": "0/0", "streaming": 0, "agent": 0, "direct": 0, "outdated": 0}}),
    );
    let calls = vec![
        namespaces(),
        call(Method::GET, PODS, list(&[missed, going, ours])),
    ];
    let (_, metrics) = played(&[settled], calls).await;
    let text = metrics.text().unwrap();
    assert!(
        text.contains("tributary_operator_pods_unserved{reason=\"NoPolicy\"} 1\n"),
        "{text}"
    );
}

#[tokio::test]
async fn an_event_that_is_refused_holds_nothing_up() {
    let missed = pod("b", &json!({}), &json!({"tributary.dev/stream": "/x"}));
    let spec = json!({"streamingSidecar": {}});
    let fresh = policy(&spec, &Value::Null);
    let calls = vec![
        namespaces(),
        call(Method::GET, PODS, list(&[missed])),
        call(Method::PATCH, STATUS, serde_json::to_value(&fresh).unwrap()),
        // Somebody else's ReplicaSet: the pod's author only claims it.
        call(
            Method::GET,
            REPLICA_SET,
            json!({"metadata": {"name": "web-abc", "uid": "another"}}),
        ),
        refused(Method::POST, EVENTS, 403, "the namespace is being terminated"),
    ];
    let (bodies, metrics) = played(&[fresh], calls).await;
    assert_eq!(bodies[4]["regarding"]["kind"], "Pod");
    assert!(
        metrics
            .text()
            .unwrap()
            .contains("tributary_operator_failures_total{what=\"write\"} 1")
    );
}

#[tokio::test]
async fn a_list_that_breaks_off_changes_nothing() {
    let (client, playing) = play(vec![namespaces(), call(Method::GET, PODS, json!("no list"))]);
    let mut watchdog = watchdog(&client, &Metrics::default());
    drop(client);
    let spec = json!({"streamingSidecar": {}});
    let error = watchdog.look(&[policy(&spec, &Value::Null)]).await.unwrap_err();
    drop(watchdog);
    playing.bodies().await;
    assert!(
        error
            .to_string()
            .starts_with("cannot read the pods: the answer breaks off"),
        "{error}"
    );
}

/// The seconds at which pods are listed, when there are so many of them and a policy changes after `changes` seconds.
async fn looks(pods: usize, changes: Option<u64>, until: u64) -> Vec<u64> {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let client = Client::new(service, "default");
    let (policies, mut writer) = reflector::store::<DeserializeGuard<LoggingPolicy>>();
    let change = |generation: i64| {
        let mut policy = policy(&json!({"nodeAgent": {}}), &Value::Null);
        policy.metadata.generation = Some(generation);
        watcher::Event::Apply(DeserializeGuard(Ok(policy)))
    };
    writer.apply_watcher_event(&watcher::Event::Init);
    writer.apply_watcher_event(&watcher::Event::InitDone);
    writer.apply_watcher_event(&change(1));
    let begun = Instant::now();
    let watching = tokio::spawn(pods::run(
        watchdog(&client, &Metrics::default()),
        policies,
        Pace::default(),
    ));
    let changing = tokio::spawn(async move {
        if let Some(seconds) = changes {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            writer.apply_watcher_event(&change(2));
        }
        std::future::pending::<()>().await;
    });
    let mut seconds = Vec::new();
    while let Ok(Some((request, respond))) = timeout(
        Duration::from_secs(until).saturating_sub(begun.elapsed()),
        handle.next_request(),
    )
    .await
    {
        let is_pods = request.uri().path() == PODS;
        if is_pods {
            assert!(
                request.uri().query().unwrap().contains("resourceVersion=0"),
                "{request:?}"
            );
            seconds.push(begun.elapsed().as_secs());
        }
        let items = vec![json!({"metadata": {}}); if is_pods { pods } else { 0 }];
        let body = Body::from(serde_json::to_vec(&list(&items)).unwrap());
        respond.send_response(Response::new(body));
    }
    watching.abort();
    changing.abort();
    seconds
}

#[tokio::test(start_paused = true)]
async fn few_pods_are_looked_at_often_and_many_when_a_policy_changes() {
    assert_eq!(looks(10, None, 100).await, [0, 30, 60, 90]);
    assert_eq!(looks(5001, None, 250).await, [0, 120, 240]);
    assert_eq!(looks(5001, Some(61), 130).await, [0, 65]);
    assert_eq!(
        looks(5001, Some(3), 140).await,
        [0, 30],
        "never more often than every 30 s"
    );
}
