//! A stand-in of the API server: the lists and watches that the webhook asks for, over plain HTTP.

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

/// A list in which nothing happens while it is watched.
struct Unchanging {
    api_version: &'static str,
    kind: &'static str,
    objects: Vec<Value>,
}

impl ApiServer {
    /// Starts with a cluster of this size, and with this certificate in the webhook's Secret.
    pub fn start(size: Size, pair: Pair) -> Result<Self, Error> {
        let (secret, secrets) = watch::channel(Secret { version: 1, pair });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::ApiServer)?;
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .map_err(Error::ApiServer)?;
        let address = listener.local_addr().map_err(Error::ApiServer)?;
        let router = router(size, secrets);
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

fn router(size: Size, secrets: watch::Receiver<Secret>) -> Router {
    let unchanging = |api_version, kind, objects| {
        let list = Unchanging {
            api_version,
            kind,
            objects,
        };
        get(unchanging).with_state(Arc::new(list))
    };
    let policies = unchanging(
        "tributary.dev/v1alpha1",
        "LoggingPolicyList",
        cluster::policies(size),
    );
    let namespaces = unchanging(
        "meta.k8s.io/v1",
        "PartialObjectMetadataList",
        cluster::namespaces(size),
    );
    let limits = unchanging("v1", "LimitRangeList", cluster::limit_ranges(size));
    let quotas = unchanging("v1", "ResourceQuotaList", cluster::resource_quotas(size));
    Router::new()
        .route("/apis/tributary.dev/v1alpha1/loggingpolicies", policies)
        .route("/api/v1/namespaces", namespaces)
        .route("/api/v1/limitranges", limits)
        .route("/api/v1/resourcequotas", quotas)
        .route(
            "/api/v1/namespaces/{namespace}/secrets",
            get(secret).with_state(secrets),
        )
}

async fn unchanging(State(list): State<Arc<Unchanging>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    if query.watch {
        return json_body(Body::from_stream(stream::pending::<Result<String, Infallible>>()));
    }
    page(list.api_version, list.kind, "1", &list.objects, &query)
}

async fn secret(State(mut secrets): State<watch::Receiver<Secret>>, RawQuery(query): RawQuery) -> Response {
    let query = Query::parse(query.as_deref());
    let secret = secrets.borrow_and_update().clone();
    if query.watch {
        // What was written between the list and this watch has to be told too.
        if secret.version > query.version {
            secrets.mark_changed();
        }
        return changing(secrets);
    }
    let version = secret.version.to_string();
    page(
        "v1",
        "SecretList",
        &version,
        &[cluster::secret(&secret.pair, secret.version)],
        &query,
    )
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
fn page(api_version: &str, kind: &str, version: &str, objects: &[Value], query: &Query) -> Response {
    let from = query.from.min(objects.len());
    let to = query
        .limit
        .map_or(objects.len(), |limit| (from + limit).min(objects.len()));
    let mut metadata = json!({"resourceVersion": version});
    if to < objects.len() {
        metadata["continue"] = json!(to.to_string());
    }
    let list =
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "items": objects[from..to]});
    json_body(Body::from(list.to_string()))
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
