//! A socket that holds its slot, and that closes without cutting off its last answer.
//!
//! Closing a socket that still has unread bytes makes the kernel send a reset, and a reset may reach the
//! client before it has read the answer that says why. So after the last answer the socket stops writing
//! and throws away what still comes in, for a bounded time and amount.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::client::Holding;

/// How long a closing socket is drained. 2 s: one round trip and a client that finishes its write.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How much a closing socket may still send. 32 MiB: a few of the largest bodies.
const LINGER_BYTES_MAX: usize = 32 << 20;

/// Bytes thrown away per read; on the stack.
const SCRATCH_BYTES: usize = 8 << 10;

#[derive(Debug)]
pub(super) struct PeerStream<T> {
    inner: T,
    linger: Option<Linger>,
    /// Lives as long as the socket, also when an upgrade has taken it from HTTP.
    _slot: Holding,
}

#[derive(Debug)]
struct Linger {
    end: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<T> PeerStream<T> {
    pub(super) fn new(inner: T, slot: Holding) -> Self {
        Self { inner, linger: None, _slot: slot }
    }
}

impl Linger {
    fn start() -> Self {
        Self { end: Box::pin(tokio::time::sleep(LINGER_TIMEOUT)), bytes_left: LINGER_BYTES_MAX }
    }

    /// Ready when the peer has closed, failed, sent too much or taken too long.
    fn poll_drained<T: AsyncRead + Unpin>(&mut self, cx: &mut Context<'_>, inner: &mut T) -> Poll<()> {
        let mut scratch = [0; SCRATCH_BYTES];
        while self.bytes_left > 0 && self.end.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(&mut *inner).poll_read(cx, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for PeerStream<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for PeerStream<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
        }
        let linger = this.linger.get_or_insert_with(Linger::start);
        linger.poll_drained(cx, &mut this.inner).map(Ok)
    }
}
