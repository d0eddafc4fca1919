//! The two directions of a socket: messages in, messages out, and who does not take them.
//!
//! Beside the buffers of the system there is a window. Every 64 KiB a WebSocket ping goes along, which every client answers by
//! itself; what is not answered yet is at most half a megabyte. So a client that does not read holds little of the system's
//! memory, and there is room left to tell it why it is cut off.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{Sink, SinkExt, StreamExt};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::Error as SocketError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::MESSAGE_BYTES_MAX;
use super::end::End;
use super::meter::{Meter, Metered};

/// Bytes of the buffer in each direction. 4 KiB: ten thousand idle sockets are 40 MB.
const BUFFER_BYTES: usize = 4 << 10;

/// What a message may have beside its content: the heads of some dozens of fragments.
const FRAGMENTS_BYTES_MAX: usize = 1 << 10;

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

type Socket = WebSocketStream<Metered<TokioIo<Upgraded>>>;

/// A message of a client.
pub(super) enum Heard {
    Text(Message),
    /// Something that says no more than that they are there.
    Sign,
    /// The answer to a ping of ours, with what that said.
    Echo(Bytes),
}

/// What comes in.
pub(super) struct Reader {
    stream: SplitStream<Socket>,
    meter: Meter,
}

/// What goes out.
pub(super) struct Writer {
    sink: SplitSink<Socket, Message>,
    waiting: VecDeque<Message>,
    n_waiting_bytes: usize,
    n_sent: u64,
    n_answered: u64,
    /// Marks on their way: what each says, and up to where it stands.
    marks: VecDeque<(u64, u64)>,
    n_marked: u64,
    n_marks: u64,
    /// Makes what marks say, so that nobody can answer one without having read it.
    secret: RandomState,
    meter: Meter,
    /// Whether something was handed over that may not have left yet.
    is_dirty: bool,
    /// When something was taken last, while something waits.
    moved_at: Instant,
}

/// Speaks WebSocket on a connection that was upgraded.
pub(super) async fn open(upgraded: Upgraded) -> (Reader, Writer) {
    let meter = Meter::default();
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let io = Metered::new(TokioIo::new(upgraded), meter.clone());
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    let (sink, stream) = socket.split();
    let writer = Writer {
        sink,
        waiting: VecDeque::new(),
        n_waiting_bytes: 0,
        n_sent: 0,
        n_answered: 0,
        marks: VecDeque::new(),
        n_marked: 0,
        n_marks: 0,
        secret: RandomState::new(),
        meter: meter.clone(),
        is_dirty: false,
        moved_at: Instant::now(),
    };
    (Reader { stream, meter }, writer)
}

impl Reader {
    /// The next message. It may be dropped at any time.
    pub(super) async fn next(&mut self) -> Result<Heard, End> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Heard, End>> {
        let Poll::Ready(message) = self.stream.poll_next_unpin(cx) else {
            let is_endless = self.meter.n_bytes() > MESSAGE_BYTES_MAX + BUFFER_BYTES + FRAGMENTS_BYTES_MAX;
            return if is_endless { Poll::Ready(Err(End::TOO_BIG)) } else { Poll::Pending };
        };
        Poll::Ready(match message {
            None => Err(End::Gone),
            Some(Err(error)) => Err(End::broken(&error)),
            Some(Ok(message)) => self.heard(message),
        })
    }

    fn heard(&self, message: Message) -> Result<Heard, End> {
        // Other messages that were read along are counted, too.
        if self.meter.take() > message.len() + BUFFER_BYTES + FRAGMENTS_BYTES_MAX {
            return Err(End::TOO_BIG);
        }
        match message {
            Message::Text(_) => Ok(Heard::Text(message)),
            Message::Pong(said) => Ok(Heard::Echo(said)),
            Message::Ping(_) | Message::Frame(_) => Ok(Heard::Sign),
            Message::Binary(_) => Err(End::BINARY),
            Message::Close(_) => Err(End::Gone),
        }
    }

    /// Whether a message has begun, or may have, that is not whole.
    pub(super) fn is_within_message(&self) -> bool {
        self.meter.n_bytes() > 0
    }

    /// Reads on until the other side has said farewell, so that ours is not lost with what they sent before.
    async fn drain(&mut self) {
        while let Some(Ok(_)) = self.stream.next().await {}
    }
}

impl Writer {
    /// Has a text sent that was written for this connection.
    pub(super) fn tell(&mut self, text: String) {
        self.push(text.len(), Message::text(text));
    }

    /// Has a text sent that others are sent, too. It is neither copied nor looked at for it.
    pub(super) fn tell_shared(&mut self, text: Bytes) {
        self.push(text.len(), Message::Frame(Frame::message(text, OpCode::Data(Data::Text), true)));
    }

    fn push(&mut self, n_bytes: usize, message: Message) {
        if !self.has_waiting() {
            self.moved_at = Instant::now();
        }
        self.waiting.push_back(message);
        self.n_waiting_bytes += n_bytes;
        self.n_sent += n_bytes as u64;
        if self.n_sent - self.n_marked >= MARK_EVERY {
            self.mark();
        }
    }

    /// Asks the client to say that it has come as far as this.
    pub(super) fn mark(&mut self) {
        self.n_marks += 1;
        let says = self.secret.hash_one(self.n_marks);
        self.n_marked = self.n_sent;
        self.marks.push_back((says, self.n_sent));
        self.waiting.push_back(Message::Ping(Bytes::copy_from_slice(&says.to_be_bytes())));
    }

    /// Whether this answers a mark: then the client has come as far as that. Who is late may answer the newest alone.
    pub(super) fn answered(&mut self, mark: &[u8]) -> bool {
        let said = mark.try_into().map(u64::from_be_bytes).ok();
        let found = self.marks.iter().position(|(says, _)| said == Some(*says));
        let Some((_, place)) = found.and_then(|idx| self.marks.drain(..=idx).next_back()) else {
            return false;
        };
        (self.n_answered, self.moved_at) = (place, Instant::now());
        true
    }

    /// Whether answers may be handed over. They do not wait for the window: what opens it comes behind what they answer.
    pub(super) fn has_room(&self) -> bool {
        self.n_waiting_bytes < WAITING_BYTES_MAX
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
    pub(super) fn is_stalled(&mut self) -> bool {
        if self.meter.take_written() > 0 {
            self.moved_at = Instant::now();
        }
        let n_beyond = (self.n_sent - self.n_answered).saturating_sub(WINDOW_BYTES);
        self.has_waiting()
            && self.moved_at.elapsed() >= STALL_MAX + Duration::from_secs(n_beyond / BYTES_PER_S_MIN)
    }

    /// Writes what waits, and goes on waiting. It may be dropped at any time, and must be called again then.
    pub(super) async fn drive(&mut self) -> End {
        match poll_fn(|cx| self.poll_written(cx)).await {
            Err(error) => End::broken(&error),
            Ok(()) => std::future::pending().await,
        }
    }

    /// Says farewell, or answers theirs. What waits is said before only to those who did something wrong: it tells them what.
    async fn say(&mut self, end: End) -> Result<(), SocketError> {
        if end.is_misuse() {
            poll_fn(|cx| self.poll_written(cx)).await?;
        }
        self.waiting.clear();
        match end.frame() {
            Some(frame) => self.sink.send(Message::Close(Some(frame))).await,
            None => self.sink.flush().await,
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        while !self.waiting.is_empty() {
            ready!(Pin::new(&mut self.sink).poll_ready(cx))?;
            let Some(message) = self.waiting.pop_front() else { break };
            self.n_waiting_bytes = self.n_waiting_bytes.saturating_sub(message.len());
            self.is_dirty = true;
            self.sink.start_send_unpin(message)?;
        }
        if self.is_dirty {
            ready!(self.sink.poll_flush_unpin(cx))?;
            (self.is_dirty, self.moved_at) = (false, Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

/// Says why, and lets go.
pub(super) async fn close(mut reader: Reader, mut writer: Writer, end: End) {
    let said = tokio::time::timeout(FAREWELL, writer.say(end)).await;
    if matches!(said, Ok(Ok(()))) && end != End::Gone {
        let patience = if end == End::SLOW { LATE_FAREWELL } else { FAREWELL };
        // Who does not listen is not waited for.
        let _ = tokio::time::timeout(patience, reader.drain()).await;
    }
}
