//! From a request to a socket: the handshake of WebSocket (RFC 6455, section 4.2), without extensions and subprotocols.

use hyper::StatusCode;
use hyper::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use hyper::upgrade::OnUpgrade;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::connection::{self, Opening};
use crate::problem::{Code, Problem};
use crate::reply::Response;

/// The answer to a key: whoever sends it has understood that this is a WebSocket.
#[derive(Debug)]
pub(crate) struct Accept(HeaderValue);

/// Checks a handshake.
///
/// # Errors
///
/// `upgrade_required` when it is none, or of another version; `invalid_encoding` when its key is none.
pub(crate) fn check(headers: &HeaderMap) -> Result<Accept, Problem> {
    let speaks = |name, word| has_word(headers, &name, word);
    let is_version = headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !speaks(UPGRADE, "websocket") || !speaks(CONNECTION, "upgrade") || !is_version {
        return Err(Problem::new(Code::UpgradeRequired).speaks_websocket());
    }
    let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|key| is_key(key.as_bytes()) && keys.next().is_none());
    let key = key.ok_or_else(|| {
        Problem::new(Code::InvalidEncoding).detail("Sec-WebSocket-Key is 16 random bytes in base64")
    })?;
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    Ok(Accept(accept.expect("base64 is visible ASCII")))
}

/// Agrees to a handshake. The connection begins when the answer has been sent.
///
/// # Errors
///
/// `upgrade_required` when the request came over something that cannot be upgraded.
pub(crate) fn agree(
    accept: Accept,
    on_upgrade: Option<OnUpgrade>,
    opening: Opening,
) -> Result<Response, Problem> {
    let on_upgrade = on_upgrade.ok_or_else(|| Problem::new(Code::UpgradeRequired).speaks_websocket())?;
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(upgraded) => connection::serve(upgraded, opening).await,
            Err(error) => tracing::debug!(%error, "a connection ended before it was upgraded"),
        }
    });
    let mut response = Response::new("".into());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.0);
    Ok(response)
}

/// Whether a list of words in a header has this one.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|listed| listed.trim().eq_ignore_ascii_case(word))
}

/// 16 bytes are 22 characters of base64 and two that fill up.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    matches!(key.split_at_checked(22), Some((digits, b"==")) if digits.iter().all(is_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    const GOOD: [(&str, &str); 4] = [
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    #[test]
    fn the_handshake_of_the_standard_is_answered_as_it_says() {
        assert_eq!(check(&headers(&GOOD)).unwrap().0, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn what_is_no_handshake_is_told_so() {
        for (idx, value, expected) in [
            (0, "keep-alive", Code::UpgradeRequired),
            (1, "h2c", Code::UpgradeRequired),
            (2, "12", Code::UpgradeRequired),
            (2, "13, 8", Code::UpgradeRequired),
            (3, "short", Code::InvalidEncoding),
            (3, "dGhlIHNhbXBsZSBub25jZQ=", Code::InvalidEncoding),
            (3, "dGhlIHNhbXBsZSBub25jZQ=!", Code::InvalidEncoding),
            (3, "", Code::InvalidEncoding),
        ] {
            let mut list = GOOD;
            list[idx].1 = value;
            assert_eq!(check(&headers(&list)).unwrap_err().code(), expected, "{value}");
        }
        let twice: Vec<_> = GOOD.into_iter().chain([GOOD[3]]).collect();
        assert_eq!(check(&headers(&twice)).unwrap_err().code(), Code::InvalidEncoding);
    }
}
