//! Standard output, which never keeps anybody waiting: what its reader does not take is written later.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use crate::signals::can_write;

/// As much as a pipe takes at once when it says that it can take something (pipe(7)).
const PIPE_ATOMIC: usize = 4096;

/// Standard output without the standard library's buffer, which would copy every byte once more.
#[derive(Debug)]
pub struct Stdout {
    file: File,
    /// Whether a write waits for the reader unless it was asked before.
    waits: bool,
}

impl Stdout {
    /// Standard output.
    ///
    /// # Errors
    /// When there is none, or no descriptor is left.
    pub fn open() -> io::Result<Self> {
        let inherited = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        let kind = inherited.metadata()?.file_type();
        if !kind.is_fifo() && !kind.is_socket() && !inherited.is_terminal() {
            return Ok(Self {
                file: inherited,
                waits: false,
            });
        }
        // A description of our own: setting the one that was inherited not to block would change it for others that have it too.
        let own = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(format!("/proc/self/fd/{}", inherited.as_raw_fd()));
        Ok(match own {
            Ok(file) => Self { file, waits: false },
            // A socket, or one that belongs to another user.
            Err(_) => Self {
                file: inherited,
                waits: true,
            },
        })
    }
}

impl AsFd for Stdout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Write for Stdout {
    /// Writes as much of `bytes` as the reader takes now.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when that is nothing; otherwise those of write(2).
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.waits {
            return self.file.write(bytes);
        }
        if !can_write(&self.file) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.file.write(&bytes[..bytes.len().min(PIPE_ATOMIC)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
