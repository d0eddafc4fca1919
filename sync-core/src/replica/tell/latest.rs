//! A value that changes, of which those who follow it see the newest: whoever is slow misses what was in between, and
//! nobody waits for them.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

/// The owner of the value. When it goes, the streams of its followers end.
#[derive(Debug)]
pub(crate) struct Latest<T>(Arc<Mutex<Slot<T>>>);

#[derive(Debug)]
struct Slot<T> {
    value: T,
    /// How often it was set.
    n_set: u64,
    is_closed: bool,
    n_followers_ever: u64,
    wakers: BTreeMap<u64, Waker>,
}

/// A stream of the value as it is set: the newest of what was set since it was last looked at.
#[derive(Debug)]
pub(crate) struct Follower<T> {
    slot: Arc<Mutex<Slot<T>>>,
    number: u64,
    n_seen: u64,
}

impl<T: Default> Default for Latest<T> {
    fn default() -> Self {
        let (value, wakers) = (T::default(), BTreeMap::new());
        let slot = Slot { value, n_set: 1, is_closed: false, n_followers_ever: 0, wakers };
        Self(Arc::new(Mutex::new(slot)))
    }
}

impl<T> Latest<T> {
    /// Sets the value.
    pub(crate) fn set(&self, value: T) {
        let wakers = {
            let mut slot = lock(&self.0);
            (slot.value, slot.n_set) = (value, slot.n_set + 1);
            std::mem::take(&mut slot.wakers)
        };
        // Without the lock: whoever is woken may drop a follower.
        wakers.into_values().for_each(Waker::wake);
    }

    /// Follows the value. The first item is the one it has now.
    pub(crate) fn follow(&self) -> Follower<T> {
        let mut follower = self.follow_news();
        follower.n_seen = 0;
        follower
    }

    /// Follows the value from the next time it is set.
    pub(crate) fn follow_news(&self) -> Follower<T> {
        let mut slot = lock(&self.0);
        slot.n_followers_ever += 1;
        Follower { slot: Arc::clone(&self.0), number: slot.n_followers_ever, n_seen: slot.n_set }
    }
}

impl<T: Clone> Latest<T> {
    /// The value.
    pub(crate) fn get(&self) -> T {
        lock(&self.0).value.clone()
    }
}

impl<T> Follower<T> {
    /// Forgets what was set until now.
    pub(crate) fn catch_up(&mut self) {
        self.n_seen = lock(&self.slot).n_set;
    }
}

impl<T: Clone> Stream for Follower<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let mut slot = lock(&this.slot);
        if slot.n_set > this.n_seen {
            this.n_seen = slot.n_set;
            return Poll::Ready(Some(slot.value.clone()));
        }
        if slot.is_closed {
            return Poll::Ready(None);
        }
        slot.wakers.insert(this.number, cx.waker().clone());
        Poll::Pending
    }
}

impl<T> Drop for Latest<T> {
    fn drop(&mut self) {
        let wakers = {
            let mut slot = lock(&self.0);
            slot.is_closed = true;
            std::mem::take(&mut slot.wakers)
        };
        wakers.into_values().for_each(Waker::wake);
    }
}

impl<T> Drop for Follower<T> {
    fn drop(&mut self) {
        lock(&self.slot).wakers.remove(&self.number);
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
    fn a_slow_follower_sees_the_newest_value_and_then_the_end() {
        let latest = Latest::<u32>::default();
        let (mut all, mut news) = (latest.follow(), latest.follow_news());
        assert_eq!(all.next().now_or_never(), Some(Some(0)));
        assert_eq!((all.next().now_or_never(), news.next().now_or_never()), (None, None));
        (1..4).for_each(|n| latest.set(n));
        assert_eq!((latest.get(), all.next().now_or_never()), (3, Some(Some(3))));
        assert_eq!(all.next().now_or_never(), None);
        news.catch_up();
        assert_eq!(news.next().now_or_never(), None);
        latest.set(4);
        drop(latest);
        assert_eq!((news.next().now_or_never(), news.next().now_or_never()), (Some(Some(4)), Some(None)));
    }

    #[test]
    fn a_dropped_follower_leaves_nothing_behind() {
        let latest = Latest::<u32>::default();
        let mut follower = latest.follow_news();
        assert_eq!(follower.next().now_or_never(), None);
        drop(follower);
        assert!(lock(&latest.0).wakers.is_empty());
    }
}
