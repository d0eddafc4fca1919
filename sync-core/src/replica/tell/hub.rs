//! Tells watchers of changes: after the commit, in the order of commits, each watcher through a bounded queue of its own.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::error::{ErrorKind, Result};
use crate::replica::tell::watch::{Change, Event};
use crate::types::Collection;

/// Changes that wait for one watcher. A page of the server has a thousand, so one commit fits whole.
const QUEUE_CHANGES_MAX: usize = 1024;
/// Content that waits for one watcher: twice a page, and no more memory than an application can spare.
const QUEUE_BYTES_MAX: usize = 16 << 20;

/// Everyone who watches a replica. Goes with the replica, and ends the watches then.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    watchers: Arc<Mutex<Watchers>>,
}

/// Who watches, by a number of their own.
#[derive(Debug, Default)]
struct Watchers {
    n_ever: u64,
    queues: BTreeMap<u64, Arc<Mutex<Queue>>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// `None` for all collections of the application.
    collections: Option<BTreeSet<Collection>>,
    changes: VecDeque<Change>,
    n_bytes: usize,
    /// Instead of changes: read again.
    must_reload: bool,
    is_closed: bool,
    waker: Option<Waker>,
}

/// A place among the watchers; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Subscription {
    watchers: Arc<Mutex<Watchers>>,
    number: u64,
    queue: Arc<Mutex<Queue>>,
}

impl Hub {
    /// Whether anyone watches.
    pub(crate) fn is_watched(&self) -> bool {
        !lock(&self.watchers).queues.is_empty()
    }

    /// Tells what a commit changed. If it is not known what, because nobody watched when it began, or whether it
    /// happened at all, everyone is to look.
    pub(crate) fn tell(&self, committed: &Result<()>, changes: Option<&[Change]>) {
        match (committed, changes) {
            (Ok(()), Some(changes)) => self.publish(changes),
            (Ok(()), None) => self.reload(),
            (Err(error), _) if error.kind() == ErrorKind::Unavailable => self.reload(),
            (Err(_), _) => {}
        }
    }

    /// Watches these collections from now on; `None` for all of the application.
    pub(crate) fn subscribe(&self, collections: Option<BTreeSet<Collection>>) -> Subscription {
        let queue = Arc::new(Mutex::new(Queue { collections, ..Queue::default() }));
        let mut watchers = lock(&self.watchers);
        watchers.n_ever += 1;
        let number = watchers.n_ever;
        watchers.queues.insert(number, Arc::clone(&queue));
        Subscription { watchers: Arc::clone(&self.watchers), number, queue }
    }

    /// Tells everyone to read again: so much has changed that it is not told one by one, or it is not known what.
    pub(crate) fn reload(&self) {
        self.each(Queue::reload);
    }

    fn publish(&self, changes: &[Change]) {
        if !changes.is_empty() {
            self.each(|queue| changes.iter().for_each(|change| queue.push(change)));
        }
    }

    fn each(&self, tell: impl Fn(&mut Queue)) {
        let mut wakers = Vec::new();
        for queue in lock(&self.watchers).queues.values() {
            let mut queue = lock(queue);
            tell(&mut queue);
            if queue.is_ready() {
                wakers.extend(queue.waker.take());
            }
        }
        // Without the lock: whoever is woken may drop a watch.
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.each(|queue| queue.is_closed = true);
    }
}

impl Queue {
    fn push(&mut self, change: &Change) {
        // Who is yet to read everything will read this, too.
        if self.must_reload || !self.is_wanted(&change.key.collection) {
            return;
        }
        self.n_bytes = self.n_bytes.saturating_add(len(change));
        if self.changes.len() >= QUEUE_CHANGES_MAX || self.n_bytes > QUEUE_BYTES_MAX {
            return self.reload();
        }
        self.changes.push_back(change.clone());
    }

    fn is_wanted(&self, collection: &Collection) -> bool {
        match &self.collections {
            Some(collections) => collections.contains(collection),
            None => !collection.is_system() && !collection.is_tree(),
        }
    }

    fn reload(&mut self) {
        self.changes = VecDeque::new();
        (self.n_bytes, self.must_reload) = (0, true);
    }

    fn is_ready(&self) -> bool {
        self.must_reload || self.is_closed || !self.changes.is_empty()
    }

    fn next(&mut self) -> Option<Event> {
        if std::mem::take(&mut self.must_reload) {
            return Some(Event::Reload);
        }
        let change = self.changes.pop_front()?;
        self.n_bytes -= len(&change);
        Some(Event::Changed(change))
    }
}

impl Subscription {
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.queue);
        match queue.next() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.is_closed => Poll::Ready(None),
            None => {
                queue.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.watchers).queues.remove(&self.number);
    }
}

fn len(change: &Change) -> usize {
    change.data.as_ref().map_or(0, |data| data.as_str().len())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt};

    use super::*;
    use crate::error::Error;
    use crate::json::Json;
    use crate::replica::tell::watch::{Origin, Watch};
    use crate::types::{RecordId, RecordKey};

    fn change(n: usize, text: &str) -> Change {
        let key = RecordKey::new(Collection::new("notes").unwrap(), RecordId::new(n.to_string()).unwrap());
        let data = Json::from_value(&serde_json::Value::from(text)).unwrap();
        Change { key, data: Some(data), origin: Origin::Local }
    }

    fn tell(hub: &Hub, committed: Result<Vec<Change>>) {
        let (committed, changes) = match committed {
            Ok(changes) => (Ok(()), Some(changes)),
            Err(error) => (Err(error), None),
        };
        hub.tell(&committed, changes.as_deref());
    }

    fn waiting(watch: &mut Watch) -> Vec<Event> {
        std::iter::from_fn(|| watch.next().now_or_never().flatten()).collect()
    }

    #[test]
    fn an_overflowing_queue_is_one_reload_and_what_comes_after_it_is_told() {
        let hub = Hub::default();
        let mut watch = Watch::new(hub.subscribe(None));
        let full: Vec<Change> = (0..QUEUE_CHANGES_MAX).map(|n| change(n, "")).collect();
        tell(&hub, Ok(full.clone()));
        assert_eq!(waiting(&mut watch).len(), QUEUE_CHANGES_MAX, "a full queue is told");
        tell(&hub, Ok(full));
        tell(&hub, Ok(vec![change(0, "one too many")]));
        tell(&hub, Ok(vec![change(1, "covered by the reload")]));
        assert_eq!(waiting(&mut watch), [Event::Reload]);
        tell(&hub, Ok(vec![change(2, "after")]));
        assert_eq!(waiting(&mut watch), [Event::Changed(change(2, "after"))]);
    }

    #[test]
    fn a_queue_is_bounded_by_its_content_too() {
        let hub = Hub::default();
        let mut watch = Watch::new(hub.subscribe(None));
        let large = "x".repeat(1 << 19);
        for n in 0..QUEUE_BYTES_MAX / large.len() {
            tell(&hub, Ok(vec![change(n, &large)]));
        }
        assert_eq!(waiting(&mut watch), [Event::Reload]);
        tell(&hub, Ok(vec![change(0, &large)]));
        assert_eq!(waiting(&mut watch).len(), 1, "what was read does not count any more");
    }

    #[test]
    fn a_commit_of_which_nothing_is_known_is_a_reload_and_one_that_failed_is_nothing() {
        let hub = Hub::default();
        let mut watch = Watch::new(hub.subscribe(None));
        tell(&hub, Err(Error::new(ErrorKind::Contended, "no")));
        assert_eq!(waiting(&mut watch), []);
        tell(&hub, Err(Error::new(ErrorKind::Unavailable, "who knows")));
        assert_eq!(waiting(&mut watch), [Event::Reload]);
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind_and_a_dropped_hub_ends_the_watch() {
        let hub = Hub::default();
        let (first, mut second) = (Watch::new(hub.subscribe(None)), Watch::new(hub.subscribe(None)));
        drop(first);
        assert_eq!(lock(&hub.watchers).queues.len(), 1);
        tell(&hub, Ok(vec![change(1, "last")]));
        drop(hub);
        assert_eq!(second.next().now_or_never(), Some(Some(Event::Changed(change(1, "last")))));
        assert_eq!(second.next().now_or_never(), Some(None));
    }
}
