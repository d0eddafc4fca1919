//! How a replica stands with its server right now, as a user interface shows it.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind};
use crate::replica::latest::{Follower, Latest};
use crate::replica::{Progress, Replica};

/// What a replica is doing about its server. What waits to be sent is counted by [`unsent`](Replica::unsent).
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
        /// When it is tried again, by the clock of the replica; `None` when nobody is going to.
        retry_at: Option<Timestamp>,
        /// What kind of failure it was.
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

/// The states of a replica as they follow each other; see [`Replica::states`].
#[derive(Debug)]
pub struct States(Follower<SyncState>);

impl Stream for States {
    type Item = SyncState;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<SyncState>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl Replica {
    /// The states of this replica: the one it is in, and then those that follow, whoever syncs. A reader that is slow
    /// sees the newest one, and nobody waits for it. The stream ends when every handle to the replica is gone.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use futures_util::StreamExt;
    /// use sync_core::replica::SyncState;
    ///
    /// let mut states = replica.states();
    /// assert_eq!(states.next().await, Some(SyncState::Idle));
    /// drop(replica);
    /// assert_eq!(states.next().await, None);
    /// # Ok(()) }
    /// ```
    pub fn states(&self) -> States {
        States(self.0.signals.states.follow())
    }

    /// The state that this replica is in.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::replica::SyncState;
    /// if let SyncState::NeedsSignIn = replica.sync_state() {
    ///     println!("please sign in");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn sync_state(&self) -> SyncState {
        self.0.signals.states.get()
    }
}

impl SyncState {
    /// Where a failure leads, if it is tried again at `retry_at`.
    pub(super) fn after(error: &Error, retry_at: Option<Timestamp>) -> Self {
        match error.kind() {
            ErrorKind::Unauthorized => Self::NeedsSignIn,
            ErrorKind::Forbidden | ErrorKind::NotFound => Self::NoAccess,
            why if retry_at.is_some() || error.is_retryable() => Self::Offline { retry_at, why },
            why => Self::Stopped { why },
        }
    }
}

impl Latest<SyncState> {
    /// Shows a state, unless it shows already.
    pub(super) fn show(&self, state: SyncState) {
        if self.get() != state {
            self.set(state);
        }
    }

    /// Shows that a sync begins.
    pub(super) fn begin(&self) -> Shown<'_> {
        self.show(SyncState::Connecting);
        Shown { states: self, is_over: false }
    }
}

/// A sync as it is shown. When it is dropped before its end, nothing is under way any more.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    states: &'a Latest<SyncState>,
    is_over: bool,
}

impl Shown<'_> {
    pub(super) fn progress(&self, progress: Progress) {
        self.states.show(SyncState::Syncing(progress));
    }

    /// It is over; whoever ran it says where that leads.
    pub(super) fn end(mut self) {
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
