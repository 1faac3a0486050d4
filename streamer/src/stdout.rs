//! Standard output: it may block for as long as its reader likes, but not beyond the time that is left after SIGTERM.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::signals::wait_to_write;

/// How long a wait for the reader lasts before it is seen whether to go on waiting: one wakeup a second.
const WAIT: Duration = Duration::from_secs(1);
/// As much as a pipe takes at once when it says that it can take something (pipe(7)).
const PIPE_ATOMIC: usize = 4096;

/// Standard output without the standard library's buffer, which would copy every byte once more.
#[derive(Debug)]
pub struct Stdout {
    file: File,
    /// Bytes that are written at once; for a pipe that blocks, no more than it takes.
    at_once: usize,
    stop: Arc<AtomicBool>,
    grace: Duration,
    stopped: Option<Instant>,
}

impl Stdout {
    /// Standard output, for at most `grace` after `stop` has become true.
    pub fn open(stop: Arc<AtomicBool>, grace: Duration) -> io::Result<Self> {
        let inherited = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let is_pipe = inherited.metadata()?.file_type().is_fifo();
        // A description of our own: setting the one that was inherited not to block would change it for others that have it too.
        let own = is_pipe.then(|| {
            OpenOptions::new()
                .write(true)
                .custom_flags(libc::O_NONBLOCK)
                .open(format!("/proc/self/fd/{}", inherited.as_raw_fd()))
        });
        let (file, at_once) = match own {
            Some(Ok(own)) => (own, usize::MAX),
            Some(Err(_)) => (inherited, PIPE_ATOMIC),
            None => (inherited, usize::MAX),
        };
        Ok(Self {
            file,
            at_once,
            stop,
            grace,
            stopped: None,
        })
    }

    fn is_time_over(&mut self) -> bool {
        if !self.stop.load(Ordering::SeqCst) {
            return false;
        }
        let stopped = *self.stopped.get_or_insert_with(Instant::now);
        stopped.elapsed() >= self.grace
    }
}

impl Write for Stdout {
    /// Writes some of `bytes`, waiting for the reader.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when the time after SIGTERM is over; otherwise those of write(2).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = &bytes[..bytes.len().min(self.at_once)];
        if self.at_once != usize::MAX {
            wait_to_write(&self.file, WAIT);
        }
        loop {
            match self.file.write(some) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.is_time_over() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    wait_to_write(&self.file, WAIT.min(self.grace.max(Duration::from_millis(1))));
                }
                // A full disk, say, on which the caller tries again.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe && self.is_time_over() => {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
