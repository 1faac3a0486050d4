//! Waiting for an API server.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kube::Client;

use crate::{daemon, error::Error};

/// How often a starting server is asked.
const POLL: Duration = Duration::from_millis(50);
/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Asks `/readyz` until it says yes.
///
/// `alive` is called between the questions: its error ends the wait, for instance when the process has ended.
/// A server that is not ready after `patience` is an error with its last answer and the end of its `log`.
pub(crate) async fn api_server(
    client: &Client,
    patience: Duration,
    mut alive: impl FnMut() -> Result<(), Error>,
    log: &Path,
) -> Result<(), Error> {
    let deadline = Instant::now() + patience;
    loop {
        let answer = match tokio::time::timeout(ANSWER, ask(client)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
        };
        alive()?;
        if Instant::now() > deadline {
            let problem = format!("is not ready after {} s ({answer})", patience.as_secs());
            return Err(daemon::not_ready("kube-apiserver", problem, log));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn ask(client: &Client) -> Result<(), kube::Error> {
    let request = http::Request::get("/readyz")
        .body(Vec::new())
        .map_err(kube::Error::HttpError)?;
    client.request_text(request).await.map(drop)
}
