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
    /// The descriptor that was waited for has something.
    ByDescriptor,
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

    /// What becomes true when SIGTERM or SIGINT comes.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Whether SIGUSR1 has come since this was asked last.
    pub fn take_status_request(&self) -> bool {
        self.status.swap(false, Ordering::SeqCst)
    }

    /// Waits for `duration`, until a signal comes, or until `descriptor` has something to read.
    pub fn wait(&mut self, duration: Duration, descriptor: Option<BorrowedFd<'_>>) -> Woken {
        // Without a descriptor, the second stands for the first again, and is looked at after it.
        let second = descriptor.unwrap_or(self.woken.as_fd());
        let mut both = [
            PollFd::new(&self.woken, PollFlags::IN),
            PollFd::from_borrowed_fd(second, PollFlags::IN),
        ];
        let polled = poll_for(&mut both, duration).map(|()| both.map(|descriptor| descriptor.revents()));
        match polled {
            Ok([signal, _]) if !signal.is_empty() => {
                // How many bytes there are says nothing: the flags tell what came.
                let _ = self.woken.read(&mut [0; 64]);
                Woken::BySignal
            }
            Ok([_, readable]) if !readable.is_empty() => Woken::ByDescriptor,
            Ok(_) => Woken::ByTime,
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

/// Waits until `descriptor` takes bytes, a signal comes, or `duration` is over.
pub fn wait_to_write(descriptor: &impl AsFd, duration: Duration) {
    let mut alone = [PollFd::new(descriptor, PollFlags::OUT)];
    if let Err(error) = poll_for(&mut alone, duration)
        && error != rustix::io::Errno::INTR
    {
        std::thread::sleep(duration);
    }
}
