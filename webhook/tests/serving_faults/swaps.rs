//! Certificates and replicas are replaced by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use tributary_webhook_load::client::Connection;
use tributary_webhook_load::pair::{Pair, trusting};
use tributary_webhook_load::process::Ports;

use crate::callers::{Callers, Endpoints};
use crate::row::Row;
use crate::stage::{FOR_EVER, api_server, start, start_on};

const SWAPS: usize = 50;
/// Longest time until a written certificate is served; a mounted Secret would take a minute.
const SERVED_WITHIN: Duration = Duration::from_secs(5);
/// How often the kubelet's probe and the endpoints behind it are looked at here.
const PROBE_EVERY: Duration = Duration::from_millis(200);
/// Load on the new replica before the other one goes.
const BETWEEN: Duration = Duration::from_secs(1);

/// Fifty certificates, one after the other, each served before the next is written.
pub fn certificates() -> anyhow::Result<Row> {
    let pairs: Vec<Pair> = (0..=SWAPS).map(|_| Pair::new()).collect::<Result<_, _>>()?;
    let tls = trusting(&pairs.iter().collect::<Vec<_>>())?;
    let api_server = api_server(pairs[0].clone())?;
    let webhook = start(&api_server)?;
    let endpoints = Endpoints::default();
    endpoints.set(vec![webhook.address()]);
    // Some connections are as old as the first certificate, most are new.
    let (old, new) = (
        Callers::start(&endpoints, &tls, FOR_EVER),
        Callers::start(&endpoints, &tls, 3),
    );
    let mut longest = Duration::ZERO;
    for pair in &pairs[1..] {
        api_server.rotate(pair.clone());
        let written = Instant::now();
        while !Connection::open(webhook.address(), &tls)?.is_with(pair) {
            ensure!(written.elapsed() < SERVED_WITHIN, "a certificate is not served");
        }
        longest = longest.max(written.elapsed());
    }
    let mut admissions = old.stop();
    let others = new.stop();
    admissions.tried += others.tried;
    admissions.right += others.right;
    admissions.longest = admissions.longest.max(others.longest);
    admissions.failures.extend(others.failures);
    Ok(Row {
        done: format!("{SWAPS} certificates written to the Secret, one after the other"),
        met: format!("each served within {} ms", longest.as_millis()),
        admissions,
    })
}

/// SIGTERM and a new start for one of two replicas, then for the other.
pub fn replicas() -> anyhow::Result<Row> {
    let pair = Pair::new()?;
    let tls = trusting(&[&pair])?;
    let api_server = api_server(pair)?;
    let ports = [Ports::find()?, Ports::find()?];
    let endpoints = Endpoints::default();
    let mut replicas = [
        Some(start_on(&api_server, ports[0])?),
        Some(start_on(&api_server, ports[1])?),
    ];
    endpoints.set(ports.map(|ports| ports.listen).to_vec());
    let watching = Watching::start(endpoints.clone(), ports);
    let callers = Callers::start(&endpoints, &tls, FOR_EVER);
    let mut ends = Vec::new();
    for (replica, ports) in replicas.iter_mut().zip(ports) {
        thread::sleep(BETWEEN);
        if let Some(mut old) = replica.take() {
            let asked = Instant::now();
            old.terminate()?;
            let status = old.wait()?;
            ensure!(
                status.success(),
                "the replica ended with {status}:\n{}",
                old.log()
            );
            ends.push(format!("{:.1} s", asked.elapsed().as_secs_f64()));
        }
        *replica = Some(start_on(&api_server, ports)?);
    }
    thread::sleep(BETWEEN);
    let admissions = callers.stop();
    watching.stop();
    Ok(Row {
        done: "SIGTERM and a new start for one of two replicas, then for the other".to_owned(),
        met: format!("each ended by itself, after {}", ends.join(" and ")),
        admissions,
    })
}

/// Keeps the endpoints as the probes say.
struct Watching {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Watching {
    fn start(endpoints: Endpoints, replicas: [Ports; 2]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let ready = replicas.iter().filter(|ports| ports.are_ready());
                endpoints.set(ready.map(|ports| ports.listen).collect());
                thread::sleep(PROBE_EVERY);
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("looking at probes does not panic");
    }
}
