//! Why a connection ends, as the number and the word that clients see.

use bytes::Bytes;

use crate::problem::{Code, Problem};

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The other side is gone.
    Gone,
    /// The other side closes it, for this reason if it named one, and is told the same.
    Answered(Option<u16>),
    /// It is closed from here.
    Closed(u16, &'static str),
}

impl End {
    pub(super) const PROTOCOL: Self = Self::Closed(1002, "not WebSocket");
    pub(super) const BINARY: Self = Self::Closed(1003, "messages are text");
    pub(super) const NOT_UTF8: Self = Self::Closed(1007, "not UTF-8");
    pub(super) const MISUSE: Self = Self::Closed(1008, "too much that makes no sense");
    pub(super) const TOO_MANY: Self = Self::Closed(1008, "rate_limited");
    pub(super) const TOO_BIG: Self = Self::Closed(1009, "the message is too large");
    pub(super) const RESTART: Self = Self::Closed(1012, "the server restarts");
    pub(super) const SLOW: Self = Self::Closed(1013, "what is sent is not taken: come back with your cursor");
    pub(super) const BUSY: Self = Self::Closed(1013, "the server is busy: come back later");
    pub(super) const BAD_CURSOR: Self = Self::Closed(4400, "invalid_cursor");
    pub(super) const SILENT: Self = Self::Closed(4408, "nothing was heard in time");

    /// The end of one who may not go on.
    pub(super) fn lost(problem: &Problem) -> Self {
        let code = problem.code();
        match code {
            Code::SpaceNotFound | Code::ForbiddenRole => Self::Closed(4403, code.as_str()),
            _ if code.status() == 401 => Self::Closed(4401, code.as_str()),
            // Nobody knows who they are: that is no reason to forget a token.
            _ => Self::BUSY,
        }
    }

    /// Whether it comes of what they sent.
    pub(super) fn is_misuse(self) -> bool {
        matches!(self, Self::Closed(1008 | 4400, _))
    }

    /// What is written before the end: the number and the word.
    pub(super) fn content(self) -> Option<Bytes> {
        match self {
            Self::Gone => None,
            Self::Answered(None) => Some(Bytes::new()),
            Self::Answered(Some(code)) => Some(Bytes::copy_from_slice(&code.to_be_bytes())),
            Self::Closed(code, reason) => Some([&code.to_be_bytes(), reason.as_bytes()].concat().into()),
        }
    }
}
