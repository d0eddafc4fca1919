//! Following a replica: what changes in it, and how it stands with its server.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::app::access::collection_name;
use crate::replica::tell::states::{States, SyncState};
use crate::replica::tell::status::Status;
use crate::replica::tell::watch::Watch;
use crate::types::Collection;

impl Replica {
    /// Tells every change of these collections from now on, whoever makes it; of all collections of the application if
    /// none is named. To show a list and keep it right: watch first, then read, then apply what the watch tells.
    ///
    /// Changes are told after they are durable, in the order in which they became so, those of one transaction together
    /// in the order of its writes; a record that changes twice in a transaction is told once. What leaves the content as
    /// it was is not told. Nobody waits for a watcher: when one is more than a thousand changes (or 16 MiB) behind, what
    /// waits for it is replaced by one [`Event::Reload`](crate::replica::Event::Reload). Nothing is left out without one.
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

    pub(crate) fn watch_one(&self, collection: Collection) -> Watch {
        Watch::new(self.0.signals.hub.subscribe(Some(BTreeSet::from([collection]))))
    }

    /// The states of this replica: the one it is in, and then those that follow, whoever syncs. A reader that is slow
    /// sees the newest one, and nobody waits for it. The stream ends when every handle to the replica is gone.
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
    /// use sync_core::replica::SyncState;
    ///
    /// let mut states = replica.states();
    /// assert_eq!(states.next().await, Some(SyncState::Idle));
    /// drop(replica);
    /// assert_eq!(states.next().await, None);
    /// # Ok(()) }
    /// ```
    pub fn states(&self) -> States {
        States::new(self.0.signals.states.follow())
    }

    /// How this replica stands with its server: the state, when the server was last heard, and what went wrong since.
    /// A state stays the same while a replica that runs hears of changes; the time in this does not.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::service::{Actor, Service};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::transport::Loopback;
    /// # use sync_core::{ActorId, Role, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (space, ada) = (SpaceId::new("family")?, ActorId::new("ada")?);
    /// # let service = Service::new(Arc::new(MemoryStore::default()), Arc::new(TokioRuntime));
    /// # let server = Loopback::new(service.clone(), Actor::new(ada.clone(), Role::Owner));
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), space.clone(), options).await?;
    /// replica.sync(&server).await.unwrap_err();
    /// let status = replica.status();
    /// assert!(status.last_contact.is_none());
    /// println!("{:?}: {}", status.state, status.last_error.expect("there is no such space yet"));
    ///
    /// service.create_space(&space).await?;
    /// replica.sync(&server).await?;
    /// let status = replica.status();
    /// assert!(status.last_contact.is_some() && status.last_error.is_none());
    /// # Ok(()) }
    /// ```
    pub fn status(&self) -> Status {
        self.0.signals.contact.status(self.sync_state())
    }

    /// The state that this replica is in.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::replica::SyncState;
    /// if let SyncState::NeedsSignIn = replica.sync_state() {
    ///     println!("please sign in");
    /// }
    /// # Ok(()) }
    /// ```
    pub fn sync_state(&self) -> SyncState {
        self.0.signals.states.get()
    }
}
