//! A stand-in of the API server: the three lists and watches that the webhook asks for, over plain HTTP.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Error;
use crate::cluster::{self, Size};
use crate::pair::Pair;

/// Runs on a thread of its own until the program ends.
pub struct ApiServer {
    address: SocketAddr,
    secret: watch::Sender<Secret>,
}

/// The Secret and its version.
#[derive(Clone)]
struct Secret {
    version: u64,
    pair: Pair,
}

struct Objects {
    policies: Vec<Value>,
    namespaces: Vec<Value>,
    secret: watch::Receiver<Secret>,
}

impl ApiServer {
    /// Starts with a cluster of this size, and with this certificate in the webhook's Secret.
    pub fn start(size: Size, pair: Pair) -> Result<Self, Error> {
        let (secret, secrets) = watch::channel(Secret { version: 1, pair });
        let objects = Arc::new(Objects {
            policies: cluster::policies(size),
            namespaces: cluster::namespaces(size),
            secret: secrets,
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::ApiServer)?;
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .map_err(Error::ApiServer)?;
        let address = listener.local_addr().map_err(Error::ApiServer)?;
        let router = router(objects);
        let serve = move || runtime.block_on(async { axum::serve(listener, router).await });
        thread::Builder::new()
            .name("api-server".to_owned())
            .spawn(serve)
            .map_err(Error::ApiServer)?;
        Ok(Self { address, secret })
    }

    /// Writes another certificate into the Secret; who watches is told.
    pub fn rotate(&self, pair: Pair) {
        self.secret.send_modify(|secret| {
            secret.version += 1;
            secret.pair = pair;
        });
    }

    /// Writes a kubeconfig for this server.
    pub fn write_kubeconfig(&self, path: &Path) -> io::Result<()> {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "load",
            "clusters": [{"name": "load", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "load", "user": {}}],
            "contexts": [{"name": "load", "context": {"cluster": "load", "user": "load"}}]
        });
        // JSON is YAML.
        std::fs::write(path, config.to_string())
    }
}

fn router(objects: Arc<Objects>) -> Router {
    Router::new()
        .route("/apis/tributary.dev/v1alpha1/loggingpolicies", get(policies))
        .route("/api/v1/namespaces", get(namespaces))
        .route("/api/v1/namespaces/{namespace}/secrets", get(secrets))
        .with_state(objects)
}

async fn policies(State(objects): State<Arc<Objects>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    if query.watch {
        return unchanging();
    }
    let list = json!({"apiVersion": "tributary.dev/v1alpha1", "kind": "LoggingPolicyList"});
    page(list, &objects.policies, &query)
}

async fn namespaces(State(objects): State<Arc<Objects>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    if query.watch {
        return unchanging();
    }
    let list = json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList"});
    page(list, &objects.namespaces, &query)
}

async fn secrets(State(objects): State<Arc<Objects>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    let mut secrets = objects.secret.clone();
    if query.watch {
        // Whoever listed first begins with what it listed.
        let known = query.version;
        if secrets.borrow().version > known {
            secrets.mark_changed();
        } else {
            secrets.mark_unchanged();
        }
        return changing(secrets);
    }
    let secret = secrets.borrow().clone();
    let list = json!({
        "apiVersion": "v1", "kind": "SecretList",
        "metadata": {"resourceVersion": secret.version.to_string()}
    });
    page(list, &[cluster::secret(&secret.pair, secret.version)], &query)
}

/// What the parameters of a list or watch say.
#[derive(Default)]
struct Query {
    watch: bool,
    limit: Option<usize>,
    from: usize,
    version: u64,
}

impl Query {
    fn parse(query: Option<&str>) -> Self {
        let mut parsed = Self::default();
        for (key, value) in query
            .unwrap_or_default()
            .split('&')
            .filter_map(|pair| pair.split_once('='))
        {
            match key {
                "watch" => parsed.watch = matches!(value, "true" | "1"),
                "limit" => parsed.limit = value.parse().ok(),
                "continue" => parsed.from = value.parse().unwrap_or(0),
                "resourceVersion" => parsed.version = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        parsed
    }
}

/// A part of a list, as long as asked for, and where the next part begins.
fn page(mut list: Value, objects: &[Value], query: &Query) -> Response {
    let from = query.from.min(objects.len());
    let to = query
        .limit
        .map_or(objects.len(), |limit| (from + limit).min(objects.len()));
    if list["metadata"]["resourceVersion"].is_null() {
        list["metadata"]["resourceVersion"] = json!("1");
    }
    if to < objects.len() {
        list["metadata"]["continue"] = json!(to.to_string());
    }
    list["items"] = json!(objects[from..to]);
    json_body(Body::from(list.to_string()))
}

/// A watch in which nothing happens.
fn unchanging() -> Response {
    json_body(Body::from_stream(stream::pending::<Result<String, Infallible>>()))
}

/// A watch of the Secret.
fn changing(secrets: watch::Receiver<Secret>) -> Response {
    let events = stream::unfold(secrets, async |mut secrets| {
        secrets.changed().await.ok()?;
        let secret = secrets.borrow_and_update().clone();
        let event = json!({"type": "MODIFIED", "object": cluster::secret(&secret.pair, secret.version)});
        Some((format!("{event}\n"), secrets))
    });
    json_body(Body::from_stream(events.map(Ok::<_, Infallible>)))
}

fn json_body(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
