//! The server over real TLS: rotation, garbage, slow and too many clients, and the end of the process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tributary_crds::selection::Labels;
use tributary_webhook::Config;
use tributary_webhook::cluster_state::ClusterState;
use tributary_webhook::endpoint::{Endpoint, PATH, RequestLimits};
use tributary_webhook::lifecycle::Phase;
use tributary_webhook::metrics::Metrics;
use tributary_webhook::server::{self, ConnectionLimits};
use tributary_webhook::tls::Certificate;

use crate::support::{compile_policies, pods, policies};

/// A certificate and its key in PEM.
struct Pair {
    certificate: String,
    key: String,
}

impl Pair {
    fn new() -> Self {
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        Self {
            certificate: pair.cert.pem(),
            key: pair.signing_key.serialize_pem(),
        }
    }
}

struct Running {
    address: SocketAddr,
    certificate: Certificate,
    pair: Pair,
    metrics: Metrics,
    phase: watch::Sender<Phase>,
    serving: JoinHandle<()>,
}

impl Running {
    async fn start(requests: RequestLimits, connections: ConnectionLimits) -> Self {
        // Another test may have been first.
        let _ = ring::default_provider().install_default();
        let pair = Pair::new();
        let certificate = Certificate::default();
        certificate
            .replace(pair.certificate.as_bytes(), pair.key.as_bytes())
            .unwrap();
        let state = Arc::new(ClusterState::default());
        state.set_policies(compile_policies());
        for name in ["shop", "lonely", "kube-system"] {
            let labels = Labels::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())]);
            state.set_namespace(name.to_owned(), labels);
        }
        let (phase, phases) = watch::channel(Phase::Serving);
        let metrics = Metrics::default();
        let config = Config {
            streamer_image: "registry.example/tributary:1".to_owned(),
        };
        let endpoint = Endpoint::new(state, config, metrics.clone(), requests, phases.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let tls = certificate.server_config().unwrap();
        let drain = Duration::from_secs(5);
        let serving = tokio::spawn(server::serve(
            listener,
            tls,
            endpoint.router(),
            connections,
            metrics.clone(),
            phases,
            drain,
        ));
        Self {
            address,
            certificate,
            pair,
            metrics,
            phase,
            serving,
        }
    }

    async fn with_defaults() -> Self {
        Self::start(RequestLimits::default(), ConnectionLimits::default()).await
    }

    /// A client that trusts these certificates; `keep` says whether it uses connections again.
    fn client(&self, pairs: &[&Pair], keep: bool) -> reqwest::Client {
        let mut builder = reqwest::Client::builder()
            .tls_built_in_root_certs(false)
            .resolve("localhost", self.address);
        for pair in pairs {
            builder = builder
                .add_root_certificate(reqwest::Certificate::from_pem(pair.certificate.as_bytes()).unwrap());
        }
        if !keep {
            builder = builder.pool_max_idle_per_host(0);
        }
        builder.timeout(Duration::from_secs(20)).build().unwrap()
    }

    fn url(&self) -> String {
        format!("https://localhost:{}{PATH}", self.address.port())
    }

    async fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::Response {
        let request = self.client(&[&self.pair], false).post(self.url());
        request
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap()
    }

    /// A connection that the test writes bytes to.
    async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.pair.certificate.as_bytes()).unwrap())
            .unwrap();
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
    }

    fn count(&self, metric: &str) -> u64 {
        let text = self.metrics.text(jiff::Timestamp::now(), None).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}

fn review(pod: &Value) -> String {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "5a1c", "operation": "CREATE", "namespace": pod["metadata"]["namespace"],
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "object": pod
        }
    })
    .to_string()
}

fn head(length: usize) -> String {
    format!(
        "POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Reads one answer: its head and its body.
async fn answer(stream: &mut TlsStream<TcpStream>) -> std::io::Result<(String, Value)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).await?;
    Ok((head, serde_json::from_slice(&body).unwrap_or_default()))
}

fn warning(answer: &Value) -> &str {
    answer["response"]["warnings"][0].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_review_is_answered_with_the_patch_of_the_library() {
    let running = Running::with_defaults().await;
    let pod = &pods()["documentation-counter"];
    let response = running.post(review(pod)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(
        (&answer["response"]["uid"], &answer["response"]["allowed"]),
        (&json!("5a1c"), &json!(true))
    );
    let patch: Value = serde_json::from_slice(
        &STANDARD
            .decode(answer["response"]["patch"].as_str().unwrap())
            .unwrap(),
    )
    .unwrap();
    let expected = crate::support::decide(pod, policies());
    assert_eq!(patch, serde_json::to_value(expected.patch.operations()).unwrap());
    assert_eq!(answer["response"]["warnings"], json!(expected.warnings));
    assert_eq!(
        running.count("tributary_webhook_decisions_total{reason=\"Injected\"}"),
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotation_under_load_fails_no_request() {
    let running = Running::with_defaults().await;
    let next = Pair::new();
    let body = review(&pods()["restricted-deployment"]);
    let end = Instant::now() + Duration::from_secs(2);
    let load: Vec<_> = [true, true, false, false]
        .into_iter()
        .map(|keep| {
            let (client, url, body) = (
                running.client(&[&running.pair, &next], keep),
                running.url(),
                body.clone(),
            );
            tokio::spawn(async move {
                let mut answered = 0_u32;
                while Instant::now() < end {
                    let request = client
                        .post(&url)
                        .header("content-type", "application/json")
                        .body(body.clone());
                    let response = request.send().await.expect("no request fails");
                    assert_eq!(response.status(), StatusCode::OK);
                    let answer: Value = response.json().await.expect("the answer is complete");
                    assert!(answer["response"]["patch"].is_string());
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    let mut rotations = 0;
    while Instant::now() < end {
        for pair in [&next, &running.pair] {
            running
                .certificate
                .replace(pair.certificate.as_bytes(), pair.key.as_bytes())
                .unwrap();
            running
                .certificate
                .replace(pair.certificate.as_bytes(), b"garbage")
                .unwrap_err();
            rotations += 1;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let mut answered = 0;
    for task in load {
        answered += task.await.unwrap();
    }
    assert!(
        answered > 100 && rotations > 20,
        "{answered} requests, {rotations} rotations"
    );
}

#[tokio::test]
async fn new_connections_get_the_new_certificate() {
    let running = Running::with_defaults().await;
    let next = Pair::new();
    running
        .certificate
        .replace(next.certificate.as_bytes(), next.key.as_bytes())
        .unwrap();
    let trusts_the_old = running.client(&[&running.pair], false);
    assert!(trusts_the_old.post(running.url()).send().await.is_err());
    let trusts_the_new = running.client(&[&next], false);
    assert!(trusts_the_new.post(running.url()).send().await.is_ok());
}

#[tokio::test]
async fn what_is_no_review_is_refused() {
    let running = Running::with_defaults().await;
    for body in [
        "",
        "garbage",
        "{}",
        "\u{0}",
        r#"{"kind":"Pod","apiVersion":"v1"}"#,
    ] {
        assert_eq!(
            running.post(body).await.status(),
            StatusCode::BAD_REQUEST,
            "{body}"
        );
    }
    let client = running.client(&[&running.pair], false);
    let get = client.get(running.url()).send().await.unwrap();
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    let plain = client
        .post(running.url())
        .header("content-type", "text/plain")
        .body("{}")
        .send()
        .await
        .unwrap();
    assert_eq!(plain.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let elsewhere = client
        .post(running.url().replace(PATH, "/other"))
        .send()
        .await
        .unwrap();
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    assert_eq!(
        running.count("tributary_webhook_refused_requests_total{status=\"400\"}"),
        5
    );
}

#[tokio::test]
async fn a_review_of_anything_else_is_admitted_with_a_warning() {
    let running = Running::with_defaults().await;
    for object in [
        json!({"spec": 5}),
        json!({"spec": {"containers": "none"}}),
        json!([]),
        json!("pod"),
    ] {
        let mut request: Value =
            serde_json::from_str(&review(&json!({"metadata": {"namespace": "shop"}}))).unwrap();
        request["request"]["object"] = object;
        let answer: Value = running.post(request.to_string()).await.json().await.unwrap();
        assert_eq!(answer["response"]["allowed"], true);
        assert!(
            warning(&answer).starts_with("tributary: InternalError: "),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn bodies_up_to_the_limit_are_taken_and_larger_ones_refused() {
    let running = Running::with_defaults().await;
    let mut pod = pods()["documentation-counter"].clone();
    pod["metadata"]["annotations"]["large"] = "x".repeat(3 << 20).into();
    assert_eq!(running.post(review(&pod)).await.status(), StatusCode::OK);
    let mut stream = running.connect().await.unwrap();
    stream.write_all(head(9 << 20).as_bytes()).await.unwrap();
    // It is refused by its declared length or on the way; what is left of the body is not waited for.
    let chunk = vec![b' '; 1 << 20];
    for _ in 0..9 {
        if stream.write_all(&chunk).await.is_err() {
            break;
        }
    }
    let (head, _) = answer(&mut stream).await.unwrap();
    assert!(head.starts_with("http/1.1 413"), "{head}");
}

#[tokio::test]
async fn slow_clients_are_cut_off_and_idle_ones_are_not() {
    let limits = RequestLimits {
        body_time: Duration::from_millis(300),
        ..RequestLimits::default()
    };
    let connections = ConnectionLimits {
        head: Duration::from_millis(200),
        ..ConnectionLimits::default()
    };
    let running = Running::start(limits, connections).await;
    let body = review(&pods()["not-annotated"]);

    let mut slow_head = running.connect().await.unwrap();
    slow_head
        .write_all(b"POST /mutate HTTP/1.1\r\nHost: loc")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let started = Instant::now();
    // Whether the end is clean or an error depends on what was still on its way.
    let _ = slow_head.read_to_end(&mut rest).await;
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );

    let mut slow_body = running.connect().await.unwrap();
    slow_body.write_all(head(100).as_bytes()).await.unwrap();
    let (status, _) = answer(&mut slow_body).await.unwrap();
    assert!(status.starts_with("http/1.1 408"), "{status}");

    let mut idle = running.connect().await.unwrap();
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        idle.write_all(format!("{}{body}", head(body.len())).as_bytes())
            .await
            .unwrap();
        assert!(answer(&mut idle).await.unwrap().0.starts_with("http/1.1 200"));
    }
}

#[tokio::test]
async fn overload_is_answered_at_once() {
    let limits = RequestLimits {
        at_once: 1,
        ..RequestLimits::default()
    };
    let running = Running::start(limits, ConnectionLimits::default()).await;
    let body = review(&pods()["documentation-counter"]);

    let mut first = running.connect().await.unwrap();
    let (begin, rest) = body.split_at(10);
    first
        .write_all(format!("{}{begin}", head(body.len())).as_bytes())
        .await
        .unwrap();
    first.flush().await.unwrap();
    // Until the first one is being worked on, the second is simply served.
    let started = Instant::now();
    let overloaded = loop {
        let answer: Value = running.post(body.clone()).await.json().await.unwrap();
        assert_eq!(answer["response"]["allowed"], true);
        if warning(&answer).starts_with("tributary: Overloaded: ") {
            break answer;
        }
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "never overloaded: {answer}"
        );
    };
    assert_eq!(overloaded["response"].get("patch"), None);

    first.write_all(rest.as_bytes()).await.unwrap();
    assert!(answer(&mut first).await.unwrap().1["response"]["patch"].is_string());
    assert!(running.count("tributary_webhook_reviews_total{outcome=\"overloaded\"}") >= 1);
    let after: Value = running.post(body).await.json().await.unwrap();
    assert!(after["response"]["patch"].is_string(), "{after}");
}

#[tokio::test]
async fn bodies_wait_for_room() {
    let limits = RequestLimits {
        bodies: 64 << 10,
        body_time: Duration::from_millis(500),
        ..RequestLimits::default()
    };
    let running = Running::start(limits, ConnectionLimits::default()).await;
    let mut hoarder = running.connect().await.unwrap();
    hoarder.write_all(head(64 << 10).as_bytes()).await.unwrap();
    let mut pod = pods()["documentation-counter"].clone();
    pod["metadata"]["annotations"]["large"] = "x".repeat(8 << 10).into();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    assert_eq!(running.post(review(&pod)).await.status(), StatusCode::OK);
    assert!(
        started.elapsed() > Duration::from_millis(200),
        "it waited for the hoarder's time to be over"
    );
    assert!(answer(&mut hoarder).await.unwrap().0.starts_with("http/1.1 408"));
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_the_others_served() {
    let connections = ConnectionLimits {
        at_once: 2,
        ..ConnectionLimits::default()
    };
    let running = Running::start(RequestLimits::default(), connections).await;
    let body = review(&pods()["not-annotated"]);
    let mut first = running.connect().await.unwrap();
    let second = running.connect().await.unwrap();
    assert!(running.connect().await.is_err());
    first
        .write_all(format!("{}{body}", head(body.len())).as_bytes())
        .await
        .unwrap();
    assert!(answer(&mut first).await.unwrap().0.starts_with("http/1.1 200"));
    assert_eq!(running.count("tributary_webhook_refused_connections_total"), 1);
    drop((first, second));
    let started = Instant::now();
    while running.connect().await.is_err() {
        assert!(started.elapsed() < Duration::from_secs(5), "a place becomes free");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn the_end_cuts_no_request_off() {
    let running = Running::with_defaults().await;
    let body = review(&pods()["documentation-counter"]);
    let request = format!("{}{body}", head(body.len()));
    let mut kept = running.connect().await.unwrap();
    let mut under_way = running.connect().await.unwrap();
    let idle = running.connect().await.unwrap();

    running.phase.send_replace(Phase::Leaving);
    kept.write_all(request.as_bytes()).await.unwrap();
    let (head, answered) = answer(&mut kept).await.unwrap();
    assert!(head.contains("connection: close"), "{head}");
    assert!(answered["response"]["patch"].is_string());
    assert_eq!(
        running.post(body.clone()).await.status(),
        StatusCode::OK,
        "new connections are still taken"
    );

    let (begin, rest) = request.split_at(request.len() - 10);
    under_way.write_all(begin.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    running.phase.send_replace(Phase::Draining);
    tokio::time::sleep(Duration::from_millis(100)).await;
    under_way.write_all(rest.as_bytes()).await.unwrap();
    assert!(answer(&mut under_way).await.unwrap().1["response"]["patch"].is_string());
    tokio::time::timeout(Duration::from_secs(2), running.serving)
        .await
        .expect("the server ends")
        .unwrap();
    assert!(
        TcpStream::connect(running.address).await.is_err(),
        "nobody listens any more"
    );
    drop(idle);
}
