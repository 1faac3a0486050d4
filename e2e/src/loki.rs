//! Reading records back from Loki, through the API server's proxy to its Service, so that any cluster will do.

use std::time::Duration;

use kube::Client;
use serde::Deserialize;

/// The namespace and Service of `manifests/samples/loki.yaml`.
const PROXY: &str = "/api/v1/namespaces/logging/services/loki:3100/proxy";
/// Most lines that one query takes; the sample's `max_entries_limit_per_query`.
const LIMIT: usize = 100_000;

/// How long one query may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whose lines to read.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// A regular expression for the whole name of the pod.
    pub pod: &'a str,
    /// The container.
    pub container: &'a str,
}

/// Why lines could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server or Loki did not answer.
    #[error("cannot query Loki through the API server's proxy: {0}")]
    Request(#[from] kube::Error),
    /// The request could not be made.
    #[error("cannot build the query for Loki: {0}")]
    Query(#[from] http::Error),
    /// The answer is not a query result.
    #[error("Loki's answer is no query result: {0}")]
    Answer(#[from] serde_json::Error),
    /// No answer in time.
    #[error("Loki has not answered the query {0} within {seconds} s: see `kubectl -n logging logs loki-0`", seconds = PATIENCE.as_secs())]
    Late(String),
    /// More lines than one query gives.
    #[error("Loki holds {LIMIT} lines or more for {0}: the count would be wrong")]
    TooMany(String),
}

#[derive(Deserialize)]
struct Answer {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    result: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    values: Vec<Entry>,
}

/// `[time in nanoseconds, line, ...]`
#[derive(Deserialize)]
struct Entry(
    #[allow(dead_code, reason = "the position matters, the time does not")] String,
    String,
);

/// Every line that Loki holds of a container, from the last hour.
pub async fn lines(client: &Client, source: &Source<'_>) -> Result<Vec<String>, Error> {
    let selector = format!(
        "{{k8s_namespace_name={:?}}} | k8s_pod_name=~{:?} | k8s_container_name={:?}",
        source.namespace, source.pod, source.container
    );
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("query", &selector)
        .append_pair("since", "1h")
        .append_pair("direction", "forward")
        .append_pair("limit", &LIMIT.to_string())
        .finish();
    let request = http::Request::get(format!("{PROXY}/loki/api/v1/query_range?{query}")).body(Vec::new())?;
    let Ok(answer) = tokio::time::timeout(PATIENCE, client.request_text(request)).await else {
        return Err(Error::Late(selector));
    };
    let answer: Answer = serde_json::from_str(&answer?)?;
    let lines: Vec<String> = answer
        .data
        .result
        .into_iter()
        .flat_map(|stream| stream.values)
        .map(|Entry(_, line)| line)
        .collect();
    if lines.len() >= LIMIT {
        Err(Error::TooMany(selector))
    } else {
        Ok(lines)
    }
}
