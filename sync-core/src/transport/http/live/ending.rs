//! What it means that a server refuses something, or ends a connection.

use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::id_source::IdSource;
use crate::protocol::{Refusal, code};

/// How long the clients of a server that restarts take to come back, each after a random part of it.
const RESTART: Duration = Duration::from_secs(5);

/// Why nothing more is heard.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// There is no such way.
    NotHere,
    /// It failed before anything that was asked was answered, and nobody said why: whether there is such a way is not clear.
    Unclear(Error),
    /// What was told was not taken.
    Behind,
    /// The last word was said.
    Over,
    /// It failed.
    Failed(Error),
}

pub(super) fn cut() -> Error {
    Error::new(ErrorKind::Unavailable, "the live connection was cut")
}

pub(super) fn silent() -> Error {
    Error::new(ErrorKind::Unavailable, "nothing is heard on the live connection any more")
}

/// What the server said cannot be read.
pub(super) fn nonsense() -> Error {
    Error::new(ErrorKind::Distrusted, "what comes over the live connection is not from a sync server")
}

/// What a close code means. Of a connection for many spaces it says little about each: what became of access to one of them is
/// found out by the sync that follows.
pub(super) fn closed(code: u16, ids: &dyn IdSource) -> Error {
    let unavailable = |why: &str| Error::new(ErrorKind::Unavailable, format!("{why} (closed with {code})"));
    match code {
        1012 => unavailable("the server restarts").with_retry_after(part_of(RESTART, ids)),
        1013 => unavailable("the server was too fast for this connection"),
        4400 => Error::invalid(code::INVALID_CURSOR, "a cursor cannot be one (closed with 4400)"),
        4401 => {
            Error::new(ErrorKind::Unauthorized, "the token has expired or was revoked (closed with 4401)")
        }
        4403 => unavailable("the access to a space has ended"),
        4408 => unavailable("the server heard nothing in time"),
        1008 => Error::new(
            ErrorKind::Overloaded,
            "the server has had enough of this connection (closed with 1008)",
        ),
        _ => unavailable("the server ended the live connection"),
    }
}

/// A random part of a time, so that not all come at once.
fn part_of(time: Duration, ids: &dyn IdSource) -> Duration {
    let mut bytes = [0; 2];
    ids.fill(&mut bytes);
    time * u32::from(u16::from_le_bytes(bytes)) / u32::from(u16::MAX)
}

/// A refusal as an error, by what to do next.
pub(super) fn refused(refusal: &Refusal) -> Error {
    let Refusal { code, detail, pointer, retry_after, .. } = refusal;
    let said = if detail.is_empty() { "the server refuses this" } else { detail };
    let mut error = Error::new(kind(code), format!("{said} ({code})"));
    if let Some(code) = code::known(code) {
        error = error.with_code(code);
    }
    if let Some(pointer) = pointer {
        error = error.with_pointer(pointer);
    }
    match retry_after {
        Some(seconds) => error.with_retry_after(Duration::from_secs(*seconds)),
        None => error,
    }
}

/// The kind that the status of a code stands for over HTTP.
fn kind(code: &str) -> ErrorKind {
    match code {
        code::MISSING_CREDENTIALS | code::INVALID_TOKEN | code::TOKEN_EXPIRED | code::TOKEN_REVOKED => {
            ErrorKind::Unauthorized
        }
        code::SPACE_REVOKED | code::FORBIDDEN_ROLE | code::FORBIDDEN_CLIENT | code::ORIGIN_NOT_ALLOWED => {
            ErrorKind::Forbidden
        }
        code::NOT_FOUND | code::SPACE_NOT_FOUND => ErrorKind::NotFound,
        code::RATE_LIMITED
        | code::SLOW_DOWN
        | code::OVERLOADED
        | code::STORAGE_UNAVAILABLE
        | code::SPACE_QUARANTINED => ErrorKind::Overloaded,
        code::INTERNAL | code::STORAGE_FULL => ErrorKind::Unavailable,
        _ if code::known(code).is_some() => ErrorKind::Invalid,
        _ => ErrorKind::Distrusted,
    }
}
