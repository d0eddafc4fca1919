//! How a replica stands with its server right now, as a user interface shows it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::replica::tell::latest::{Follower, Latest};
use crate::replica::tell::progress::Progress;

/// What a replica is doing about its server. What waits to be sent is counted by [`unsent`](crate::replica::Replica::unsent).
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncState {
    /// Nothing is under way: the last sync did all there was to do, or there was none yet.
    #[default]
    Idle,
    /// A sync has begun, and the server has not answered yet.
    Connecting,
    /// A sync is under way.
    Syncing(Progress),
    /// The last sync failed, and a later one can do without help.
    Offline {
        /// When a replica that [runs](crate::replica::Replica::run) tries again at the latest, by the clock of the replica,
        /// whoever made the attempt that failed; `None` when nobody is going to.
        retry_at: Option<Timestamp>,
        /// What kind of failure it was; [`Status`](crate::replica::Status) has the error itself.
        why: ErrorKind,
    },
    /// The server asks for a new sign-in.
    NeedsSignIn,
    /// The server takes no edits from here. What others do arrives all the same.
    ReadOnly,
    /// The space cannot be found at the server, or may not be read any more.
    NoAccess,
    /// It cannot go on without a person.
    Stopped {
        /// What kind of failure it was.
        why: ErrorKind,
    },
}

/// The states of a replica as they follow each other; see [`Replica::states`](crate::replica::Replica::states).
#[derive(Debug)]
pub struct States(Follower<SyncState>);

impl States {
    pub(crate) fn new(follower: Follower<SyncState>) -> Self {
        Self(follower)
    }
}

impl Stream for States {
    type Item = SyncState;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SyncState>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl SyncState {
    /// Where a failure leads, if it is tried again at `retry_at`.
    pub(crate) fn after(error: &Error, retry_at: Option<Timestamp>) -> Self {
        match error.kind() {
            ErrorKind::Unauthorized => Self::NeedsSignIn,
            ErrorKind::Forbidden | ErrorKind::NotFound => Self::NoAccess,
            why @ (ErrorKind::Corrupt | ErrorKind::Incompatible) => Self::Stopped { why },
            why if retry_at.is_some() || error.is_retryable() => Self::Offline { retry_at, why },
            why => Self::Stopped { why },
        }
    }
}

impl Latest<SyncState> {
    /// Shows a state, unless it shows already.
    pub(crate) fn show(&self, state: SyncState) {
        if self.get() != state {
            self.set(state);
        }
    }

    /// Shows that a sync begins.
    pub(crate) fn begin(&self) -> Shown<'_> {
        self.show(SyncState::Connecting);
        Shown { states: self, is_over: false }
    }
}

/// A sync as it is shown. When it is dropped before its end, nothing is under way any more.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    states: &'a Latest<SyncState>,
    is_over: bool,
}

impl Shown<'_> {
    pub(crate) fn progress(&self, progress: Progress) {
        self.states.show(SyncState::Syncing(progress));
    }

    /// It is over; whoever ran it says where that leads.
    pub(crate) fn end(mut self) {
        self.is_over = true;
    }
}

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.states.show(SyncState::Idle);
        }
    }
}
