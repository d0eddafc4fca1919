//! Noticing that someone waits for themselves: an edit through a replica, made inside a transaction of the same replica,
//! would wait for the end of the transaction, which waits for the edit.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::replica::Replica;

thread_local! {
    /// The replicas inside whose transactions this thread is right now, by their place in memory.
    static WITHIN: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, this thread is inside a transaction.
struct Mark;

impl Mark {
    fn set(replica: usize) -> Self {
        WITHIN.with_borrow_mut(|within| within.push(replica));
        Self
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        WITHIN.with_borrow_mut(Vec::pop);
    }
}

impl Replica {
    fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Carries out what belongs to a transaction of this replica.
    pub(crate) async fn within<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|cx| {
            let _mark = Mark::set(self.place());
            work.as_mut().poll(cx)
        })
        .await
    }

    /// Refuses what would wait for itself. It sees only what is done in the code of the transaction, not in a task that
    /// the transaction waits for.
    pub(crate) fn refuse_within(&self) -> Result<()> {
        if !WITHIN.with_borrow(|within| within.contains(&self.place())) {
            return Ok(());
        }
        let message = "this would wait for the transaction it is made in: use what the transaction is handed";
        Err(Error::new(ErrorKind::Invalid, message))
    }
}
