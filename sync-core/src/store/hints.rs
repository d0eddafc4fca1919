//! Wakes those who wait for a space to change.
//!
//! A hub keeps one slot per subscriber with the newest head in it. Heads that arrive while nobody looks overwrite each
//! other, so a slow subscriber costs a number and never a queue.

use std::collections::{BTreeMap, HashMap};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use crate::types::{Seq, SpaceId};

/// Who is told of each commit that moved the head of a space, after it.
pub trait OnCommit: Send + Sync + std::fmt::Debug {
    /// The head of `space` is at `head` or after it. Called by whoever committed; must not block.
    fn moved(&self, space: &SpaceId, head: Seq);
}

/// Distributes heads of spaces to subscribers in this process.
#[derive(Clone, Debug, Default)]
pub struct HintHub(Arc<Mutex<Subscribers>>);

/// Who listens, by space and by a number of their own. A space is in here only while someone listens to it.
#[derive(Debug, Default)]
struct Subscribers {
    n_ever: u64,
    spaces: HashMap<SpaceId, BTreeMap<u64, Arc<Slot>>>,
}

type Slot = Mutex<(Option<Seq>, Option<Waker>)>;

/// The heads of one space as they move; see [`HintHub::subscribe`].
#[derive(Debug)]
pub struct Hints {
    hub: HintHub,
    space: SpaceId,
    number: u64,
    slot: Arc<Slot>,
}

impl HintHub {
    /// Follows the heads of `space` from now on.
    pub fn subscribe(&self, space: &SpaceId) -> Hints {
        let slot = Arc::new(Slot::default());
        let mut subscribers = lock(&self.0);
        subscribers.n_ever += 1;
        let number = subscribers.n_ever;
        subscribers.spaces.entry(space.clone()).or_default().insert(number, Arc::clone(&slot));
        Hints { hub: self.clone(), space: space.clone(), number, slot }
    }

    /// The spaces that someone follows, in no order.
    pub fn followed(&self) -> Vec<SpaceId> {
        lock(&self.0).spaces.keys().cloned().collect()
    }

    /// Tells the subscribers of `space` that its head moved to `head`. Call it after the commit, never before.
    pub fn publish(&self, space: &SpaceId, head: Seq) {
        let mut wakers = Vec::new();
        if let Some(slots) = lock(&self.0).spaces.get(space) {
            for slot in slots.values() {
                let mut slot = lock(slot);
                slot.0 = slot.0.max(Some(head));
                wakers.extend(slot.1.take());
            }
        }
        // Without the lock: a runtime that shuts down drops the task it should wake, and with it the task's hints.
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl OnCommit for HintHub {
    fn moved(&self, space: &SpaceId, head: Seq) {
        self.publish(space, head);
    }
}

impl Drop for Hints {
    fn drop(&mut self) {
        let mut subscribers = lock(&self.hub.0);
        let Some(slots) = subscribers.spaces.get_mut(&self.space) else { return };
        slots.remove(&self.number);
        if slots.is_empty() {
            subscribers.spaces.remove(&self.space);
        }
    }
}

impl Stream for Hints {
    type Item = Seq;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Seq>> {
        let mut slot = lock(&self.slot);
        match slot.0.take() {
            Some(head) => Poll::Ready(Some(head)),
            None => {
                slot.1 = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;

    #[test]
    fn heads_that_nobody_read_yet_arrive_as_the_newest_one() {
        let (hub, space) = (HintHub::default(), SpaceId::new("a").unwrap());
        let mut hints = hub.subscribe(&space);
        assert_eq!(hints.next().now_or_never(), None);
        hub.publish(&space, Seq::new(3).unwrap());
        hub.publish(&space, Seq::new(5).unwrap());
        hub.publish(&SpaceId::new("b").unwrap(), Seq::new(9).unwrap());
        assert_eq!(hints.next().now_or_never(), Some(Some(Seq::new(5).unwrap())));
        assert_eq!(hints.next().now_or_never(), None);
    }

    #[test]
    fn a_dropped_subscriber_leaves_nothing_behind() {
        // Also when there never was such a space, so that nothing is ever published there.
        let (hub, space) = (HintHub::default(), SpaceId::new("a").unwrap());
        let (first, mut second) = (hub.subscribe(&space), hub.subscribe(&space));
        drop(first);
        hub.publish(&space, Seq::new(1).unwrap());
        assert_eq!(second.next().now_or_never(), Some(Some(Seq::new(1).unwrap())));
        assert_eq!(hub.followed(), [space]);
        drop(second);
        assert!(hub.followed().is_empty());
    }
}
