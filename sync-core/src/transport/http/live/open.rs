//! Opening a line: the handshake, by which it is also found out that there is no such way.
//!
//! ```text
//! nobody is there, or a sync server says why not       a failure like any other
//! an answer of someone who knows no WebSockets         there is no such way
//! a break, silence, or trouble of someone in between   not clear: perhaps a server that ends, perhaps one who lets none through
//! ```

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
use super::super::failure::{too_slow, unreachable};
use super::ending::{self, Ending};
use crate::error::Result;

/// How long a handshake may take, with the answer to its end. 10 s: as long as it may take to connect.
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

    /// The connection, or why there is none.
    pub(super) async fn finish(self) -> Result<TokioIo<Upgraded>, Ending> {
        let silent = |_| Err(Ending::Unclear(too_slow()));
        timeout(HANDSHAKE_MAX, self.shake_hands()).await.unwrap_or_else(silent)
    }

    async fn shake_hands(self) -> Result<TokioIo<Upgraded>, Ending> {
        let response = self.client.request(self.request).await.map_err(|error| {
            let is_known = error.is_connect();
            let error = unreachable(&self.address, error);
            if is_known { Ending::Failed(error) } else { Ending::Unclear(error) }
        })?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(response).await);
        }
        let accept = response.headers().get("sec-websocket-accept").and_then(|value| value.to_str().ok());
        if accept != Some(&*derive_accept_key(self.key.as_bytes())) {
            return Err(Ending::NotHere);
        }
        let upgraded = hyper::upgrade::on(response).await;
        upgraded.map(TokioIo::new).map_err(|_| Ending::Unclear(ending::cut()))
    }
}

/// What an answer means that is no handshake.
async fn refused(response: Response<Incoming>) -> Ending {
    let status = response.status();
    let is_trouble = status == StatusCode::TOO_MANY_REQUESTS
        || (status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED);
    match Answer::read(response).await {
        Ok(Answer::Problem(problem)) if is_trouble || matches!(status.as_u16(), 401 | 403) => {
            Ending::Failed(problem.into_error())
        }
        Err(error) if is_trouble => Ending::Unclear(error),
        _ => Ending::NotHere,
    }
}
