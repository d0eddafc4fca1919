//! One replica per store and space: opening it twice is refused.
//!
//! Backends refuse a second process by a lock on their file. Within a process, a second replica over the same store would
//! share its outbox and hear nothing of its changes, so it is refused, too; clones of a [`Replica`](super::Replica) are
//! what is meant.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::store::Store;
use crate::types::SpaceId;

/// The replicas of this process, by the place of their store in memory and their space.
static OPEN: Mutex<BTreeSet<(usize, SpaceId)>> = Mutex::new(BTreeSet::new());

/// The right to be the only replica of a space in a store; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Alone {
    key: (usize, SpaceId),
    is_given_back: AtomicBool,
}

impl Alone {
    pub(crate) fn claim(store: &Arc<dyn Store>, space: &SpaceId) -> Result<Self> {
        let key = (Arc::as_ptr(store).cast::<()>().addr(), space.clone());
        if open().insert(key.clone()) {
            return Ok(Self { key, is_given_back: AtomicBool::new(false) });
        }
        let message = format!(
            "a replica of space {space} is open over this store already: clone that one, or `close` it before"
        );
        Err(Error::new(ErrorKind::Incompatible, message))
    }
}

impl Alone {
    /// Gives it back before its owner goes. Once: by then it may be another's.
    pub(crate) fn give_back(&self) {
        if !self.is_given_back.swap(true, Ordering::SeqCst) {
            open().remove(&self.key);
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        self.give_back();
    }
}

fn open() -> MutexGuard<'static, BTreeSet<(usize, SpaceId)>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}
