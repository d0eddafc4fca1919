//! Watching: what changed in the collections of a replica, as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::json::Json;
use crate::replica::tell::hub::Subscription;
use crate::types::{Collection, RecordKey};

/// Something a [`Watch`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record has other content now.
    Changed(Change),
    /// So much changed at once, or so much while nobody looked, that it is not told one by one: read again what is
    /// shown. It stands for every change before it that was not told. Every load of the space ends with one, the first
    /// one too, also when there is nothing in the space; two in a row mean no more than one.
    Reload,
}

/// A record that has other content than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which record.
    pub key: RecordKey,
    /// Its content now; `None` when it was deleted.
    pub data: Option<Json>,
    /// Where the change came from.
    pub origin: Origin,
}

/// Where a change came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It was made here.
    Local,
    /// The server has it so: someone else made it, or refused what was made here.
    Remote,
    /// What was made here was joined with what others made.
    Merge,
}

/// The changes of a replica from the moment it was asked for; see [`Replica::watch`](crate::replica::Replica::watch).
///
/// The stream ends when every handle to the replica is gone. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Watch(Subscription);

impl Watch {
    pub(crate) fn new(subscription: Subscription) -> Self {
        Self(subscription)
    }
}

impl Stream for Watch {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next(cx)
    }
}

/// Whether changes of this record are told: the other books of the library are nobody's business.
pub(crate) fn is_told(key: &RecordKey) -> bool {
    !key.collection.is_system() || key.collection.as_str() == Collection::CONFLICTS
}
