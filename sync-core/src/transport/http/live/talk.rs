//! Talking: the task of a line, from the first word of the server to the last.
//!
//! ```text
//! heard:   ready ── frame ── frame ───────────────────── pong ─────
//! sent:          subscribe ──────── ping ── unsubscribe ──── ping ─
//!                          └── 10 s ──┘└─ nothing at all for 15 s: the other end is gone
//! ```

use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Message, Role, WebSocketConfig};

use super::ending::{self, Ending};
use super::line::{Asks, Line};
use crate::id_source::IdSource;
use crate::protocol::{Asked, Tell};

/// How long the server may take to say that someone is signed in. 10 s: it has known since the handshake.
const READY_MAX: Duration = Duration::from_secs(10);
/// How often a ping is sent. 10 s: with the wait after it, a connection that is half open is noticed early enough for
/// everything to be in sync within 30 s, and it is one small message.
const PING_EVERY: Duration = Duration::from_secs(10);
/// The longest that not a byte may come. A ping was sent at the latest 10 s after the last one.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// A line ends when nobody was seated for so many pings. 3: a replica that begins anew takes a seat again within seconds.
const IDLE_PINGS_MAX: u32 = 3;
/// The longest message that is read. 16 MiB: a frame has 64 KiB or one record, whose conflict may have some MiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// What is read at once. 8 KiB: most frames, and little for a connection that is idle.
const READ_BYTES: usize = 8 << 10;

/// A conversation under way.
struct Talk<'a, S> {
    line: &'a Line,
    asks: Asks,
    socket: WebSocketStream<Watched<S>>,
    /// When the last byte came.
    heard_at: Arc<Mutex<Instant>>,
    ping_at: Instant,
    /// Whether anything whole has come since the last ping.
    has_news: bool,
    /// Whether the server has answered something that was asked, or has said why it ends.
    is_understood: bool,
    /// Seats ever taken, and pings since someone was seated last.
    idle: (u64, u32),
    ids: &'a dyn IdSource,
}

/// Talks over a connection until one of the two ends it, and says how that is to be understood. Where WebSockets do not come
/// through, a handshake may succeed and nothing after it, or nothing in one direction.
pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    line: &Line,
    asks: Asks,
    socket: S,
    ids: &dyn IdSource,
) -> Ending {
    let heard_at = Arc::new(Mutex::new(Instant::now()));
    let watched = Watched { inner: socket, heard_at: Arc::clone(&heard_at) };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(watched, Role::Client, Some(config)).await;
    let ping_at = Instant::now() + PING_EVERY;
    let (has_news, is_understood, idle) = (false, false, (0, 0));
    let mut talk = Talk { line, asks, socket, heard_at, ping_at, has_news, is_understood, idle, ids };
    match talk.converse().await {
        Ending::Failed(error) if !talk.is_understood => Ending::Unclear(error),
        ending => ending,
    }
}

/// What happens next.
enum Event {
    Ask(Option<Asked>),
    Heard(Option<Result<Message, tokio_tungstenite::tungstenite::Error>>),
    Time,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<'_, S> {
    async fn converse(&mut self) -> Ending {
        let ready = timeout(READY_MAX, self.ready()).await;
        if let ControlFlow::Break(ending) = ready.unwrap_or_else(|_| failed(ending::silent())) {
            return ending;
        }
        loop {
            if let ControlFlow::Break(ending) = self.step().await {
                return ending;
            }
        }
    }

    /// Waits for the first word. What is not one of a sync server is no way to one.
    async fn ready(&mut self) -> ControlFlow<Ending> {
        loop {
            let told = match self.socket.next().await {
                Some(Ok(Message::Text(text))) => Tell::from_json(&text),
                Some(Ok(Message::Binary(_))) => return ControlFlow::Break(Ending::NotHere),
                Some(Ok(Message::Close(Some(frame)))) => return self.closed(frame.code.into()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                _ => return failed(ending::cut()),
            };
            match told {
                Ok(Tell::Ready { .. }) => return ControlFlow::Continue(()),
                Ok(Tell::Error(refusal)) => {
                    self.is_understood = true;
                    return failed(ending::refused(&refusal));
                }
                Ok(_) => {}
                Err(_) => return ControlFlow::Break(Ending::NotHere),
            }
        }
    }

    /// The server has said why it ends.
    fn closed(&mut self, code: u16) -> ControlFlow<Ending> {
        self.is_understood = true;
        failed(ending::closed(code, self.ids))
    }

    async fn step(&mut self) -> ControlFlow<Ending> {
        match self.next().await {
            Event::Ask(Some(asked)) => self.send(&asked).await,
            Event::Heard(Some(Ok(message))) => self.heard(message),
            Event::Heard(_) => failed(ending::cut()),
            Event::Ask(None) | Event::Time => self.look().await,
        }
    }

    async fn next(&mut self) -> Event {
        let silent_at = self.silent_at();
        let time = sleep_until(self.ping_at.min(silent_at));
        match select(select(self.socket.next(), self.asks.next()), pin!(time)).await {
            Either::Left((Either::Left((heard, _)), _)) => Event::Heard(heard),
            Either::Left((Either::Right((asked, _)), _)) => Event::Ask(asked),
            Either::Right(_) => Event::Time,
        }
    }

    fn silent_at(&self) -> Instant {
        *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) + SILENCE_MAX
    }

    fn heard(&mut self, message: Message) -> ControlFlow<Ending> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(Some(frame)) => return self.closed(frame.code.into()),
            Message::Close(None) => return failed(ending::cut()),
            Message::Binary(_) => return failed(ending::nonsense()),
            _ => return ControlFlow::Continue(()),
        };
        self.has_news = true;
        let Ok(tell) = Tell::from_json(&text) else { return failed(ending::nonsense()) };
        self.is_understood = true;
        self.line.told(tell).map_break(Ending::Failed)
    }

    /// It is time for a ping, or for the end.
    async fn look(&mut self) -> ControlFlow<Ending> {
        if self.line.is_over() {
            return self.close().await;
        }
        let now = Instant::now();
        if self.silent_at() <= now {
            return failed(ending::silent());
        }
        if self.ping_at > now {
            return ControlFlow::Continue(());
        }
        self.ping_at = now + PING_EVERY;
        if self.is_idle() && self.line.ends_empty() {
            return self.close().await;
        }
        // Only a part of something large has come, on a slow line.
        if !std::mem::take(&mut self.has_news) && self.silent_at() > now + SILENCE_MAX - PING_EVERY {
            self.line.is_alive();
        }
        let ping = self.line.ping();
        self.send(&ping).await
    }

    fn is_idle(&mut self) -> bool {
        let (n_ever, n_seats) = self.line.n_seats();
        let is_as_before = n_seats == 0 && n_ever == self.idle.0;
        self.idle = (n_ever, if is_as_before { self.idle.1 + 1 } else { 0 });
        self.idle.1 >= IDLE_PINGS_MAX
    }

    async fn send(&mut self, asked: &Asked) -> ControlFlow<Ending> {
        let message = Message::text(asked.to_json());
        match timeout(SILENCE_MAX, self.socket.send(message)).await {
            Ok(Ok(())) => ControlFlow::Continue(()),
            // Why it was closed may be said in what is left to be read.
            Ok(Err(_)) => self.last_words().await,
            Err(_) => failed(ending::silent()),
        }
    }

    async fn last_words(&mut self) -> ControlFlow<Ending> {
        while let Ok(Some(Ok(message))) = timeout(READY_MAX, self.socket.next()).await {
            self.heard(message)?;
        }
        failed(ending::cut())
    }

    async fn close(&mut self) -> ControlFlow<Ending> {
        // Whether it is heard is of no concern any more.
        let _ = timeout(READY_MAX, self.socket.close(None)).await;
        ControlFlow::Break(Ending::Over)
    }
}

fn failed(error: crate::error::Error) -> ControlFlow<Ending> {
    ControlFlow::Break(Ending::Failed(error))
}

/// A connection that notes when the last byte came: of a large frame on a slow line nothing else is heard for long.
struct Watched<S> {
    inner: S,
    heard_at: Arc<Mutex<Instant>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let n_before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(cx, buffer);
        if buffer.filled().len() > n_before {
            *self.heard_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
