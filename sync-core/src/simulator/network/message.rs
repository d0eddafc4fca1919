//! What travels, and that it can be read at the other end.

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    PullPage, PullReply, PullRequest, PushDone, PushReply, PushRequest, SnapshotItem, SnapshotRequest,
};
use crate::service::{Actor, Service};
use crate::types::SpaceId;

/// What a replica asks.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Push(PushRequest),
    Pull(PullRequest),
    Snapshot(SnapshotRequest),
}

/// What a server says.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Push(PushReply),
    Pull(PullReply),
    /// A part of a snapshot, as lines.
    Snapshot(String),
}

impl Request {
    /// Asks a service.
    pub(crate) async fn ask(self, service: &Service, actor: &Actor, space: &SpaceId) -> Result<Answer> {
        match self {
            Self::Push(push) => service.push(actor, space, push).await.map(Answer::Push),
            Self::Pull(pull) => service.pull(actor, space, pull).await.map(Answer::Pull),
            Self::Snapshot(request) => {
                let page = service.snapshot(actor, space, &request).await?;
                Ok(Answer::Snapshot(page.to_lines()))
            }
        }
    }

    /// The request as it is read from what was written. Only pushes have a body.
    pub(crate) fn through_text(self) -> Result<Self> {
        match self {
            Self::Push(push) => PushRequest::from_json(push.to_json().as_bytes()).map(Self::Push),
            other => Ok(other),
        }
    }

    /// What a server makes of the first `n` bytes of the body; `None` when it has none.
    pub(crate) fn cut(&self, n: usize) -> Option<Result<PushRequest>> {
        let Self::Push(push) = self else { return None };
        let text = push.to_json();
        Some(PushRequest::from_json(&text.as_bytes()[..n % text.len()]))
    }
}

impl Answer {
    /// The answer as it is read from what was written.
    pub(crate) fn through_text(self) -> Result<Self> {
        match self {
            Self::Push(PushReply::Done(done)) => {
                PushDone::from_json(done.to_json().as_bytes()).map(|done| Self::Push(PushReply::Done(done)))
            }
            Self::Pull(PullReply::Page(page)) => {
                PullPage::from_json(page.to_json().as_bytes()).map(|page| Self::Pull(PullReply::Page(page)))
            }
            other => Ok(other),
        }
    }

    /// What a replica makes of the first bytes of the body, chosen by `n`; `None` when it has no body, or one that may be
    /// cut.
    pub(crate) fn cut(&self, n: usize) -> Option<Result<()>> {
        match self {
            Self::Push(PushReply::Done(done)) => {
                let text = done.to_json();
                Some(PushDone::from_json(&text.as_bytes()[..n % text.len()]).map(|_| ()))
            }
            Self::Pull(PullReply::Page(page)) => {
                let text = page.to_json();
                Some(PullPage::from_json(&text.as_bytes()[..n % text.len()]).map(|_| ()))
            }
            _ => None,
        }
    }
}

/// The items of a part of a snapshot. What is after the last line end was cut.
pub(crate) fn items(lines: &str) -> Vec<Result<SnapshotItem>> {
    let whole = lines.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
    whole.map(SnapshotItem::from_line).collect()
}

/// An error of a service as a replica sees it through a server.
pub(crate) fn seen_from_outside(error: &Error) -> Error {
    use ErrorKind as K;
    let kind = match error.kind() {
        K::Contended | K::Overloaded | K::Unavailable | K::Incompatible | K::Corrupt => K::Overloaded,
        K::StorageFull | K::Internal => K::Unavailable,
        kind => kind,
    };
    let mut seen = Error::new(kind, format!("the server refuses: {error}"));
    if let Some(code) = error.code() {
        seen = seen.with_code(code);
    }
    if let Some(wait) = error.retry_after() {
        seen = seen.with_retry_after(wait);
    }
    seen
}
