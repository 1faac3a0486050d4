//! A backend that keeps the numbers of lines, and can be away.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum_server::Handle;
use jiff::Timestamp;
use serde::Deserialize;

use crate::tally::Numbering;

/// Largest request body that is taken, in bytes.
const BODY_LIMIT: usize = 64 << 20;

/// A line that has arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Its number.
    pub number: u64,
    /// Milliseconds between being printed and having arrived.
    pub delay: i64,
}

/// What a record has of what is looked at.
#[derive(Deserialize)]
struct Record {
    time: Timestamp,
    message: String,
}

type Arrivals = Arc<Mutex<Vec<Arrival>>>;

/// A server of its own address; it refuses connections while it is away.
pub struct Receiver {
    address: SocketAddr,
    arrivals: Arrivals,
    server: Option<Handle<SocketAddr>>,
}

impl Receiver {
    /// One that is there.
    pub fn start() -> anyhow::Result<Self> {
        let mut receiver = Self {
            address: ([127, 0, 0, 1], 0).into(),
            arrivals: Arrivals::default(),
            server: None,
        };
        receiver.come_back()?;
        Ok(receiver)
    }

    /// Serves again, at the same address.
    pub fn come_back(&mut self) -> anyhow::Result<()> {
        let listener =
            TcpListener::bind(self.address).with_context(|| format!("listening on {}", self.address))?;
        listener.set_nonblocking(true)?;
        self.address = listener.local_addr()?;
        let router = Router::new()
            .fallback(receive)
            .layer(DefaultBodyLimit::max(BODY_LIMIT))
            .with_state(Arc::clone(&self.arrivals));
        let handle = Handle::new();
        let server = axum_server::from_tcp(listener)?.handle(handle.clone());
        tokio::spawn(server.serve(router.into_make_service()));
        self.server = Some(handle);
        Ok(())
    }

    /// Ends every connection, and refuses new ones.
    pub fn go_away(&mut self) {
        if let Some(server) = self.server.take() {
            server.shutdown();
        }
    }

    /// Where records are to be sent.
    pub fn url(&self) -> String {
        format!("http://{}/lines", self.address)
    }

    /// Everything that has arrived, in its order.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.arrivals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many have arrived.
    pub fn count(&self) -> usize {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.go_away();
    }
}

async fn receive(State(arrivals): State<Arrivals>, body: Bytes) -> (StatusCode, String) {
    match read(&body) {
        Ok(read) => {
            arrivals
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .extend(read);
            (StatusCode::OK, String::new())
        }
        // The agent tries again without end, and the case fails for what it did not get.
        Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{problem:#}")),
    }
}

fn read(body: &[u8]) -> anyhow::Result<Vec<Arrival>> {
    let now = Timestamp::now().as_millisecond();
    body.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            let record: Record = serde_json::from_slice(line).context("a line is no record")?;
            let number = Numbering::Leading.number(&record.message);
            Ok(Arrival {
                number: number.with_context(|| format!("no number: {}", record.message))?,
                delay: now - record.time.as_millisecond(),
            })
        })
        .collect()
}
