//! Watching: what changed in the collections of a replica, as a stream.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;

use crate::error::Result;
use crate::json::Json;
use crate::replica::Replica;
use crate::replica::access::collection_name;
use crate::replica::hub::Subscription;
use crate::types::{Collection, RecordKey};

/// Something a [`Watch`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record has other content now.
    Changed(Change),
    /// So much changed at once, or so much while nobody looked, that it is not told one by one: read again what is
    /// shown. It stands for every change before it that was not told.
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

/// The changes of a replica from the moment it was asked for; see [`Replica::watch`].
///
/// The stream ends when every handle to the replica is gone. Dropping it unsubscribes.
#[derive(Debug)]
pub struct Watch(Subscription);

impl Watch {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self(subscription)
    }
}

impl Stream for Watch {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next(cx)
    }
}

impl Replica {
    /// Tells every change of these collections from now on, whoever makes it; of all collections of the application if
    /// none is named. To show a list and keep it right: watch first, then read, then apply what the watch tells.
    ///
    /// Changes are told after they are durable, in the order in which they became so, those of one transaction together
    /// in the order of its writes; a record that changes twice in a transaction is told once. What leaves the content as
    /// it was is not told. Nobody waits for a watcher: when one is more than a thousand changes (or 16 MiB) behind, what
    /// waits for it is replaced by one [`Event::Reload`]. Nothing is left out without one.
    ///
    /// What another process, or another `Replica` opened on the same store, writes is not told.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use futures_util::StreamExt;
    /// use sync_core::replica::{Event, Origin};
    ///
    /// let mut watch = replica.watch(&["notes"])?;
    /// replica.put("notes", "1", "milk").await?;
    /// let Some(Event::Changed(change)) = watch.next().await else { panic!("it was told otherwise") };
    /// assert_eq!((change.key.id.as_str(), change.origin), ("1", Origin::Local));
    /// assert_eq!(change.data.unwrap().as_str(), r#""milk""#);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that cannot be a collection's.
    pub fn watch(&self, collections: &[&str]) -> Result<Watch> {
        let names = collections.iter().map(|name| match *name {
            Collection::CONFLICTS => Ok(Collection::system(Collection::CONFLICTS)),
            name => collection_name(name),
        });
        let names: BTreeSet<Collection> = names.collect::<Result<_>>()?;
        Ok(Watch::new(self.0.signals.hub.subscribe((!names.is_empty()).then_some(names))))
    }

    /// Tells when conflicts arise, change, are resolved or go: watches the collection
    /// [`$conflicts`](Collection::CONFLICTS), whose ids are those of [`conflicts`](Replica::conflicts), as
    /// [`watch`](Replica::watch) does others.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::{Value, json};
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # service.create_space(&space).await?;
    /// # let server = Loopback::new(service, Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let open = || Replica::open(Arc::new(MemoryStore::default()), space.clone(), options.clone());
    /// # let (phone, laptop) = (open().await?, open().await?);
    /// # phone.put("notes", "1", &json!({"text": "milk"})).await?;
    /// # phone.sync(&server).await?;
    /// # laptop.sync(&server).await?;
    /// use futures_util::StreamExt;
    ///
    /// let mut watch = laptop.watch_conflicts();
    /// phone.put("notes", "1", &json!({"text": "oat milk"})).await?;
    /// laptop.put("notes", "1", &json!({"text": "two milk"})).await?;
    /// phone.sync(&server).await?;
    /// laptop.sync(&server).await?;
    /// watch.next().await.expect("the replica is there");
    /// assert_eq!(laptop.conflicts(100).await?.len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn watch_conflicts(&self) -> Watch {
        self.watch_one(Collection::system(Collection::CONFLICTS))
    }

    pub(super) fn watch_one(&self, collection: Collection) -> Watch {
        Watch::new(self.0.signals.hub.subscribe(Some(BTreeSet::from([collection]))))
    }
}

/// Whether changes of this record are told: the other books of the library are nobody's business.
pub(super) fn is_told(key: &RecordKey) -> bool {
    !key.collection.is_system() || key.collection.as_str() == Collection::CONFLICTS
}
