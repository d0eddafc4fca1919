//! Wakes those who wait for a space to change.
//!
//! A hub keeps one slot per subscriber with the newest head in it. Heads that arrive while nobody looks overwrite each
//! other, so a slow subscriber costs a number and never a queue.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use crate::types::{Seq, SpaceId};

/// Distributes heads of spaces to subscribers in this process.
#[derive(Clone, Debug, Default)]
pub struct HintHub(Arc<Mutex<HashMap<SpaceId, Vec<Weak<Slot>>>>>);

type Slot = Mutex<(Option<Seq>, Option<Waker>)>;

/// The heads of one space as they move; see [`HintHub::subscribe`].
#[derive(Debug)]
pub struct Hints(Arc<Slot>);

impl HintHub {
    /// Follows the heads of `space` from now on.
    pub fn subscribe(&self, space: &SpaceId) -> Hints {
        let slot = Arc::new(Slot::default());
        let mut spaces = lock(&self.0);
        let slots = spaces.entry(space.clone()).or_default();
        slots.retain(|slot| slot.strong_count() > 0);
        slots.push(Arc::downgrade(&slot));
        Hints(slot)
    }

    /// Tells the subscribers of `space` that its head moved to `head`. Call it after the commit, never before.
    pub fn publish(&self, space: &SpaceId, head: Seq) {
        let mut spaces = lock(&self.0);
        let Some(slots) = spaces.get_mut(space) else { return };
        slots.retain(|slot| {
            let Some(slot) = slot.upgrade() else { return false };
            let mut slot = lock(&slot);
            slot.0 = slot.0.max(Some(head));
            if let Some(waker) = slot.1.take() {
                waker.wake();
            }
            true
        });
        if slots.is_empty() {
            spaces.remove(space);
        }
    }
}

impl Stream for Hints {
    type Item = Seq;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Seq>> {
        let mut slot = lock(&self.0);
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
        let (hub, space) = (HintHub::default(), SpaceId::new("a").unwrap());
        drop(hub.subscribe(&space));
        hub.publish(&space, Seq::new(1).unwrap());
        assert!(lock(&hub.0).is_empty());
    }
}
