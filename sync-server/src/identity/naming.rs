//! One at a time for each name of a space: what is made under a name that is just being deleted must not go with it.

use std::hash::{DefaultHasher, Hash, Hasher};

use sync_core::SpaceId;
use tokio::sync::{Mutex, MutexGuard};

/// Names that may be worked on at once, at least. 64: more than a server deletes at a time.
const STRIPES: usize = 64;

/// Whose turn it is, by name. Names that fall together wait for each other, which only costs time.
#[derive(Debug)]
pub(super) struct Naming([Mutex<()>; STRIPES]);

impl Default for Naming {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }
}

impl Naming {
    /// Waits for the turn of a name.
    pub(super) async fn turn(&self, space: &SpaceId) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        space.hash(&mut hasher);
        let stripe = usize::try_from(hasher.finish() % STRIPES as u64).unwrap_or_default();
        self.0[stripe].lock().await
    }
}
