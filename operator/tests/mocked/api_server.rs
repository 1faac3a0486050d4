//! The played API server.

use std::time::Duration;

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tower_test::mock::{self, Handle};

/// One call that must come next, and its answer.
pub struct Call {
    method: Method,
    path: &'static str,
    status: u16,
    answer: Value,
}

/// A call of this method to this path (without its query), answered with 200 and this body.
pub fn call(method: Method, path: &'static str, answer: Value) -> Call {
    Call {
        method,
        path,
        status: 200,
        answer,
    }
}

/// A call that is answered with an error.
pub fn refused(method: Method, path: &'static str, status: u16, message: &str) -> Call {
    let reason = if status == 404 { "NotFound" } else { "Forbidden" };
    let answer =
        json!({"kind": "Status", "status": "Failure", "code": status, "message": message, "reason": reason});
    Call {
        method,
        path,
        status,
        answer,
    }
}

/// The played server; its end tells the bodies of all requests.
pub struct Playing(JoinHandle<Vec<Value>>);

/// Plays the calls in order.
pub fn play(calls: Vec<Call>) -> (Client, Playing) {
    let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
    (
        Client::new(service, "default"),
        Playing(tokio::spawn(answer(handle, calls))),
    )
}

impl Playing {
    /// The bodies of the requests (`null` where there was none). Fails when a call is missing, or one came too many.
    pub async fn bodies(self) -> Vec<Value> {
        let played = tokio::time::timeout(Duration::from_secs(5), self.0).await;
        played.expect("a call is missing").expect("a call is wrong")
    }
}

async fn answer(mut handle: Handle<Request<Body>, Response<Body>>, calls: Vec<Call>) -> Vec<Value> {
    let mut bodies = Vec::new();
    for Call {
        method,
        path,
        status,
        answer,
    } in calls
    {
        let (request, respond) = handle
            .next_request()
            .await
            .unwrap_or_else(|| panic!("no call of {method} {path}"));
        assert_eq!(
            (request.method(), request.uri().path()),
            (&method, path),
            "call {}",
            bodies.len()
        );
        let bytes = request.into_body().collect_bytes().await.unwrap();
        bodies.push(serde_json::from_slice(&bytes).unwrap_or_default());
        let body = Body::from(serde_json::to_vec(&answer).unwrap());
        respond.send_response(Response::builder().status(status).body(body).unwrap());
    }
    if let Some((request, _)) = handle.next_request().await {
        panic!("one call too many: {} {}", request.method(), request.uri());
    }
    bodies
}
