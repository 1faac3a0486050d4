//! A limit to the time that a request's head may take, once it has begun.
//!
//! HTTP servers usually limit the time until a head is complete, idle time included. The API server keeps connections for
//! later use, and a connection that is closed just when it uses it costs an admission, so idle time must stay free.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Where a connection is: even while no request is worked on, odd while one is.
#[derive(Clone, Debug, Default)]
pub struct RequestClock(Arc<AtomicU64>);

impl RequestClock {
    /// A head is complete.
    pub fn begin(&self) {
        self.0.fetch_or(1, Ordering::Relaxed);
    }

    /// The request was answered.
    pub fn end(&self) {
        // From odd to the next even number; an even one stays.
        let now = self.0.load(Ordering::Relaxed);
        self.0.store(now + (now & 1), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection whose reads fail when a head has begun and is not complete in time.
pub struct HeadDeadline<S> {
    inner: S,
    clock: RequestClock,
    limit: Duration,
    /// For the head that began at this reading of the clock.
    running: Option<(u64, Pin<Box<Sleep>>)>,
}

impl<S> HeadDeadline<S> {
    /// Guards a connection.
    pub fn new(inner: S, clock: RequestClock, limit: Duration) -> Self {
        Self {
            inner,
            clock,
            limit,
            running: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for HeadDeadline<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let now = this.clock.read();
        let read = Pin::new(&mut this.inner).poll_read(cx, buffer);
        if this.running.as_ref().is_some_and(|(began, _)| *began != now) {
            this.running = None;
        }
        let between_requests = now & 1 == 0;
        if between_requests && this.running.is_none() && buffer.filled().len() > before {
            this.running = Some((now, Box::pin(sleep(this.limit))));
        }
        if let Some((_, deadline)) = &mut this.running
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the head of a request took too long",
            )));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for HeadDeadline<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_head_that_never_ends_fails() {
        let (mut client, server) = duplex(64);
        let mut guarded = HeadDeadline::new(server, RequestClock::default(), LIMIT);
        client.write_all(b"POST").await.unwrap();
        let mut read = Vec::new();
        let error = guarded.read_to_end(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(read, b"POST");
    }

    #[tokio::test]
    async fn idling_and_slow_bodies_do_not() {
        let (mut client, server) = duplex(64);
        let clock = RequestClock::default();
        let mut guarded = HeadDeadline::new(server, clock.clone(), LIMIT);
        let mut byte = [0];
        for _ in 0..3 {
            tokio::time::sleep(LIMIT * 10).await;
            client.write_all(b"h").await.unwrap();
            guarded.read_exact(&mut byte).await.unwrap();
            clock.begin();
            tokio::time::sleep(LIMIT * 2).await;
            client.write_all(b"b").await.unwrap();
            guarded.read_exact(&mut byte).await.unwrap();
            clock.end();
        }
    }
}
