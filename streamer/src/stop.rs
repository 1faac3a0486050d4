//! The signals that end the streamer, and waiting that they interrupt.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};

/// Knows whether SIGTERM or SIGINT has come.
#[derive(Debug)]
pub struct StopSignal {
    requested: Arc<AtomicBool>,
    woken: UnixStream,
}

impl StopSignal {
    /// Handles both signals from now on. The first process of a container ignores them otherwise.
    pub fn install() -> io::Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        let (woken, wake) = UnixStream::pair()?;
        for signal in [SIGTERM, SIGINT] {
            // In this order: whoever is woken finds it requested.
            signal_hook::flag::register(signal, Arc::clone(&requested))?;
            signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(Self { requested, woken })
    }

    /// Whether a signal has come.
    pub fn is_requested(&self) -> bool {
        self.requested.load(Ordering::SeqCst)
    }

    /// Waits for `duration`, or until a signal comes.
    pub fn wait(&mut self, duration: Duration) {
        // A timeout of zero would mean for ever.
        let duration = duration.max(Duration::from_millis(1));
        let waited = self
            .woken
            .set_read_timeout(Some(duration))
            .and_then(|()| self.woken.read(&mut [0; 8]));
        match waited {
            Ok(_) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            // Never without a pause, whatever is wrong with the socket.
            Err(_) => std::thread::sleep(duration),
        }
    }
}
