//! The signals that end the streamer or ask for its status, and waiting that they interrupt.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

/// Knows which signals have come.
#[derive(Debug)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    status: Arc<AtomicBool>,
    woken: UnixStream,
}

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// A signal came.
    BySignal,
    /// Something happened to a file or a name.
    ByEvent,
    /// The output takes bytes again.
    ByOutput,
    /// The time is over.
    ByTime,
}

impl Signals {
    /// Handles SIGTERM, SIGINT and SIGUSR1 from now on. The first process of a container ignores the first two otherwise.
    pub fn install() -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let status = Arc::new(AtomicBool::new(false));
        let (woken, wake) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        for (signal, flag) in [(SIGUSR1, &status), (SIGINT, &stop), (SIGTERM, &stop)] {
            // In this order: whoever is woken finds it requested.
            signal_hook::flag::register(signal, Arc::clone(flag))?;
            signal_hook::low_level::pipe::register(signal, wake.try_clone()?)?;
        }
        Ok(Self { stop, status, woken })
    }

    /// Whether SIGTERM or SIGINT has come.
    pub fn is_stop_requested(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Whether SIGUSR1 has come since this was asked last.
    pub fn take_status_request(&self) -> bool {
        self.status.swap(false, Ordering::SeqCst)
    }

    /// Waits for `duration`, until a signal comes, until `events` has something to read, or until `output` takes bytes.
    pub fn wait(
        &mut self,
        duration: Duration,
        events: Option<BorrowedFd<'_>>,
        output: Option<BorrowedFd<'_>>,
    ) -> Woken {
        // Without a descriptor, the first one stands in its place, which is looked at before the others.
        let signal = self.woken.as_fd();
        let mut all = [
            PollFd::from_borrowed_fd(signal, PollFlags::IN),
            PollFd::from_borrowed_fd(events.unwrap_or(signal), PollFlags::IN),
            match output {
                Some(output) => PollFd::from_borrowed_fd(output, PollFlags::OUT),
                None => PollFd::from_borrowed_fd(signal, PollFlags::IN),
            },
        ];
        let polled =
            poll_for(&mut all, duration).map(|()| all.map(|descriptor| !descriptor.revents().is_empty()));
        match polled {
            Ok([true, _, _]) => {
                // How many bytes there are says nothing: the flags tell what came.
                let _ = self.woken.read(&mut [0; 64]);
                Woken::BySignal
            }
            // Before events, of which there may be some all the time.
            Ok([false, _, true]) => Woken::ByOutput,
            Ok([false, true, false]) => Woken::ByEvent,
            Ok([false, false, false]) => Woken::ByTime,
            Err(rustix::io::Errno::INTR) => Woken::BySignal,
            // Never without a pause, whatever is wrong with the descriptors.
            Err(_) => {
                std::thread::sleep(duration);
                Woken::ByTime
            }
        }
    }
}

/// poll(2) with a timeout that is no longer than a `Timespec` can say.
fn poll_for(descriptors: &mut [PollFd<'_>], duration: Duration) -> rustix::io::Result<()> {
    let timeout = Timespec::try_from(duration).unwrap_or(Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    });
    poll(descriptors, Some(&timeout)).map(drop)
}

/// Whether `descriptor` takes bytes now, or fails at once.
pub fn can_write(descriptor: &impl AsFd) -> bool {
    let mut alone = [PollFd::new(descriptor, PollFlags::OUT)];
    poll_for(&mut alone, Duration::ZERO).is_ok() && !alone[0].revents().is_empty()
}
