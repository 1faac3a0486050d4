//! The rival: the same HTTPS server, whose handler reads the body and answers a constant.

use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::header;
use axum::routing::post;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tributary_webhook::lifecycle::Phase;
use tributary_webhook::metrics::Metrics;
use tributary_webhook::server::{self, ConnectionLimits};
use tributary_webhook::tls::Certificate;
use tributary_webhook_load::Error;
use tributary_webhook_load::client::{Answer, Connection};
use tributary_webhook_load::pair::{Pair, trusting};
use tributary_webhook_load::process::Ports;
use tributary_webhook_load::review::Review;

/// Makes this program be the rival.
pub const ARGUMENT: &str = "rival";
/// The shortest answer that the API server would take.
const ANSWER: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"7b6f0c1e-52f0-4a3b-0000-000000000000","allowed":true}}"#;
const START: Duration = Duration::from_secs(10);

/// The rival as a process, killed when this value ends.
pub struct Rival {
    child: Child,
    address: SocketAddr,
}

impl Rival {
    /// Starts it and waits until it serves.
    pub fn start(pair: &Pair) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let paths = [("certificate", &pair.certificate), ("key", &pair.key)].map(|(name, pem)| {
            let path = directory.path().join(name);
            std::fs::write(&path, pem).map(|()| path)
        });
        let [certificate, key] = paths;
        let address = Ports::find()?.listen;
        let child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .arg(address.to_string())
            .args([certificate?, key?])
            .stdin(Stdio::null())
            .spawn()
            .context("starting the rival")?;
        let rival = Self { child, address };
        let tls = trusting(&[pair])?;
        let started = Instant::now();
        while Connection::open(address, &tls).is_err() {
            ensure!(started.elapsed() < START, "the rival does not serve");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(rival)
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether an answer is the constant.
pub fn check(_: &mut Review, number: u64, answer: &Answer<'_>) -> Result<(), Error> {
    if answer.status == 200 && answer.body == ANSWER.as_bytes() {
        return Ok(());
    }
    Err(Error::WrongAnswer {
        uid: number.to_string(),
        problem: "it is not the rival's constant".to_owned(),
    })
}

/// The rival itself.
pub fn main(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mut next = || arguments.next().context("ADDRESS CERTIFICATE KEY");
    let options = (|| anyhow::Ok((next()?.parse()?, std::fs::read(next()?)?, std::fs::read(next()?)?)))();
    let ended = options.and_then(|(address, certificate, key)| serve(address, &certificate, &key));
    if let Err(error) = ended {
        eprintln!("the rival ended: {error:#}");
    }
    ExitCode::FAILURE
}

#[tokio::main]
async fn serve(address: SocketAddr, certificate: &[u8], key: &[u8]) -> anyhow::Result<()> {
    let served = Certificate::default();
    served.replace(certificate, key)?;
    let router = Router::new().route(
        "/mutate",
        post(async |body: Bytes| {
            std::hint::black_box(body);
            ([(header::CONTENT_TYPE, "application/json")], ANSWER)
        }),
    );
    let (_phase, phases) = watch::channel(Phase::Serving);
    server::serve(
        TcpListener::bind(address).await?,
        served.server_config()?,
        router,
        ConnectionLimits::default(),
        Metrics::default(),
        phases,
        Duration::ZERO,
    )
    .await;
    Ok(())
}
