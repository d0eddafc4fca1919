//! A refusal: the problem document (RFC 9457) of a sync server, and what it means to a replica.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullReply, PushReply, Resync, ResyncReason, code};
use crate::types::{Epoch, MutationNumber, Seq};

/// A refusal as it came.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    retry_after: Option<Duration>,
    document: Document,
}

/// The members that matter; there may be more.
#[derive(Debug, Default, Deserialize)]
struct Document {
    code: String,
    #[serde(default)]
    detail: String,
    pointer: Option<String>,
    limit: Option<u64>,
    expected: Option<MutationNumber>,
    reason: Option<ResyncReason>,
    epoch: Option<String>,
    floor: Option<Seq>,
}

impl Problem {
    pub(super) fn read(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> Result<Self> {
        let document = serde_json::from_slice(body).map_err(|error| {
            Error::new(ErrorKind::Distrusted, "the refusal of the server cannot be read").with_source(error)
        })?;
        Ok(Self { status, retry_after, document })
    }

    /// The refusal of someone in between who does not speak our language.
    pub(super) fn too_large() -> Self {
        let detail = "something on the way to the server refuses requests of this size".to_owned();
        let document = Document { code: code::BODY_TOO_LARGE.to_owned(), detail, ..Document::default() };
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, retry_after: None, document }
    }

    pub(super) fn into_push(self) -> Result<PushReply> {
        match (self.status, self.document.code.as_str(), self.document.expected) {
            (StatusCode::CONFLICT, code::CLIENT_FORKED, _) => Ok(PushReply::ClientForked),
            (StatusCode::CONFLICT, code::MUTATION_GAP, Some(expected)) => {
                Ok(PushReply::MutationGap { expected })
            }
            _ => match self.resync() {
                Some(resync) => Ok(PushReply::ResyncRequired(resync)),
                None => Err(self.into_error()),
            },
        }
    }

    pub(super) fn into_pull(self) -> Result<PullReply> {
        match self.resync() {
            Some(resync) => Ok(PullReply::ResyncRequired(resync)),
            None => Err(self.into_error()),
        }
    }

    fn resync(&self) -> Option<Resync> {
        let document = &self.document;
        if self.status != StatusCode::GONE || document.code != code::RESYNC_REQUIRED {
            return None;
        }
        let epoch = u128::from_str_radix(document.epoch.as_deref()?, 16).ok()?;
        Some(Resync {
            reason: document.reason?,
            epoch: Epoch::from_bytes(epoch.to_be_bytes()),
            floor: document.floor?,
        })
    }

    /// The refusal as an error, by what to do next. Its text is what the server says to people, and the code: one that
    /// this version does not know can be looked up at least.
    pub(super) fn into_error(self) -> Error {
        let Document { code, detail, pointer, limit, .. } = self.document;
        let said = if detail.is_empty() { "the server refuses this" } else { &detail };
        let mut error = Error::new(kind(self.status), format!("{said} ({code})"));
        error = error.with_status(self.status.as_u16());
        if let Some(code) = code::known(&code) {
            error = error.with_code(code);
        }
        if let Some(pointer) = pointer {
            error = error.with_pointer(pointer);
        }
        if let Some(limit) = limit {
            error = error.with_limit(limit);
        }
        if let Some(wait) = self.retry_after {
            error = error.with_retry_after(wait);
        }
        error
    }
}

fn kind(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        401 => ErrorKind::Unauthorized,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        429 | 503 => ErrorKind::Overloaded,
        400 | 405 | 406 | 409 | 411..=417 | 422 | 428 | 431 => ErrorKind::Invalid,
        408 | 500..=599 => ErrorKind::Unavailable,
        // A refusal that this version does not know, as 410 without what it needs: nothing is concluded from it.
        _ => ErrorKind::Distrusted,
    }
}
