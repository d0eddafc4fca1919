//! Following spaces: every change as it happens, in order, with nothing missing between what was asked for and what comes.
//!
//! - `hub`: the feed of one space, read once for all who follow it
//! - `watch`: the task behind a hub
//! - `subscription`: what one reader is given, from their cursor on

mod hub;
mod subscription;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::service::{Actor, Inner};
use crate::types::SpaceId;
use hub::{Hub, Seat};

pub use subscription::{Live, Subscription};

/// Rows and bytes of content of one frame. 64 KiB: what a reader holds while it is sent, so a thousand slow ones hold little; a
/// larger record travels alone.
const FRAME_ROWS_MAX: usize = 250;
const FRAME_BYTES_MAX: usize = 64 << 10;

/// How often the feed is looked at even if nobody says that it moved. 20 s: hints are seldom lost.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// The hubs of all spaces that someone follows.
#[derive(Debug, Default)]
pub(super) struct Hubs {
    by_space: Mutex<HashMap<SpaceId, Arc<Hub>>>,
    n_subscriptions: AtomicUsize,
}

/// The right to be one of those who follow; dropping it gives it back.
#[derive(Debug)]
struct Place(Arc<Inner>);

impl Place {
    fn take(inner: &Arc<Inner>) -> Result<Self> {
        let place = Self(Arc::clone(inner));
        if inner.hubs.n_subscriptions.fetch_add(1, Ordering::Relaxed) < inner.limits.subscriptions_max {
            return Ok(place);
        }
        let error = Error::new(ErrorKind::Overloaded, "too many follow spaces here");
        Err(error.with_retry_after(Duration::from_secs(5)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.hubs.n_subscriptions.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hubs {
    /// A seat at the hub of a space. The first one there starts its task, which reads as `actor`: where spaces are
    /// shared like this, everyone's view is the same.
    fn sit(inner: &Arc<Inner>, space: &SpaceId, actor: &Actor) -> Seat {
        let mut hubs = inner.hubs.lock();
        if let Some(seat) = hubs.get(space).and_then(Hub::sit) {
            return seat;
        }
        let hub = Arc::new(Hub::new(space.clone()));
        let seat = hub.sit().expect("a hub is not over before its task has run");
        hubs.insert(space.clone(), Arc::clone(&hub));
        drop(hubs);
        inner.runtime.spawn(Box::pin(watch::watch(Arc::clone(inner), hub, actor.clone())));
        seat
    }

    /// Forgets a hub that is over, unless another one has taken its place.
    fn forget(&self, hub: &Arc<Hub>) {
        let mut hubs = self.lock();
        if hubs.get(&hub.space).is_some_and(|current| Arc::ptr_eq(current, hub)) {
            hubs.remove(&hub.space);
        }
    }

    /// Every change of the map is whole when the lock is let go.
    fn lock(&self) -> MutexGuard<'_, HashMap<SpaceId, Arc<Hub>>> {
        self.by_space.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
