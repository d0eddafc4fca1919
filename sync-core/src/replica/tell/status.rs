//! What a replica knows of its server besides the state: when it was last heard, what went wrong since, what comes next.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Timestamp;
use crate::error::Error;
use crate::replica::tell::states::SyncState;

/// How a replica stands with its server; see [`Replica::status`](crate::replica::Replica::status).
#[derive(Clone, Debug)]
pub struct Status {
    /// What it is doing.
    pub state: SyncState,
    /// When the server last told all it had, by the clock of the replica: at the end of a sync, or by a held request while
    /// it runs. `None` when it has not since this replica was opened.
    pub last_contact: Option<Timestamp>,
    /// What went wrong since then; [`Offline`](SyncState::Offline) and the other states of failure say only its kind.
    pub last_error: Option<Error>,
}

/// What is known of the server.
#[derive(Debug, Default)]
pub(crate) struct Contact(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    heard_at: Option<Timestamp>,
    error: Option<Error>,
    next_try: Option<Timestamp>,
}

impl Contact {
    /// The server told all it had.
    pub(crate) fn heard(&self, at: Timestamp) {
        self.known().heard_at = Some(at);
    }

    /// What went wrong since, if anything did.
    pub(crate) fn failed(&self, error: Option<&Error>) {
        self.known().error = error.cloned();
    }

    /// When a replica that runs asks the server next, whatever else happens; `None` when nobody is going to.
    pub(crate) fn plan(&self, next_try: Option<Timestamp>) {
        self.known().next_try = next_try;
    }

    pub(crate) fn next_try(&self) -> Option<Timestamp> {
        self.known().next_try
    }

    pub(crate) fn status(&self, state: SyncState) -> Status {
        let known = self.known();
        Status { state, last_contact: known.heard_at, last_error: known.error.clone() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
