//! A server of a script: it shakes hands, and then somebody decides what it says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::{Message, Role};

use crate::protocol::{Ask, Asked};
use crate::types::SpaceId;

pub(super) const READY: &str = r#"{"type":"ready","connection":"c","user":"ada","beat_s":20}"#;

pub(super) fn space(name: &str) -> SpaceId {
    SpaceId::new(name).unwrap()
}

/// A frame with one record, from one number to the next.
pub(super) fn frame(space: &str, from: usize) -> String {
    let to = from + 1;
    format!(
        r#"{{"type":"frame","space":"{space}","from":"{from}","to":"{to}","changes":[{{"collection":"notes","id":"{to}","version":{to},"revision":1,"edited_at":0,"author":"ada","deleted":false,"data":"ü{to}"}}],"has_more":false,"head":{to}}}"#
    )
}

/// A frame without changes, which is what a subscription begins with.
pub(super) fn first_frame(space: &str, at: &str) -> String {
    format!(
        r#"{{"type":"frame","space":"{space}","from":"{at}","to":"{at}","changes":[],"has_more":false,"head":9}}"#
    )
}

/// The server's end of a WebSocket.
pub(super) struct End<S>(pub(super) WebSocketStream<S>);

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> End<S> {
    pub(super) async fn of(socket: S) -> Self {
        Self(WebSocketStream::from_raw_socket(socket, Role::Server, None).await)
    }

    pub(super) async fn say(&mut self, text: impl Into<String>) {
        // Whoever is gone hears nothing.
        let _ = self.0.send(Message::text(text.into())).await;
    }

    pub(super) async fn close(&mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let _ = self.0.send(Message::Close(Some(frame))).await;
    }

    /// What the client says next; `None` when it has closed.
    pub(super) async fn hear(&mut self) -> Option<Asked> {
        while let Some(Ok(message)) = self.0.next().await {
            if let Message::Text(text) = message {
                return Some(Asked::from_json(&text).unwrap());
            }
        }
        None
    }

    /// The next that is no ping; pings are answered.
    pub(super) async fn hear_no_ping(&mut self) -> Option<Asked> {
        loop {
            let asked = self.hear().await?;
            let Ask::Ping { .. } = asked.ask else { return Some(asked) };
            self.pong(asked).await;
        }
    }

    pub(super) async fn pong(&mut self, asked: Asked) {
        let reference = asked.reference.map(|reference| format!(r#","ref":"{reference}""#));
        self.say(format!(r#"{{"type":"pong"{},"heads":{{}}}}"#, reference.unwrap_or_default())).await;
    }
}

/// Reads the head of a request, and makes the answer that accepts it as a WebSocket.
pub(super) async fn accepted(socket: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = socket.read_u8().await else { break };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let key = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim().to_owned())
    });
    let accept = derive_accept_key(key.unwrap_or_default().as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    (head, answer)
}

/// A server that does this with each connection, which have numbers, and counts them.
pub(super) async fn server<F>(
    talk: impl Fn(usize, TcpStream) -> F + Send + 'static,
) -> (String, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            socket.set_nodelay(true).unwrap();
            tokio::spawn(talk(counted.fetch_add(1, Ordering::SeqCst), socket));
        }
    });
    (base, count)
}

/// Shakes hands and says that it is ready.
pub(super) async fn opened(mut socket: TcpStream) -> End<TcpStream> {
    let (_, answer) = accepted(&mut socket).await;
    socket.write_all(answer.as_bytes()).await.unwrap();
    let mut end = End::of(socket).await;
    end.say(READY).await;
    end
}
