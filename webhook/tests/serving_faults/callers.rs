//! Clients that behave as the API server: they keep connections, go to a replica that is ready, and try nothing twice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tributary_webhook_load::Error;
use tributary_webhook_load::client::Connection;
use tributary_webhook_load::review::Review;

use crate::row::Admissions;

const CALLERS: usize = 4;
/// A caller asks again after this long: pods do not come without a pause, and the machine has more to do in these tests.
const PAUSE: Duration = Duration::from_millis(2);
/// So many failures are told.
const TOLD: usize = 5;

/// Where the Service leads: the replicas that are ready, as far as their node has heard.
#[derive(Clone, Default)]
pub struct Endpoints(Arc<RwLock<Vec<SocketAddr>>>);

impl Endpoints {
    /// From now on new connections go to these.
    pub fn set(&self, ready: Vec<SocketAddr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = ready;
    }

    fn pick(&self, turn: u64) -> Option<SocketAddr> {
        let ready = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let turn = usize::try_from(turn).unwrap_or(0);
        ready.get(turn.checked_rem(ready.len())?).copied()
    }
}

/// Callers at work, until they are asked for what they saw.
pub struct Callers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Admissions>>,
}

impl Callers {
    /// Begins. Each connection serves so many requests; with a few, most of them begin with a handshake.
    pub fn start(endpoints: &Endpoints, tls: &Arc<ClientConfig>, requests_of_a_connection: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let numbers = Arc::new(AtomicU64::new(1));
        let threads = (0..CALLERS).map(|_| {
            let mut caller = Caller {
                endpoints: endpoints.clone(),
                tls: Arc::clone(tls),
                review: Review::of_size(4_000, "namespace-00000"),
                connection: None,
                requests_of_a_connection,
            };
            let (stop, numbers) = (Arc::clone(&stop), Arc::clone(&numbers));
            thread::spawn(move || caller.until(&stop, &numbers))
        });
        let threads = threads.collect();
        Self { stop, threads }
    }

    /// Ends, and tells what became of all admissions.
    pub fn stop(self) -> Admissions {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Admissions::default();
        for thread in self.threads {
            let one = thread.join().expect("a caller does not panic");
            all.tried += one.tried;
            all.right += one.right;
            all.longest = all.longest.max(one.longest);
            all.failures.extend(one.failures);
        }
        all.failures.truncate(TOLD);
        all
    }
}

struct Caller {
    endpoints: Endpoints,
    tls: Arc<ClientConfig>,
    review: Review,
    connection: Option<(Connection, u64)>,
    requests_of_a_connection: u64,
}

impl Caller {
    fn until(&mut self, stop: &AtomicBool, numbers: &AtomicU64) -> Admissions {
        let mut admissions = Admissions::default();
        while !stop.load(Ordering::Relaxed) {
            let number = numbers.fetch_add(1, Ordering::Relaxed);
            let started = Instant::now();
            admissions.tried += 1;
            match self.admit(number) {
                Ok(()) => {
                    admissions.right += 1;
                    admissions.longest = admissions.longest.max(started.elapsed());
                }
                Err(error) => {
                    self.connection = None;
                    if admissions.failures.len() < TOLD {
                        admissions.failures.push(error.to_string());
                    }
                }
            }
            thread::sleep(PAUSE);
        }
        admissions
    }

    fn admit(&mut self, number: u64) -> Result<(), Error> {
        let kept = self
            .connection
            .take()
            .filter(|(_, served)| *served < self.requests_of_a_connection);
        let kept = kept
            .and_then(|(mut connection, served)| (!connection.is_closed()).then_some((connection, served)));
        let (mut connection, served) = if let Some(kept) = kept {
            kept
        } else {
            let nobody = || std::io::Error::other("no replica is ready");
            let address = self.endpoints.pick(number).ok_or_else(nobody)?;
            (Connection::open(address, &self.tls)?, 0)
        };
        let answer = connection.exchange(self.review.request(number))?;
        let closes = answer.closes;
        self.review.check(number, &answer)?;
        if !closes {
            self.connection = Some((connection, served + 1));
        }
        Ok(())
    }
}
