//! A collection whose records are of one Rust type: reading it. Writing is in `typed/write.rs`.

mod inside;
mod write;

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

pub use inside::TypedTransaction;

use futures_util::Stream;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::replica::app::access::collection_name;
use crate::replica::app::lens::typed;
use crate::replica::{Change, Event, Origin, Query, Replica, Watch};
use crate::types::{Collection, Record, RecordId, RecordMeta};

/// A collection of a [`Replica`] whose records are `T`s; see [`Replica::collection`]. Cheap to clone.
///
/// Others may write what is no `T`: an older version of the application, or someone else. Such a record is an error of its
/// own, which names it and the place in it, and keeps nobody from the others. What is written here is checked first: an
/// edit whose result could not be read as a `T` is refused.
///
/// # Which write
///
/// | to | use |
/// |---|---|
/// | create a record under a fresh id | [`add`](Typed::add) |
/// | change a record now | [`update`](Typed::update) |
/// | write back what someone made of a record that they read a while ago | [`save`](Typed::save) |
/// | set members without reading | [`patch`](Typed::patch) |
/// | replace all of a record, whatever others made of it | [`put`](Typed::put) |
///
/// # Changing your types
///
/// Older and newer versions of an application share the same records, for as long as someone does not update. So:
///
/// - **Add members with `#[serde(default)]`**: records that were written before do not have them. Without it, all of
///   those are unreadable to the new version.
/// - **Never rename or retype a member.** Add another one, and read both for a while.
/// - **Change records by [`update`](Typed::update), [`save`](Typed::save) or [`patch`](Typed::patch)**, which keep
///   members that this version does not know. [`put`](Typed::put) drops them, on all devices.
/// - Where a `put` is wanted all the same, `#[serde(flatten)] rest: serde_json::Map<String, serde_json::Value>` carries
///   along what is not known.
/// - **No `#[serde(deny_unknown_fields)]`**: what a newer version adds would be unreadable here.
/// - Give an enum that may grow a variant for what is not known (`#[serde(other)]`), or keep it as text. With `other`, what
///   it stood for stays as long as that member is not changed.
/// - What is read must be written alike each time: a set that comes out in another order looks changed.
///
/// ```
/// # use std::sync::Arc;
/// # use sync_core::replica::{Replica, ReplicaOptions};
/// # use sync_core::store::MemoryStore;
/// # use sync_core::{ActorId, SpaceId, TokioRuntime};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
/// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
/// use serde_json::json;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Note {
///     text: String,
///     /// New in this version.
///     #[serde(default)]
///     done: bool,
/// }
///
/// // As two others wrote it: one older, one newer than this.
/// replica.put("notes", "1", &json!({"text": "milk", "colour": "blue"})).await?;
/// let notes = replica.collection::<Note>("notes")?;
/// notes.update("1", |note| note.done = true).await?;
/// let stored = replica.get("notes", "1").await?;
/// assert_eq!(stored, Some(json!({"text": "milk", "colour": "blue", "done": true})));
/// # Ok(()) }
/// ```
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
    /// let id = notes.add(&Note { text: "milk".into(), done: false }).await?;
    /// notes.update(id.as_str(), |note| note.done = true).await?;
    /// assert_eq!(notes.get(id.as_str()).await?, Some(Note { text: "milk".into(), done: true }));
    /// assert!(notes.delete(id.as_str()).await?);
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
