//! The two directions of a socket: messages in, messages out, and who does not take them.
//!
//! Beside the buffers of the system there is a window. Every 64 KiB a WebSocket ping goes along, which every client answers by
//! itself; what is not answered yet is at most half a megabyte. So a client that does not read holds little of the system's
//! memory, and there is room left to tell it why it is cut off.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, ReadHalf, WriteHalf};
use tokio::time::Instant;

use super::end::End;
use super::pack::Packer;
use super::unpack::{Message, Unpacker};

/// Bytes that are read at once, to the stack. 8 KiB: most messages.
const READ_BYTES: usize = 8 << 10;

/// Pieces that are written at once. 64: the heads and texts of 32 frames.
const PIECES_MAX: usize = 64;

/// Bytes sent after which a ping goes along.
const MARK_EVERY: u64 = 64 << 10;

/// Bytes sent that need not be answered yet. 512 KiB: 2.5 MB each second to the other side of the world.
const WINDOW_BYTES: u64 = 512 << 10;

/// Bytes that wait to be written at which no more are made. 64 KiB: what is worth one call of the system.
const WAITING_BYTES_MAX: usize = 64 << 10;

/// How long a client may take nothing of what waits for it. 6 s: with the time to notice and to say so it is below 15 s.
const STALL_MAX: Duration = Duration::from_secs(6);

/// Bytes a second that a line takes at least. 32 KiB: a large record goes through a line as slow as that before it counts as
/// not taken.
const BYTES_PER_S_MIN: u64 = 32 << 10;

/// How long a farewell may take, and its answer.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long one who did not read may take to find the farewell. 30 s: a connection that is let go earlier is reset by the first
/// thing its client sends, and what the client has not read is lost.
const LATE_FAREWELL: Duration = Duration::from_secs(30);

/// A connection that was upgraded.
type Socket = TokioIo<Upgraded>;

/// What comes in.
pub(super) struct Reader<T = Socket> {
    io: ReadHalf<T>,
    /// What was read and is not unpacked yet.
    rest: Bytes,
    unpacker: Unpacker,
}

/// What goes out.
pub(super) struct Writer<T = Socket> {
    io: WriteHalf<T>,
    waiting: Packer,
    n_sent: u64,
    n_answered: u64,
    /// Marks on their way: what each says, and up to where it stands.
    marks: VecDeque<(u64, u64)>,
    n_marked: u64,
    n_marks: u64,
    /// Makes what marks say, so that nobody can answer one without having read it.
    secret: RandomState,
    /// Whether something was handed over that may not have left yet.
    is_dirty: bool,
    /// When something was taken last, while something waits.
    moved_at: Instant,
}

/// Speaks WebSocket on a connection that was upgraded.
pub(super) fn open<T: AsyncRead + AsyncWrite>(upgraded: T) -> (Reader<T>, Writer<T>) {
    let (reading, writing) = tokio::io::split(upgraded);
    let writer = Writer {
        io: writing,
        waiting: Packer::default(),
        n_sent: 0,
        n_answered: 0,
        marks: VecDeque::new(),
        n_marked: 0,
        n_marks: 0,
        secret: RandomState::new(),
        is_dirty: false,
        moved_at: Instant::now(),
    };
    (Reader { io: reading, rest: Bytes::new(), unpacker: Unpacker::default() }, writer)
}

impl<T: AsyncRead> Reader<T> {
    /// The next message. It may be dropped at any time.
    pub(super) async fn next(&mut self) -> Result<Message, End> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, End>> {
        loop {
            if let Some(message) = self.unpack_rest()? {
                return Poll::Ready(Ok(message));
            }
            let mut scratch = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            let read = ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer));
            let mut bytes = buffer.filled();
            if read.is_err() || bytes.is_empty() {
                return Poll::Ready(Err(End::Gone));
            }
            let unpacked = self.unpacker.unpack(&mut bytes)?;
            self.rest = Bytes::copy_from_slice(bytes);
            if let Some(message) = unpacked {
                return Poll::Ready(Ok(message));
            }
        }
    }

    fn unpack_rest(&mut self) -> Result<Option<Message>, End> {
        let mut bytes = &self.rest[..];
        let unpacked = self.unpacker.unpack(&mut bytes);
        let n_left = bytes.len();
        self.rest.advance(self.rest.len() - n_left);
        if n_left == 0 {
            self.rest = Bytes::new();
        }
        unpacked
    }

    /// Whether a message has begun that is not whole.
    pub(super) fn is_within_message(&self) -> bool {
        self.unpacker.is_within_message()
    }

    /// Reads on until the other side has said farewell, so that ours is not lost with what they sent before.
    async fn drain(&mut self) {
        loop {
            match self.next().await {
                Ok(Message::Close(_)) | Err(End::Gone) => return,
                Ok(_) => {}
                // What comes after that cannot be understood.
                Err(_) => (self.rest, self.unpacker) = (Bytes::new(), Unpacker::default()),
            }
        }
    }
}

impl<T: AsyncWrite> Writer<T> {
    /// Has a text sent that was written for this connection.
    pub(super) fn tell(&mut self, text: String) {
        self.tell_shared(text.into());
    }

    /// Has a text sent that others are sent, too. It is neither copied nor looked at for it.
    pub(super) fn tell_shared(&mut self, text: Bytes) {
        if !self.has_waiting() {
            self.moved_at = Instant::now();
        }
        self.n_sent += text.len() as u64;
        self.waiting.text(text);
        if self.n_sent - self.n_marked >= MARK_EVERY {
            self.mark();
        }
    }

    /// Answers a ping.
    pub(super) fn answer(&mut self, ping: Bytes) {
        self.waiting.pong(ping);
    }

    /// Asks the client to say that it has come as far as this.
    pub(super) fn mark(&mut self) {
        self.n_marks += 1;
        let says = self.secret.hash_one(self.n_marks);
        self.n_marked = self.n_sent;
        self.marks.push_back((says, self.n_sent));
        self.waiting.ping(Bytes::copy_from_slice(&says.to_be_bytes()));
    }

    /// Whether this answers a mark: then the client has come as far as that. Who is late may answer the newest alone.
    pub(super) fn answered(&mut self, mark: &[u8]) -> bool {
        let said = mark.try_into().map(u64::from_be_bytes).ok();
        let found = self.marks.iter().position(|(says, _)| said == Some(*says));
        let Some((_, place)) = found.and_then(|idx| self.marks.drain(..=idx).next_back()) else {
            return false;
        };
        (self.n_answered, self.moved_at) = (place, Instant::now());
        if self.marks.is_empty() {
            self.marks = VecDeque::new();
        }
        true
    }

    /// Whether answers may be handed over. They do not wait for the window: what opens it comes behind what they answer.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.n_bytes() < WAITING_BYTES_MAX
    }

    /// Whether news may be handed over.
    pub(super) fn takes_news(&self) -> bool {
        self.has_room() && !self.is_window_full()
    }

    fn is_window_full(&self) -> bool {
        self.n_sent - self.n_answered >= WINDOW_BYTES
    }

    fn has_waiting(&self) -> bool {
        self.is_dirty || !self.waiting.is_empty() || self.is_window_full()
    }

    /// Whether the client has taken nothing for too long.
    pub(super) fn is_stalled(&self) -> bool {
        let n_beyond = (self.n_sent - self.n_answered).saturating_sub(WINDOW_BYTES);
        self.has_waiting()
            && self.moved_at.elapsed() >= STALL_MAX + Duration::from_secs(n_beyond / BYTES_PER_S_MIN)
    }

    /// Writes what waits. Ready when there is room again where there was none; with room, only when it fails. It may be dropped at
    /// any time, and must be called again then.
    pub(super) async fn drive(&mut self) -> Result<(), End> {
        let had_room = self.has_room();
        poll_fn(|cx| match self.poll_written(cx) {
            Poll::Ready(Err(_)) => Poll::Ready(Err(End::Gone)),
            _ if !had_room && self.has_room() => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        })
        .await
    }

    /// Says farewell, or answers theirs. What waits is said before only to those who did something wrong: it tells them what.
    async fn say(&mut self, end: End) -> io::Result<()> {
        if end.is_misuse() {
            poll_fn(|cx| self.poll_written(cx)).await?;
        }
        self.waiting.clear();
        if let Some(content) = end.content() {
            self.waiting.close(content);
        }
        poll_fn(|cx| self.poll_written(cx)).await
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let mut pieces = [IoSlice::new(&[]); PIECES_MAX];
            let n_pieces = self.waiting.fill(&mut pieces);
            let n_written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, &pieces[..n_pieces]))?;
            if n_written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(n_written);
            (self.is_dirty, self.moved_at) = (true, Instant::now());
        }
        if self.is_dirty {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            (self.is_dirty, self.moved_at) = (false, Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

/// Says why, and lets go.
pub(super) async fn close<T: AsyncRead + AsyncWrite>(mut reader: Reader<T>, mut writer: Writer<T>, end: End) {
    let said = tokio::time::timeout(FAREWELL, writer.say(end)).await;
    if matches!(said, Ok(Ok(()))) && matches!(end, End::Closed(..)) {
        let patience = if end == End::SLOW { LATE_FAREWELL } else { FAREWELL };
        // Who does not listen is not waited for.
        let _ = tokio::time::timeout(patience, reader.drain()).await;
    }
}

#[cfg(test)]
mod tests;
