//! The calls of a reconciliation, one by one.

use std::sync::Arc;

use http::Method;
use kube::Client;
use kube::core::DeserializeGuard;
use kube::runtime::reflector;
use serde_json::{Value, json};
use tributary_crds::LoggingPolicy;
use tributary_operator::context::{Context, PACE};
use tributary_operator::error::Error;
use tributary_operator::metrics::Metrics;
use tributary_operator::policy::reconcile as reconcile_policy;

use crate::api_server::{Call, call, play, refused};

const POLICY: &str = "/apis/tributary.dev/v1alpha1/loggingpolicies/p";
const STATUS: &str = "/apis/tributary.dev/v1alpha1/loggingpolicies/p/status";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/default/events";
const DAEMON_SETS: &str = "/apis/apps/v1/namespaces/tributary-agents/daemonsets";
const DAEMON_SET: &str = "/apis/apps/v1/namespaces/tributary-agents/daemonsets/p-node-agent";
const CONFIG_MAPS: &str = "/api/v1/namespaces/tributary-agents/configmaps";
const SECRET: &str = "/api/v1/namespaces/tributary-agents/secrets/s";

fn policy(spec: &Value, status: &Value) -> Value {
    json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy",
        "metadata": {"name": "p", "uid": "u", "generation": 3}, "spec": spec, "status": status})
}

fn sidecars() -> Value {
    json!({"streamingSidecar": {}})
}

fn with_secret() -> Value {
    let auth = json!({"bearer": {"tokenSecretRef": {"name": "s", "key": "token"}}});
    json!({"nodeAgent": {}, "outputs": [{"name": "o", "loki": {"url": "https://loki:3100"}, "auth": auth}]})
}

fn no_metadata() -> Value {
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": []})
}

fn context(client: &Client) -> Arc<Context> {
    let (policies, _) = reflector::store();
    Arc::new(Context::new(client.clone(), Metrics::default(), policies, None).0)
}

async fn reconcile(context: &Arc<Context>, object: &Value) -> Result<(), Error> {
    let guarded: DeserializeGuard<LoggingPolicy> = serde_json::from_value(object.clone()).unwrap();
    reconcile_policy(Arc::new(guarded), Arc::clone(context))
        .await
        .map(drop)
}

/// Plays one reconciliation of `object`; the bodies of its requests.
async fn played(object: &Value, calls: Vec<Call>) -> Vec<Value> {
    let (client, playing) = play(calls);
    let context = context(&client);
    drop(client);
    let result = reconcile(&context, object).await;
    drop(context);
    let bodies = playing.bodies().await;
    result.unwrap();
    bodies
}

fn condition<'a>(status: &'a Value, kind: &str) -> Option<(&'a str, &'a str)> {
    let conditions = status["status"]["conditions"].as_array()?;
    let condition = conditions.iter().find(|condition| condition["type"] == kind)?;
    Some((condition["status"].as_str()?, condition["reason"].as_str()?))
}

#[tokio::test]
async fn what_is_new_is_said_once_and_what_is_not_is_not_said_again() {
    let object = policy(&sidecars(), &Value::Null);
    let look = |object: &Value| {
        vec![
            call(Method::GET, POLICY, object.clone()),
            call(Method::GET, DAEMON_SETS, no_metadata()),
            call(Method::GET, CONFIG_MAPS, no_metadata()),
        ]
    };
    let mut calls = look(&object);
    calls.push(call(Method::PATCH, STATUS, object.clone()));
    calls.push(call(
        Method::POST,
        EVENTS,
        json!({"metadata": {"name": "e"}, "regarding": {}, "eventTime": null}),
    ));
    let bodies = played(&object, calls).await;
    let written = &bodies[3];
    assert_eq!(condition(written, "Ready"), Some(("True", "PolicyReady")));
    assert_eq!(
        (&written["spec"], &written["metadata"]["uid"]),
        (&Value::Null, &json!("u")),
        "only the status is written"
    );
    assert_eq!(bodies[4]["reason"], "PolicyReady");

    // What is said of pods has another author: it is neither a change nor taken back.
    assert_eq!(written["status"]["injection"], Value::Null);
    let mut status = written["status"].clone();
    status["injection"] = json!({"pods": "1/1", "streaming": 1});
    let served = json!({"type": "PodsServed", "status": "True", "reason": "AllServed", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    status["conditions"].as_array_mut().unwrap().push(served);
    let settled = policy(&sidecars(), &status);
    played(&settled, look(&settled)).await;
}

#[tokio::test]
async fn a_policy_is_not_looked_at_again_too_soon_and_conditions_keep_their_time() {
    let object = policy(&sidecars(), &Value::Null);
    let ready = json!({"type": "Ready", "status": "True", "reason": "PolicyReady", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let known = policy(&sidecars(), &json!({"conditions": [ready]}));
    let mut calls = Vec::new();
    for _ in 0..2 {
        calls.extend([
            call(Method::GET, POLICY, known.clone()),
            call(Method::GET, DAEMON_SETS, no_metadata()),
            call(Method::GET, CONFIG_MAPS, no_metadata()),
            call(Method::PATCH, STATUS, object.clone()),
        ]);
    }
    let (client, playing) = play(calls);
    let context = context(&client);
    drop(client);
    reconcile(&context, &object).await.unwrap();
    // Too soon: not a single call.
    reconcile(&context, &object).await.unwrap();
    tokio::time::sleep(PACE).await;
    reconcile(&context, &object).await.unwrap();
    drop(context);
    let bodies = playing.bodies().await;
    let kept = bodies[7]["status"]["conditions"][0]["lastTransitionTime"].as_str();
    assert_eq!(
        kept,
        Some("2026-01-01T00:00:00Z"),
        "a condition that did not change keeps its time"
    );
}

#[tokio::test]
async fn a_missing_secret_touches_nothing_that_runs() {
    let object = policy(&with_secret(), &Value::Null);
    let running = json!({"metadata": {"name": "p-node-agent", "generation": 1, "ownerReferences": [
            {"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicy", "name": "p", "uid": "u"}],
            "annotations": {"tributary.dev/engine": "FluentBit", "tributary.dev/config-hash": "abc"}},
        "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "currentNumberScheduled": 3, "numberMisscheduled": 0,
            "numberReady": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}});
    let bodies = played(
        &object,
        vec![
            call(Method::GET, POLICY, object.clone()),
            refused(Method::GET, SECRET, 404, "not found"),
            call(Method::GET, DAEMON_SET, running),
            call(Method::PATCH, STATUS, object.clone()),
            call(
                Method::POST,
                EVENTS,
                json!({"metadata": {"name": "e"}, "regarding": {}, "eventTime": null}),
            ),
        ],
    )
    .await;
    let written = &bodies[3];
    for (kind, status) in [
        ("Ready", "False"),
        ("ConfigAccepted", "False"),
        ("NodeAgentReady", "False"),
        ("Stalled", "True"),
    ] {
        assert_eq!(
            condition(written, kind),
            Some((status, "SecretMissing")),
            "{kind}"
        );
    }
    assert_eq!(condition(written, "Reconciling"), None);
    let agent = json!({"engine": "FluentBit", "nodes": "3/3", "desired": 3, "updated": 3, "available": 3, "configHash": "abc"});
    assert_eq!(written["status"]["nodeAgent"], agent, "what runs is still told");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_told_so_and_nothing_else_happens() {
    let object = policy(&json!({"nodeAgent": {"engine": "FromTheFuture"}}), &Value::Null);
    let bodies = played(
        &object,
        vec![
            call(Method::GET, POLICY, object.clone()),
            refused(Method::GET, DAEMON_SET, 404, "not found"),
            call(Method::PATCH, STATUS, object.clone()),
            call(
                Method::POST,
                EVENTS,
                json!({"metadata": {"name": "e"}, "regarding": {}, "eventTime": null}),
            ),
        ],
    )
    .await;
    assert_eq!(
        condition(&bodies[2], "ConfigAccepted"),
        Some(("False", "Unreadable"))
    );
}

#[tokio::test]
async fn a_refused_write_is_told_with_the_servers_words() {
    let spec = json!({"nodeAgent": {}, "outputs": [{"name": "o", "stdout": {}}]});
    let object = policy(&spec, &Value::Null);
    let config_map = config_map_path(&object);
    let bodies = played(
        &object,
        vec![
            call(Method::GET, POLICY, object.clone()),
            refused(Method::PATCH, config_map, 403, "exceeded quota"),
            refused(Method::GET, DAEMON_SET, 404, "not found"),
            call(Method::PATCH, STATUS, object.clone()),
            call(
                Method::POST,
                EVENTS,
                json!({"metadata": {"name": "e"}, "regarding": {}, "eventTime": null}),
            ),
        ],
    )
    .await;
    assert_eq!(condition(&bodies[3], "Stalled"), Some(("True", "ApplyFailed")));
    assert!(bodies[3].to_string().contains("exceeded quota"));
}

/// The path of the `ConfigMap`, whose name holds a hash that other tests pin.
fn config_map_path(object: &Value) -> &'static str {
    let spec: tributary_crds::LoggingPolicySpec = serde_json::from_value(object["spec"].clone()).unwrap();
    let agent = tributary_agents::compile("p", &spec)
        .and_then(|pipeline| tributary_agents::render(&pipeline))
        .unwrap();
    let engine = spec.node_agent.unwrap().engine;
    let hash = tributary_operator::policy::build::config_map::hash(engine, &agent).unwrap();
    Box::leak(format!("{CONFIG_MAPS}/p-node-agent-{hash}").into_boxed_str())
}

#[tokio::test]
async fn nothing_is_made_for_a_policy_that_is_going() {
    let mut object = policy(&sidecars(), &Value::Null);
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    played(&object, vec![call(Method::GET, POLICY, object.clone())]).await;
    played(&object, vec![refused(Method::GET, POLICY, 404, "not found")]).await;
}
