//! A collection whose records are of one Rust type.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::replica::app::access::{collection_name, typed};
use crate::replica::{Change, Event, Origin, Query, Replica, Watch};
use crate::types::{Collection, Record, RecordId, RecordMeta};

/// A collection of a [`Replica`] whose records are `T`s; see [`Replica::collection`]. Cheap to clone.
///
/// Others may write what is no `T`: an older version of the application, or someone else. Such a record is an error of its
/// own, which names it, and keeps nobody from the others.
#[derive(Debug)]
pub struct Typed<T> {
    replica: Replica,
    collection: Collection,
    of: PhantomData<fn() -> T>,
}

/// A record of a typed collection.
#[derive(Debug)]
pub struct Item<T> {
    /// Its id.
    pub id: RecordId,
    /// What the library knows about its state: when it was edited and by whom, and whether the server knows it.
    pub meta: RecordMeta,
    /// Its content, or why that is no `T`.
    pub value: Result<T>,
}

/// Something a [`TypedWatch`] tells.
#[derive(Debug)]
pub enum TypedEvent<T> {
    /// A record has other content now.
    Changed(TypedChange<T>),
    /// Read again what is shown; see [`Event::Reload`].
    Reload,
}

/// A record of a typed collection that has other content than before.
#[derive(Debug)]
pub struct TypedChange<T> {
    /// Its id.
    pub id: RecordId,
    /// Its content now, or why that is no `T`; `None` when it was deleted.
    pub value: Result<Option<T>>,
    /// Where the change came from.
    pub origin: Origin,
}

/// The changes of a typed collection; see [`Typed::watch`].
#[derive(Debug)]
pub struct TypedWatch<T> {
    watch: Watch,
    of: PhantomData<fn() -> T>,
}

impl Replica {
    /// A collection as records of one type.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    /// struct Note { text: String, done: bool }
    ///
    /// let notes = replica.collection::<Note>("notes")?;
    /// notes.put("1", &Note { text: "milk".into(), done: false }).await?;
    /// notes.patch("1", &serde_json::json!({"done": true})).await?;
    /// assert_eq!(notes.get("1").await?, Some(Note { text: "milk".into(), done: true }));
    /// assert!(notes.delete("1").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a name that cannot be a collection's.
    pub fn collection<T>(&self, name: &str) -> Result<Typed<T>> {
        Ok(Typed { replica: self.clone(), collection: collection_name(name)?, of: PhantomData })
    }
}

impl<T> Typed<T> {
    /// The name of the collection.
    pub fn name(&self) -> &Collection {
        &self.collection
    }

    /// Deletes a record. Says whether there was one. As [`Replica::delete`]; for an example see
    /// [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::delete`].
    pub async fn delete(&self, id: &str) -> Result<bool> {
        self.replica.delete(self.collection.as_str(), id).await
    }

    /// Changes members of a record, whatever it is otherwise. As [`Replica::patch`]; for an example see
    /// [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::patch`].
    pub async fn patch(&self, id: &str, changes: &(impl Serialize + ?Sized)) -> Result<bool> {
        self.replica.patch(self.collection.as_str(), id, changes).await
    }
}

impl<T: Serialize> Typed<T> {
    /// Makes `value` the record `id`. Says whether that changed anything. As [`Replica::put`]; for an example see
    /// [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::put`].
    pub async fn put(&self, id: &str, value: &T) -> Result<bool> {
        self.replica.put(self.collection.as_str(), id, value).await
    }
}

impl<T: DeserializeOwned> Typed<T> {
    /// The record `id`, if there is one. As [`Replica::get`]; for an example see [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::get`].
    pub async fn get(&self, id: &str) -> Result<Option<T>> {
        self.replica.get(self.collection.as_str(), id).await
    }

    /// The record `id` with what the library knows about it. As [`Replica::record`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// let stars = replica.collection::<u32>("stars")?;
    /// stars.put("sun", &5).await?;
    /// let item = stars.item("sun").await?.unwrap();
    /// println!("{} stars, by {} at {}", item.value?, item.meta.author, item.meta.edited_at);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::record`].
    pub async fn item(&self, id: &str) -> Result<Option<Item<T>>> {
        Ok(self.replica.record(self.collection.as_str(), id).await?.and_then(item))
    }

    /// The records that `query` asks for. As [`Replica::list`], where a record that is no `T` is an item with an error.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// let stars = replica.collection::<u32>("stars")?;
    /// stars.put("sun", &5).await?;
    /// replica.put("stars", "moon", "not a star").await?;
    /// for star in stars.list(&Query::all()).await? {
    ///     match star.value {
    ///         Ok(n) => println!("{}: {n}", star.id),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::list`].
    pub async fn list(&self, query: &Query) -> Result<Vec<Item<T>>> {
        let records = self.replica.list(self.collection.as_str(), query).await?;
        Ok(records.into_iter().filter_map(item).collect())
    }

    /// Tells every change of the collection from now on. As [`Replica::watch`], where a record that is no `T` is a change
    /// with an error.
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
    /// use sync_core::replica::TypedEvent;
    ///
    /// let stars = replica.collection::<u32>("stars")?;
    /// let mut watch = stars.watch();
    /// stars.put("sun", &5).await?;
    /// let Some(TypedEvent::Changed(change)) = watch.next().await else { panic!("it was told otherwise") };
    /// assert_eq!((change.id.as_str(), change.value?), ("sun", Some(5)));
    /// # Ok(()) }
    /// ```
    pub fn watch(&self) -> TypedWatch<T> {
        TypedWatch { watch: self.replica.watch_one(self.collection.clone()), of: PhantomData }
    }
}

fn item<T: DeserializeOwned>(record: Record) -> Option<Item<T>> {
    let value = typed(&record.key, &record.data?);
    Some(Item { id: record.key.id, meta: record.meta, value })
}

fn change<T: DeserializeOwned>(change: Change) -> TypedChange<T> {
    let value = change.data.map(|data| typed(&change.key, &data)).transpose();
    TypedChange { id: change.key.id, value, origin: change.origin }
}

impl<T> Clone for Typed<T> {
    fn clone(&self) -> Self {
        Self { replica: self.replica.clone(), collection: self.collection.clone(), of: PhantomData }
    }
}

impl<T: DeserializeOwned> Stream for TypedWatch<T> {
    type Item = TypedEvent<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.watch).poll_next(cx).map(|event| {
            Some(match event? {
                Event::Changed(told) => TypedEvent::Changed(change(told)),
                Event::Reload => TypedEvent::Reload,
            })
        })
    }
}
