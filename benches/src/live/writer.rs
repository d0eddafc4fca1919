//! Those who write: one message after the other, at a pace or as fast as it goes.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::SinkExt;
use hyper::Method;
use sync_core::json::Json;
use sync_core::protocol::{LiveFrame, PullPage};
use sync_core::{
    ActorId, Collection, Cursor, Epoch, Record, RecordId, RecordKey, RecordMeta, Seq, SpaceId, Version,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::crowd::User;
use super::follow::{Socket, open};
use crate::client::Client;
use crate::measure::{Delivered, MESSAGE_BYTES, message, now_us};

/// Who writes, and to what.
pub(super) enum Writer {
    /// Pushes to a space, each waiting for its answer.
    Pushing { client: Client, path: String, n: usize },
    /// Says something to everyone.
    Saying { socket: Box<Socket> },
}

impl Writer {
    pub(super) async fn pushing(address: SocketAddr, user: &User) -> Self {
        let client = Client::connect(address, &user.token).await;
        // Ids that nobody else makes: several write to one space, one after the other.
        let n = usize::try_from(now_us()).unwrap_or_default();
        Self::Pushing { client, path: format!("/v1/spaces/{}/changes", user.space), n }
    }

    pub(super) async fn saying(address: SocketAddr) -> Self {
        Self::Saying { socket: Box::new(open(address, None).await) }
    }

    /// Sends one commit of so many messages.
    pub(super) async fn write(&mut self, n_messages: usize) {
        match self {
            Self::Pushing { client, path, n } => {
                let body = body(*n, n_messages);
                *n += n_messages;
                client.ok(Method::POST, path, body).await;
            }
            Self::Saying { socket } => {
                for _ in 0..n_messages {
                    let text = frame(message(MESSAGE_BYTES)).expect("its parts are plain");
                    let text = Utf8Bytes::try_from(text).expect("it was made from a text");
                    socket.send(Message::Text(text)).await.expect("the connection is open");
                }
            }
        }
    }

    /// Pushes so many messages, each alone, from as many connections as are given.
    pub(super) async fn push_at_once(address: SocketAddr, user: &User, n: usize, n_writers: usize) {
        let mut writers = JoinSet::new();
        for idx in 0..n_writers {
            let n_theirs = n / n_writers + usize::from(idx < n % n_writers);
            let mut writer = Self::pushing(address, user).await;
            writers.spawn(async move { writer.write_all(n_theirs, None).await });
        }
        writers.join_all().await;
    }

    /// Sends so many commits of one message at a pace, or without a pause. How long each took to be answered.
    pub(super) async fn write_all(&mut self, n: usize, every: Option<Duration>) -> Delivered {
        let mut pace = every.map(interval);
        let mut took_us = Vec::new();
        let started = now();
        for _ in 0..n {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            let asked = now();
            self.write(1).await;
            took_us.push(micros(asked));
        }
        Delivered::of(took_us, micros(started))
    }
}

/// A push of so many messages.
pub(super) fn body(first: usize, n_messages: usize) -> String {
    let mutation = |n| {
        let data = message(MESSAGE_BYTES);
        format!(r#"{{"op":"put","collection":"notes","id":"{n:016}","base_version":0,"data":{data}}}"#)
    };
    let mutations: Vec<String> = (first..first + n_messages).map(mutation).collect();
    format!(r#"{{"mutations":[{}]}}"#, mutations.join(","))
}

fn now() -> Instant {
    crate::report::start().into()
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What the server would send: the same bytes for the bare broadcast.
fn frame(content: String) -> Result<Bytes, Box<dyn std::error::Error>> {
    let space = SpaceId::new("0123456789abcdef0123456789abcdef")?;
    let version = Version::new(1_700_000_000_000_000)?;
    let key = RecordKey::new(Collection::new("notes")?, RecordId::new("0000000000000001")?);
    let meta = RecordMeta::first(version, ActorId::new("0123456789abcdef0123456789abcdef")?);
    let cursor =
        Cursor { seq: version, seen: version, ..Cursor::start(Epoch::from_bytes([7; 16])) }.encode(&space);
    let from = Cursor { seq: Seq::ZERO, ..Cursor::start(Epoch::from_bytes([7; 16])) }.encode(&space);
    let change = Record { key, data: Some(Json::from_canonical(content)), meta };
    let page = PullPage { changes: vec![change], cursor, has_more: false, head: version };
    Ok(LiveFrame::new(space, Some(from), page).text())
}
