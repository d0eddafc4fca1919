//! The DevTools protocol of a browser: one call after the other, over one WebSocket for all of its pages.

use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

use crate::world::PATIENCE;

/// A connection to the tools of a browser.
pub(crate) struct DevTools {
    socket: WebSocket<TcpStream>,
    last_id: u64,
    /// What went wrong in pages by itself.
    faults: Vec<String>,
}

impl DevTools {
    /// Connects to `ws://127.0.0.1:PORT/…`.
    pub(crate) fn connect(address: &str) -> Self {
        let host = address.strip_prefix("ws://").unwrap().split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (socket, _) = client(address, stream).unwrap();
        Self { socket, last_id: 0, faults: Vec::new() }
    }

    /// Calls a method, of a page if one is named, and returns its result.
    #[track_caller]
    pub(crate) fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Value {
        self.send(session, method, params);
        loop {
            let message =
                self.socket.read().unwrap_or_else(|error| panic!("{method} got no answer: {error}"));
            let Message::Text(text) = message else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["method"] == "Runtime.exceptionThrown" {
                self.faults.push(message["params"]["exceptionDetails"].to_string());
            }
            if message["id"] == self.last_id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
        }
    }

    /// Calls a method that is not answered.
    pub(crate) fn send(&mut self, session: Option<&str>, method: &str, params: Value) {
        self.last_id += 1;
        let mut call = json!({"id": self.last_id, "method": method, "params": params});
        if let Some(session) = session {
            call["sessionId"] = session.into();
        }
        self.socket.send(Message::text(call.to_string())).unwrap();
    }

    /// What went wrong in pages so far.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }
}
