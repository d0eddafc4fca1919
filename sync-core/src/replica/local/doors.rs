//! Closing: who works here, and that nobody else comes in.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::StreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::replica::Replica;
use crate::replica::tell::latest::Latest;

/// Counts the tasks of a replica, and lets no more in once it is closed.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    state: Mutex<State>,
    /// Set when it is closed, and when the last task has left after that.
    steps: Latest<()>,
}

#[derive(Debug, Default)]
struct State {
    n_inside: usize,
    is_closed: bool,
}

/// A task at work; dropping it says that it is done.
pub(crate) struct Inside(Arc<Doors>);

impl Doors {
    /// Begins a task; `None` once it is closed.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<Inside> {
        let mut state = self.lock();
        if state.is_closed {
            return None;
        }
        state.n_inside += 1;
        Some(Inside(Arc::clone(self)))
    }

    fn close(&self) {
        self.lock().is_closed = true;
        self.steps.set(());
    }

    /// Waits until it is closed.
    pub(crate) async fn closed(&self) {
        self.wait_until(|state| state.is_closed).await;
    }

    /// Waits until nobody works here any more.
    async fn empty(&self) {
        self.wait_until(|state| state.n_inside == 0).await;
    }

    async fn wait_until(&self, is_so: impl Fn(&State) -> bool) {
        let mut steps = self.steps.follow();
        while !is_so(&self.lock()) {
            steps.next().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.n_inside -= 1;
        let is_last = state.is_closed && state.n_inside == 0;
        drop(state);
        if is_last {
            self.0.steps.set(());
        }
    }
}

impl Replica {
    /// Closes this replica and all its clones: waits for what is being written, ends [`run`](Replica::run), and gives the
    /// space back, so that it can be opened again over the same store at once. What waits to be sent stays where it is.
    ///
    /// Dropping the last clone does the same, but only when what was begun has ended, some time later. After it was
    /// closed, all that other clones are asked for fails with [`Incompatible`](ErrorKind::Incompatible), and their
    /// watches tell nothing any more. Not to be called inside a [`transaction`](Replica::transaction), for whose end it
    /// waits.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let store = Arc::new(MemoryStore::default());
    /// let replica = Replica::open(store.clone(), SpaceId::new("family")?, options.clone()).await?;
    /// replica.put("notes", "1", "milk").await?;
    /// replica.close().await;
    /// let again = Replica::open(store, SpaceId::new("family")?, options).await?;
    /// assert_eq!(again.get("notes", "1").await?, Some("milk".to_owned()));
    /// # Ok(()) }
    /// ```
    pub async fn close(self) {
        self.0.doors.close();
        // Whoever waits looks again, and hears that it is closed.
        self.0.signals.steps.set(());
        self.0.doors.empty().await;
        self.0.alone.give_back();
    }

    /// What a replica that was closed says.
    pub(crate) fn closed(&self) -> Error {
        let message = format!("the replica of space {} was closed: open it again", self.space());
        Error::new(ErrorKind::Incompatible, message)
    }

    pub(crate) fn enter(&self) -> Result<Inside> {
        self.0.doors.enter().ok_or_else(|| self.closed())
    }
}
