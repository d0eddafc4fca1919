//! A server with users, and clients that speak WebSocket.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use sync_server::Server;
use sync_server::config::{Config, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything takes that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
    _home: tempfile::TempDir,
}

/// Someone who is signed in.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) space: String,
}

/// A live connection.
pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TcpStream>,
    pub(crate) name: String,
}

impl World {
    /// A server on SQLite.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let home = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", home.path().join("sync.db").display());
        let mut settings = Settings {
            listen: Some("127.0.0.1:0".into()),
            store: Some(store.as_str().into()),
            ..Settings::default()
        };
        change(&mut settings);
        let server = Server::start(Config::load(settings, |_| None, None).unwrap()).await.unwrap();
        let address = server.address();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async { stopped.await.unwrap_or_default() }));
        Self { address, stop: Some(stop), task: Some(task), _home: home }
    }

    /// One whose server is a program of its own.
    pub(crate) fn around(address: SocketAddr, home: tempfile::TempDir) -> Self {
        Self { address, stop: None, task: None, _home: home }
    }

    /// Begins to end; yields when it has.
    pub(crate) fn stop(&mut self) -> JoinHandle<()> {
        self.stop.take().unwrap().send(()).unwrap();
        self.task.take().unwrap()
    }

    /// Asks over HTTP; the status, and the body as JSON where it is some.
    pub(crate) async fn ask(&self, ask: &str, token: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let authorization =
            if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        let request = format!(
            "{ask} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{authorization}{kind}Content-Length: {length}\r\n\r\n{body}"
        );
        let answer = self.raw(request.as_bytes()).await;
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Sends bytes and reads one answer, whose length is said in its head.
    pub(crate) async fn head(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        let mut bytes = [0; 4096];
        loop {
            let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
            // After a head that agrees to an upgrade come frames.
            answer.push_str(&String::from_utf8_lossy(&bytes[..read]));
            let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
            let length = head.to_ascii_lowercase();
            let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if read == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return answer;
            }
        }
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        let body = json!({"username": name, "password": "correct horse battery"});
        let (status, grant) = self.ask("POST /v1/auth/register", "", body).await;
        assert_eq!(status, 201, "{grant}");
        User {
            id: grant["user"]["id"].as_str().unwrap().into(),
            token: grant["access_token"].as_str().unwrap().into(),
            space: grant["space"].as_str().unwrap().into(),
        }
    }

    /// Makes `guest` a member of the host's space.
    pub(crate) async fn join(&self, host: &User, guest: &User, role: &str) {
        let path = format!("POST /v1/spaces/{}/invites", host.space);
        let (status, invite) = self.ask(&path, &host.token, json!({"role": role})).await;
        assert_eq!(status, 201, "{invite}");
        let body = json!({"token": invite["token"]});
        let (status, answer) = self.ask("POST /v1/invites/accept", &guest.token, body).await;
        assert!(status < 300, "{answer}");
    }

    /// Puts a record over HTTP; its version.
    pub(crate) async fn put(&self, user: &User, space: &str, id: &str, data: Value) -> i64 {
        let mutation = json!({"op": "put", "collection": "notes", "id": id, "data": data});
        let path = format!("POST /v1/spaces/{space}/changes");
        let (status, answer) = self.ask(&path, &user.token, json!({"mutations": [mutation]})).await;
        assert_eq!(status, 200, "{answer}");
        answer["outcomes"][0]["version"].as_i64().unwrap_or_else(|| panic!("{answer}"))
    }

    /// The cursor at the head of a space.
    pub(crate) async fn cursor(&self, user: &User, space: &str) -> String {
        let (status, page) =
            self.ask(&format!("GET /v1/spaces/{space}/changes"), &user.token, Value::Null).await;
        assert_eq!((status, &page["has_more"]), (200, &json!(false)), "{page}");
        page["cursor"].as_str().unwrap().into()
    }

    /// Opens a connection with these headers.
    pub(crate) async fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<WebSocketStream<TcpStream>, (u16, String)> {
        let mut request = format!("ws://h{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, HeaderValue::try_from(*value).unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match client_async(request, stream).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(answer)) => {
                let body = answer.body().clone().unwrap_or_default();
                Err((answer.status().as_u16(), String::from_utf8(body).unwrap()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// A connection of a user.
    pub(crate) async fn live(&self, user: &User) -> Client {
        let bearer = format!("Bearer {}", user.token);
        let socket = self.open("/v1/live", &[("authorization", &bearer)]).await.unwrap();
        let mut client = Client { socket, name: String::new() };
        let ready = client.next().await;
        assert_eq!((&ready["type"], &ready["user"]), (&json!("ready"), &json!(user.id)));
        client.name = ready["connection"].as_str().unwrap().into();
        client
    }
}

impl Client {
    pub(crate) async fn send(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message that is not a beat.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            match self.receive().await {
                Ok(message) if message["type"] == "beat" => {}
                Ok(message) => return message,
                Err(end) => panic!("the connection ended: {end:?}"),
            }
        }
    }

    /// The next message of a type; others are passed over.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The next message, or the number of the end.
    pub(crate) async fn receive(&mut self) -> Result<Value, Option<u16>> {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match message.expect("the server should say something") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Reads to the end; its number.
    pub(crate) async fn end(&mut self) -> Option<u16> {
        loop {
            if let Err(end) = self.receive().await {
                return end;
            }
        }
    }

    /// Follows a space, and takes the first frame.
    pub(crate) async fn subscribe(&mut self, space: &str, after: Option<&str>) -> Value {
        let mut message = json!({"type": "subscribe", "space": space});
        if let Some(after) = after {
            message["after"] = after.into();
        }
        self.send(message).await;
        self.next_of("frame").await
    }

    /// Pushes one put.
    pub(crate) async fn push(&mut self, space: &str, id: &str, data: Value) {
        let mutation = json!({"op": "put", "collection": "notes", "id": id, "data": data});
        self.send(json!({"type": "push", "ref": id, "space": space, "push": {"mutations": [mutation]}}))
            .await;
    }
}
