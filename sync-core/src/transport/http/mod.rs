//! The way to a server over HTTP (feature `http`).
//!
//! - `account`: signing in
//! - `failure`: what went wrong on the way
//! - `address`: base URLs and paths
//! - `answer`: status, content type and body of an answer, turned into a value or an error
//! - `problem`: problem documents and the codes in them
//! - `lines`: a snapshot, line by line
//! - `live`: WebSockets
//!
//! Plain `http` only; see [`HttpTransport`] for what that asks of programs on an open network.

mod account;
mod address;
mod answer;
mod failure;
mod lines;
mod live;
mod problem;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{LiveStream, Transport};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::id_source::{IdSource, OsIds};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, SnapshotToken, Subscribe,
};
use crate::session::Session;
use crate::types::{CursorToken, SpaceId};
use address::{Address, Query};
use answer::Answer;
use failure::{too_slow, unreachable};

pub use account::Paired;

/// How long an answer, or the next piece of one, may take: a slow line needs this long for a full batch.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take to come about; a server that is off should not hold up a sync.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A server, reached over HTTP/1.1 with a bearer token.
///
/// It speaks plain `http` only, so whoever can listen on the way reads tokens and content: on an open network put a proxy
/// that speaks TLS to the server on the client's side, or use a private network such as a VPN. TLS of its own comes later.
///
/// All spaces that are [followed](Transport::live) through it share one WebSocket, which is closed half a minute after the last
/// of them. Where something on the way does not let WebSockets through, that is remembered for five minutes; where it is not
/// clear whether it does, after three failures in a row.
///
/// ```
/// use sync_core::transport::HttpTransport;
/// let transport = HttpTransport::new("http://127.0.0.1:8080", Some("a token from signing in"))?;
/// transport.set_token(Some("a newer one"))?;
/// # Ok::<_, sync_core::Error>(())
/// ```
#[derive(Debug)]
pub struct HttpTransport {
    client: Client<HttpConnector, Full<Bytes>>,
    address: Address,
    token: RwLock<Option<HeaderValue>>,
    timeout: Duration,
    /// Dates the end of sessions.
    clock: Arc<dyn Clock>,
    /// Keys of handshakes, and how long to wait when a server restarts.
    ids: Arc<dyn IdSource>,
    live: live::Lines,
}

impl HttpTransport {
    /// A way to the server at `base`, for instance `http://sync.example:8080` or `http://host/sync`.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when `base` is not an http URL, or the token cannot be sent.
    pub fn new(base: &str, token: Option<&str>) -> Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let address = Address::parse(base)?;
        let (clock, ids, live) = (Arc::new(SystemClock), Arc::new(OsIds), live::Lines::default());
        let transport =
            Self { client, address, token: RwLock::default(), timeout: TIMEOUT, clock, ids, live };
        transport.set_token(token)?;
        Ok(transport)
    }

    /// The way to the server of a session, signed in. It does not ask the server anything, so it works offline.
    ///
    /// ```
    /// # let saved = r#"{"server": "http://127.0.0.1:8080", "user": "53d1", "username": "Ada", "space": "ec35",
    /// #     "token": "a-token", "expires_at": 1767225600000000}"#;
    /// use sync_core::{Session, transport::HttpTransport};
    /// let session: Session = serde_json::from_str(saved)?;
    /// let transport = HttpTransport::from_session(&session)?;
    /// assert_eq!(transport.token().as_deref(), Some("a-token"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_session(session: &Session) -> Result<Self> {
        Self::new(&session.server, Some(&session.token))
    }

    /// Takes the time from here instead of the machine; it dates the end of sessions.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Waits this long for an answer, or for the next piece of a snapshot, instead of a minute.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Signs requests and live connections with this token from now on; after an error of kind [`Unauthorized`](ErrorKind::Unauthorized) this
    /// is where a new one goes.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the token cannot be sent in a header.
    pub fn set_token(&self, token: Option<&str>) -> Result<()> {
        let header = |token: &str| {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| Error::invalid("invalid_token", "the token cannot be sent in a header"))?;
            value.set_sensitive(true);
            Ok(value)
        };
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token.map(header).transpose()?;
        self.live.sign_in(token);
        Ok(())
    }

    /// The token that requests are signed with, for an app that keeps it until its next start. Keep it where only its user
    /// can read it: it is as good as the password until it expires.
    ///
    /// ```
    /// use sync_core::transport::HttpTransport;
    /// let transport = HttpTransport::new("http://127.0.0.1:8080", Some("a-token"))?;
    /// assert_eq!(transport.token().as_deref(), Some("a-token"));
    /// # Ok::<_, sync_core::Error>(())
    /// ```
    pub fn token(&self) -> Option<String> {
        let header = self.token.read().unwrap_or_else(PoisonError::into_inner);
        let text = header.as_ref()?.to_str().ok()?;
        text.strip_prefix("Bearer ").map(str::to_owned)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        accept: &'static str,
        body: String,
    ) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(self.address.uri(path)?);
        request = request.header(ACCEPT, accept);
        if let Some(token) = &*self.token.read().unwrap_or_else(PoisonError::into_inner) {
            request = request.header(AUTHORIZATION, token.clone());
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(body.into())).map_err(|error| {
            Error::new(ErrorKind::Internal, "cannot build a request to the server").with_source(error)
        })
    }

    async fn fetch(&self, request: Request<Full<Bytes>>, wait: Duration) -> Result<Answer> {
        let timeout = self.timeout.saturating_add(wait);
        let exchange = async {
            let response = self.client.request(request).await;
            Answer::read(response.map_err(|error| unreachable(&self.address, error))?).await
        };
        tokio::time::timeout(timeout, exchange).await.map_err(|_| too_slow())?
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        let path = format!("/v1/spaces/{space}/changes");
        let request = self.request(Method::POST, &path, answer::JSON, push.to_json())?;
        self.fetch(request, Duration::ZERO).await?.into_push()
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let mut query = Query::default();
        query.add("after", pull.after.as_ref().map(|after| after.as_str()));
        query.add_collections(pull.collections.as_deref());
        query.add("limit", pull.limit.map(|limit| limit.to_string()).as_deref());
        let wait = pull.wait.unwrap_or_default();
        query.add("wait", (!wait.is_zero()).then(|| wait.as_secs().to_string()).as_deref());
        query.add("receipt", pull.receipt.as_ref().map(CursorToken::as_str));
        let path = format!("/v1/spaces/{space}/changes{query}");
        let request = self.request(Method::GET, &path, answer::JSON, String::new())?;
        self.fetch(request, wait).await?.into_pull()
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let mut query = Query::default();
        query.add_collections(request.collections.as_deref());
        query.add("resume", request.from.as_ref().map(SnapshotToken::as_str));
        let path = format!("/v1/spaces/{space}/snapshot{query}");
        let request = self.request(Method::GET, &path, lines::NDJSON, String::new());
        let (client, timeout, address) = (self.client.clone(), self.timeout, self.address.clone());
        let open = async move {
            let response = tokio::time::timeout(timeout, client.request(request?)).await;
            let response = response.map_err(|_| too_slow())?;
            let response = response.map_err(|error| unreachable(&address, error))?;
            Ok(lines::items(answer::expect_lines(response).await?, timeout))
        };
        stream::once(open).try_flatten().boxed()
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        self.live.follow(self, space, subscribe)
    }
}
