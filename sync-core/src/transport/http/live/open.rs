//! Opening a line: the handshake, by which it is also found out that there is no such way.
//!
//! Proxies that do not know WebSockets answer in many ways, or not at all; so do servers of before. Only what a sync server
//! says itself, and what says that nobody is there, is a failure. With everything else there is no such way, and requests show
//! whether there is another one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::super::HttpTransport;
use super::super::address::Address;
use super::super::answer::Answer;
use super::super::failure::unreachable;
use crate::error::Result;

/// How long a handshake may take. 10 s: as long as it may take to connect.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A handshake that has not begun.
pub(super) struct Opening {
    client: Client<HttpConnector, Full<Bytes>>,
    address: Address,
    request: Request<Full<Bytes>>,
    key: String,
}

impl Opening {
    /// With the token of this moment.
    pub(super) fn begin(transport: &HttpTransport) -> Result<Self> {
        let mut bytes = [0; 16];
        transport.ids.fill(&mut bytes);
        let key = STANDARD.encode(bytes);
        let request = transport.upgrade(&key)?;
        Ok(Self { client: transport.client.clone(), address: transport.address.clone(), request, key })
    }

    /// The connection; `None` when there is no such way.
    pub(super) async fn finish(self) -> Result<Option<TokioIo<Upgraded>>> {
        let response = match timeout(HANDSHAKE_MAX, self.client.request(self.request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => return Err(unreachable(&self.address, error)),
            // It was asked, and there was no answer to this.
            Ok(Err(_)) | Err(_) => return Ok(None),
        };
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return refused(response).await;
        }
        let accept = response.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
        if accept != Some(&*derive_accept_key(self.key.as_bytes())) {
            return Ok(None);
        }
        Ok(hyper::upgrade::on(response).await.ok().map(TokioIo::new))
    }
}

/// What an answer means that is no handshake.
async fn refused<T>(response: Response<Incoming>) -> Result<Option<T>> {
    let status = response.status();
    let has_trouble = status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED;
    match Answer::read(response).await {
        Ok(Answer::Problem(problem)) if has_trouble || matches!(status.as_u16(), 401 | 403 | 429) => {
            Err(problem.into_error())
        }
        Err(error) if has_trouble => Err(error),
        _ => Ok(None),
    }
}
