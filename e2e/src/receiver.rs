//! A small web server that takes JSON lines and keeps them, as a stand-in for whatever an `http` output may point at.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use serde_json::Value;

/// Largest request body that is taken, in bytes.
const BODY_LIMIT: usize = 64 << 20;

/// What one request brought.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// The request's `Authorization`, empty when there is none.
    pub authorization: String,
    /// One JSON value a line.
    pub records: Vec<Value>,
}

/// Deliveries by the path of their request.
pub type Deliveries = BTreeMap<String, Vec<Delivery>>;

/// A running receiver; it ends with the value.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    deliveries: Arc<Mutex<Deliveries>>,
    handle: Handle<SocketAddr>,
}

/// Why a receiver could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not local.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or key cannot be used.
    #[error("cannot serve with this certificate: {0}")]
    Certificate(std::io::Error),
}

impl Receiver {
    /// Serves HTTPS with a certificate chain and a key in PEM.
    pub async fn start(address: SocketAddr, certificate: &str, key: &str) -> Result<Self, Error> {
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let tls = RustlsConfig::from_pem(certificate.into(), key.into())
            .await
            .map_err(Error::Certificate)?;
        let deliveries = Arc::new(Mutex::new(Deliveries::new()));
        let router = Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(Arc::clone(&deliveries));
        let handle = Handle::new();
        let server = axum_server::from_tcp_rustls(listener, tls)
            .map_err(listen)?
            .handle(handle.clone());
        tokio::spawn(server.serve(router.into_make_service()));
        Ok(Self {
            address,
            deliveries,
            handle,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything that has arrived.
    pub fn deliveries(&self) -> Deliveries {
        self.deliveries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn receive(
    State(deliveries): State<Arc<Mutex<Deliveries>>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    match read(&headers, &body) {
        Ok(delivery) => {
            let mut deliveries = deliveries.lock().unwrap_or_else(PoisonError::into_inner);
            deliveries
                .entry(uri.path().to_owned())
                .or_default()
                .push(delivery);
            (StatusCode::OK, String::new())
        }
        Err(problem) => (StatusCode::BAD_REQUEST, problem),
    }
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Delivery, String> {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut text = String::new();
    let read = match header("content-encoding") {
        "gzip" => flate2::read::MultiGzDecoder::new(body).read_to_string(&mut text),
        _ => { body }.read_to_string(&mut text),
    };
    read.map_err(|error| format!("the body cannot be read: {error}"))?;
    let records: Result<Vec<Value>, _> = text
        .lines()
        .filter(|line| !line.is_empty())
        .map(serde_json::from_str)
        .collect();
    let records = records.map_err(|error| format!("a line is no JSON: {error}"))?;
    Ok(Delivery {
        authorization: header("authorization").to_owned(),
        records,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_json_lines_and_refuses_anything_else() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer t".parse().unwrap());
        let delivery = read(&headers, b"{\"message\":\"a\"}\n\n{\"message\":\"b\"}\n").unwrap();
        assert_eq!(
            (delivery.records.len(), delivery.authorization.as_str()),
            (2, "Bearer t")
        );
        assert!(read(&headers, b"not json\n").unwrap_err().contains("no JSON"));
    }
}
