//! The election against a Lease that is kept with `resourceVersion`s, as the API server keeps it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Method, Request, Response};
use kube::client::Body;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tributary_operator::leader::{Candidate, Leadership, Timing};

/// A Lease and whether the server answers at all.
#[derive(Default)]
struct Stored {
    lease: Option<Value>,
    version: u64,
    away: bool,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Stored>>);

impl Server {
    fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let server = server.clone();
            async move {
                // Time for others to come in between a read and a write.
                sleep(Duration::from_millis(10)).await;
                Ok::<_, Infallible>(server.answer(request).await)
            }
        });
        Client::new(service, "default")
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let method = request.method().clone();
        let sent: Value =
            serde_json::from_slice(&request.into_body().collect_bytes().await.unwrap()).unwrap_or_default();
        let mut stored = self.0.lock().unwrap();
        if stored.away {
            return status(500);
        }
        let wrong = match (&method, &stored.lease) {
            (&Method::GET, Some(lease)) => return ok(lease),
            (&Method::GET | &Method::PUT, None) => Some(404),
            (&Method::POST, Some(_)) => Some(409),
            (&Method::PUT, Some(lease))
                if lease["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] =>
            {
                Some(409)
            }
            _ => None,
        };
        if let Some(code) = wrong {
            return status(code);
        }
        stored.version += 1;
        let mut lease = sent;
        lease["metadata"]["resourceVersion"] = json!(stored.version.to_string());
        stored.lease = Some(lease.clone());
        ok(&lease)
    }

    fn set_away(&self, away: bool) {
        self.0.lock().unwrap().away = away;
    }

    fn holder(&self) -> Option<String> {
        let stored = self.0.lock().unwrap();
        Some(
            stored.lease.as_ref()?["spec"]["holderIdentity"]
                .as_str()?
                .to_owned(),
        )
    }
}

fn ok(body: &Value) -> Response<Body> {
    Response::new(Body::from(serde_json::to_vec(body).unwrap()))
}

fn status(code: u16) -> Response<Body> {
    let reason = match code {
        404 => "NotFound",
        409 => "Conflict",
        _ => "InternalError",
    };
    let body = json!({"kind": "Status", "code": code, "message": "no", "reason": reason});
    Response::builder()
        .status(code)
        .body(Body::from(serde_json::to_vec(&body).unwrap()))
        .unwrap()
}

fn candidate(client: Client, name: &str) -> Candidate {
    Candidate::new(
        Api::namespaced(client, "tributary-system"),
        name.to_owned(),
        Timing::default(),
    )
}

async fn acquire(server: &Server, name: &str) -> Leadership {
    let acquired = timeout(
        Duration::from_secs(3600),
        candidate(server.client(), name).acquire(|| {}),
    )
    .await;
    acquired.expect("never leads")
}

#[tokio::test(start_paused = true)]
async fn of_two_at_once_one_leads() {
    let server = Server::default();
    let mut one = candidate(server.client(), "one");
    let mut two = candidate(server.client(), "two");
    let (one, two) = tokio::join!(one.attempt(), two.attempt());
    assert_eq!(
        [one.unwrap().is_some(), two.unwrap().is_some()]
            .iter()
            .filter(|won| **won)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn of_two_at_once_one_takes_an_expired_lease() {
    let server = Server::default();
    drop(acquire(&server, "gone").await);
    let (mut one, mut two) = (
        candidate(server.client(), "one"),
        candidate(server.client(), "two"),
    );
    for seconds in 0..15 {
        let (one, two) = tokio::join!(one.attempt(), two.attempt());
        assert!(
            one.unwrap().is_none() && two.unwrap().is_none(),
            "taken after {seconds} s"
        );
        sleep(Duration::from_secs(1)).await;
    }
    let (one, two) = tokio::join!(one.attempt(), two.attempt());
    assert_eq!(
        [one.unwrap().is_some(), two.unwrap().is_some()]
            .iter()
            .filter(|won| **won)
            .count(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_cannot_renew_ends_before_another_may_begin() {
    let server = Server::default();
    let mut leader = acquire(&server, "leader").await;
    let stand_in = tokio::spawn({
        let server = server.clone();
        async move {
            // The stand-in reaches the server; the leader's network is what breaks.
            drop(acquire(&server, "stand-in").await);
            Instant::now()
        }
    });
    let healthy = timeout(Duration::from_secs(60), leader.keep()).await;
    assert!(healthy.is_err(), "a leader that can renew leads on");
    assert_eq!(server.holder().as_deref(), Some("leader"));
    server.set_away(true);
    leader.keep().await;
    let ended = Instant::now();
    server.set_away(false);
    assert!(stand_in.await.unwrap() > ended);
}

#[tokio::test(start_paused = true)]
async fn a_leader_ends_when_another_holds_the_lease() {
    let server = Server::default();
    let mut leader = acquire(&server, "leader").await;
    {
        let mut stored = server.0.lock().unwrap();
        stored.version += 1;
        let version = stored.version.to_string();
        let lease = stored.lease.as_mut().unwrap();
        lease["spec"]["holderIdentity"] = json!("usurper");
        lease["metadata"]["resourceVersion"] = json!(version);
    }
    timeout(Duration::from_secs(5), leader.keep())
        .await
        .expect("leads on");
    assert_eq!(
        server.holder().as_deref(),
        Some("usurper"),
        "the usurper's lease was overwritten"
    );
}

#[tokio::test(start_paused = true)]
async fn a_label_on_the_lease_does_not_end_leadership() {
    let server = Server::default();
    let mut leader = acquire(&server, "leader").await;
    {
        let mut stored = server.0.lock().unwrap();
        stored.version += 1;
        let version = stored.version.to_string();
        let lease = stored.lease.as_mut().unwrap();
        lease["metadata"]["resourceVersion"] = json!(version);
    }
    assert!(leader.renew().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_vacated_lease_is_taken_at_once() {
    let server = Server::default();
    acquire(&server, "first").await.vacate().await;
    let second = candidate(server.client(), "second").attempt().await.unwrap();
    assert!(second.is_some());
}
