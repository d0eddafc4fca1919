//! A socket whose peer has to go on taking what it is sent.
//!
//! A peer that sends requests and never reads the answers fills the buffers of the system, and then its connection waits to
//! write. No clock for heads or bodies runs then, so it would be kept for ever.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Fails with `TimedOut` when nothing could be written for the whole of `timeout`. Every byte that is taken begins it anew.
#[derive(Debug)]
pub(super) struct Moving<T> {
    inner: T,
    timeout: Duration,
    /// Runs while something waits to be written.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<T> Moving<T> {
    pub(super) fn new(inner: T, timeout: Duration) -> Self {
        Self { inner, timeout, stalled: None }
    }

    fn watch<R>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let timeout = self.timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing of what it is sent")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Moving<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Moving<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.watch(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write_vectored(cx, bufs);
        self.watch(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        // A socket of the system has always flushed, whatever its peer does: that is no progress.
        if polled.is_ready() { polled } else { self.watch(cx, polled) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.watch(cx, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::{Instant, sleep};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn who_takes_nothing_is_cut_off_and_who_takes_a_byte_now_and_then_is_not() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = Moving::new(near, TIMEOUT);
        let begun = Instant::now();
        let writing = async { tokio::time::timeout(9 * TIMEOUT, near.write_all(&[0; 12])).await };
        let reading = async {
            for _ in 0..4 {
                sleep(TIMEOUT - Duration::from_secs(1)).await;
                far.read_u8().await.unwrap();
            }
            far
        };
        let (written, _far) = tokio::join!(writing, reading);
        assert_eq!(written.expect("an end").unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(begun.elapsed().as_secs(), 4 * 29 + 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_nothing_waits_to_be_sent_may_be_silent() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = Moving::new(near, TIMEOUT);
        for _ in 0..3 {
            near.write_all(&[0; 4]).await.unwrap();
            far.read_exact(&mut [0; 4]).await.unwrap();
            sleep(2 * TIMEOUT).await;
        }
    }
}
