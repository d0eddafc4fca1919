//! The process of those who follow: it opens connections as it is told, and says how long deliveries took.
//!
//! Told line by line: `live ADDRESS TOKEN SPACE N`, `bare ADDRESS N` and `stall ADDRESS TOKEN SPACE N` (subscribes and does not
//! read any more) open connections, `ready` waits for them, `expect N` waits until everyone was given that many messages since
//! the last time, `exchange BYTES` has everyone push a message and wait for one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::measure::{Delivered, message, now_us, sent};

/// How many connect, or push, at a time.
const AT_ONCE: usize = 64;

/// How often a process that waits for deliveries counts them.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How long it waits, in these.
const LOOKS_MAX: usize = 6_000;

/// The buffers of everyone: those of the server.
pub(super) fn buffers() -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(4 << 10)
}

/// A connection of a client.
pub(super) type Socket = WebSocketStream<TcpStream>;

/// Opens a connection, with a token where one is needed.
pub(super) async fn open(address: SocketAddr, token: Option<&str>) -> Socket {
    let mut request =
        format!("ws://{address}/v1/live").into_client_request().expect("an address makes a URL");
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().expect("a token is plain");
        request.headers_mut().insert("authorization", bearer);
    }
    let stream = TcpStream::connect(address).await.expect("the server of the bench listens");
    stream.set_nodelay(true).expect("a socket takes its options");
    client_async_with_config(request, stream, Some(buffers())).await.expect("it is a WebSocket").0
}

/// What all connections of the process share.
struct Crowd {
    connecting: Semaphore,
    n_opened: AtomicUsize,
    n_ready: AtomicUsize,
    n_following: AtomicUsize,
    n_heard: AtomicUsize,
    n_exchanged: AtomicUsize,
    first_sent_us: AtomicU64,
    last_heard_us: AtomicU64,
    took_us: Mutex<Vec<Arc<Mutex<Vec<u64>>>>>,
    /// How many bytes everyone is to push; 0 for nothing.
    push: watch::Sender<usize>,
}

/// Where a connection leads.
#[derive(Clone)]
struct Way {
    address: SocketAddr,
    /// Token and space; none for the bare broadcast.
    signed_in: Option<(String, String)>,
    reads: bool,
}

/// Does what it is told until standard input ends.
pub(crate) async fn follow() {
    let crowd = Arc::new(Crowd {
        connecting: Semaphore::new(AT_ONCE),
        n_opened: AtomicUsize::new(0),
        n_ready: AtomicUsize::new(0),
        n_following: AtomicUsize::new(0),
        n_heard: AtomicUsize::new(0),
        n_exchanged: AtomicUsize::new(0),
        first_sent_us: AtomicU64::new(u64::MAX),
        last_heard_us: AtomicU64::new(0),
        took_us: Mutex::default(),
        push: watch::Sender::new(0),
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let words: Vec<&str> = line.split(' ').collect();
        told(&crowd, &words).await;
    }
    std::process::exit(0);
}

#[expect(clippy::print_stdout, reason = "whoever started this reads what was measured")]
async fn told(crowd: &Arc<Crowd>, words: &[&str]) {
    let number = |text: &str| text.parse::<usize>().expect("it is a number");
    match words {
        [kind @ ("live" | "stall"), address, token, space, n] => {
            let signed_in = Some(((*token).to_owned(), (*space).to_owned()));
            let address = address.parse().expect("it is an address");
            crowd.open(&Way { address, signed_in, reads: *kind == "live" }, number(n));
        }
        ["bare", address, n] => {
            let address = address.parse().expect("it is an address");
            crowd.open(&Way { address, signed_in: None, reads: true }, number(n));
        }
        ["ready"] => {
            crowd
                .until(|crowd| crowd.n_ready.load(Ordering::SeqCst), crowd.n_opened.load(Ordering::SeqCst))
                .await;
            println!("ready");
        }
        ["expect", n] => {
            let n_all = number(n) * crowd.n_following.load(Ordering::SeqCst);
            crowd.until(|crowd| crowd.n_heard.load(Ordering::SeqCst), n_all).await;
            println!("{}", crowd.delivered().to_line());
        }
        ["exchange", n_bytes] => {
            crowd.push.send_replace(number(n_bytes));
            crowd
                .until(
                    |crowd| crowd.n_exchanged.load(Ordering::SeqCst),
                    crowd.n_opened.load(Ordering::SeqCst),
                )
                .await;
            println!("exchanged");
        }
        _ => panic!("nobody says this: {words:?}"),
    }
}

impl Crowd {
    fn open(self: &Arc<Self>, way: &Way, n: usize) {
        self.n_opened.fetch_add(n, Ordering::SeqCst);
        if way.reads {
            self.n_following.fetch_add(n, Ordering::SeqCst);
        }
        for _ in 0..n {
            tokio::spawn(Arc::clone(self).connection(way.clone()));
        }
    }

    /// Waits until a count has reached a number.
    async fn until(&self, count: impl Fn(&Self) -> usize, n: usize) {
        for _ in 0..LOOKS_MAX {
            if count(self) >= n {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        panic!("{} of {n} have come after two minutes", count(self));
    }

    async fn connection(self: Arc<Self>, way: Way) {
        let mut push = self.push.subscribe();
        let turn = self.connecting.acquire().await.expect("it is never closed");
        let mut socket = open(way.address, way.signed_in.as_ref().map(|(token, _)| token.as_str())).await;
        if let Some((_, space)) = &way.signed_in {
            let subscribe = format!(r#"{{"type":"subscribe","space":"{space}"}}"#);
            socket.send(Message::text(subscribe)).await.expect("the connection is open");
            until_caught_up(&mut socket).await;
        }
        self.n_ready.fetch_add(1, Ordering::SeqCst);
        drop(turn);
        if !way.reads {
            // Held open, and never read.
            return std::future::pending().await;
        }
        let took_us = Arc::new(Mutex::new(Vec::new()));
        lock(&self.took_us).push(Arc::clone(&took_us));
        loop {
            tokio::select! {
                text = next(&mut socket) => self.heard(&text, &took_us),
                Ok(()) = push.changed() => {
                    let n_bytes = *push.borrow_and_update();
                    let (_, space) = way.signed_in.as_ref().expect("only the server takes pushes");
                    self.exchange(&mut socket, space, n_bytes).await;
                }
            }
        }
    }

    fn heard(&self, text: &[u8], took_us: &Mutex<Vec<u64>>) {
        let now = now_us();
        let mut took_us = lock(took_us);
        let before = took_us.len();
        for sent in sent(text) {
            self.first_sent_us.fetch_min(sent, Ordering::Relaxed);
            took_us.push(now.saturating_sub(sent));
        }
        self.last_heard_us.fetch_max(now, Ordering::Relaxed);
        self.n_heard.fetch_add(took_us.len() - before, Ordering::SeqCst);
    }

    /// Pushes a message of its own, and waits for the answer and for a frame.
    async fn exchange(&self, socket: &mut Socket, space: &str, n_bytes: usize) {
        let turn = self.connecting.acquire().await.expect("it is never closed");
        let n = self.n_exchanged.load(Ordering::SeqCst);
        let (id, data) = (format!("{n}-{}", now_us()), message(n_bytes));
        let mutation = format!(r#"{{"op":"put","collection":"notes","id":"{id}","data":{data}}}"#);
        let push = format!(r#"{{"type":"push","space":"{space}","push":{{"mutations":[{mutation}]}}}}"#);
        socket.send(Message::text(push)).await.expect("the connection is open");
        let (mut is_answered, mut is_told) = (false, false);
        while !is_answered || !is_told {
            let text = next(socket).await;
            is_answered |= text.starts_with(br#"{"type":"pushed""#);
            is_told |= sent(&text).next().is_some();
        }
        drop(turn);
        self.n_exchanged.fetch_add(1, Ordering::SeqCst);
    }

    /// What was measured since the last time.
    fn delivered(&self) -> Delivered {
        let mut all = Vec::new();
        lock(&self.took_us).iter().for_each(|took_us| all.append(&mut lock(took_us)));
        self.n_heard.store(0, Ordering::SeqCst);
        let first = self.first_sent_us.swap(u64::MAX, Ordering::SeqCst);
        Delivered::of(all, self.last_heard_us.swap(0, Ordering::SeqCst).saturating_sub(first))
    }
}

async fn until_caught_up(socket: &mut Socket) {
    loop {
        let text = next(socket).await;
        if text.starts_with(br#"{"type":"frame""#)
            && text.windows(16).any(|part| part == br#""has_more":false"#)
        {
            return;
        }
    }
}

/// The next text.
async fn next(socket: &mut Socket) -> Bytes {
    loop {
        match socket.next().await.expect("the server stays").expect("the server speaks WebSocket") {
            Message::Text(text) => return text.into(),
            Message::Close(why) => panic!("the server has closed a connection: {why:?}"),
            _ => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
