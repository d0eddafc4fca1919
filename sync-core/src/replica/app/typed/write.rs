//! Writing to a typed collection: everything is checked, so that it can be read again.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Typed;
use crate::error::Result;
use crate::replica::app::access::{key, record_id, value_of};
use crate::replica::app::edits::Edit;
use crate::replica::app::lens::Lens;
use crate::types::RecordId;

#[cfg(doc)]
use crate::error::ErrorKind;
#[cfg(doc)]
use crate::replica::Replica;

impl<T> Typed<T> {
    /// Deletes a record. Says whether there was one. As [`Replica::delete`]; for an example see
    /// [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::delete`].
    pub async fn delete(&self, id: &str) -> Result<bool> {
        self.replica.delete(self.collection.as_str(), id).await
    }
}

impl<T: Serialize> Typed<T> {
    /// Makes `value` the record `id`. Says whether that changed anything. As [`Replica::put`]: it replaces the whole
    /// record, also what others changed since it was read, and what this type does not know.
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
    /// assert_eq!(stars.get("sun").await?, Some(5));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::put`].
    pub async fn put(&self, id: &str, value: &T) -> Result<bool> {
        self.replica.put(self.collection.as_str(), id, value).await
    }

    /// Creates a record under a fresh random id, which no other device will choose. For an example see
    /// [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::put`].
    pub async fn add(&self, value: &T) -> Result<RecordId> {
        let id = record_id(&self.replica.0.options.ids.new_id())?;
        self.put(id.as_str(), value).await?;
        Ok(id)
    }
}

impl<T: DeserializeOwned> Typed<T> {
    /// Changes members of a record, as [`Replica::patch`], if the result is a `T`.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// # use serde_json::json;
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Note { text: String, done: bool }
    ///
    /// let notes = replica.collection::<Note>("notes")?;
    /// notes.put("1", &Note { text: "milk".into(), done: false }).await?;
    /// notes.patch("1", &json!({"done": true})).await?;
    /// let refused = notes.patch("1", &json!({"done": "maybe"})).await.unwrap_err();
    /// assert_eq!(refused.pointer(), Some("/done"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the result is no `T`, naming the place; else as [`Replica::patch`].
    pub async fn patch(&self, id: &str, changes: &(impl Serialize + ?Sized)) -> Result<bool> {
        let key = key(self.collection.as_str(), id)?;
        self.replica.carry_out(key, Edit::Members(value_of(changes)?, Lens::reading::<T>())).await
    }
}

impl<T: Serialize + DeserializeOwned> Typed<T> {
    /// Writes what someone made of a record as they saw it, without undoing what others did meanwhile. As
    /// [`Replica::save`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// #[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
    /// struct Note { title: String, text: String }
    ///
    /// let notes = replica.collection::<Note>("notes")?;
    /// let id = notes.add(&Note { title: "shop".into(), text: "milk".into() }).await?;
    /// // A dialog opens, and someone types.
    /// let seen = notes.get(id.as_str()).await?.expect("it was added");
    /// let now = Note { title: "shopping".into(), ..seen.clone() };
    /// // Something else writes the note; it might as well come from another device.
    /// notes.update(id.as_str(), |note| note.text.push_str(", eggs")).await?;
    /// notes.save(id.as_str(), &seen, &now).await?;
    /// let both = Note { title: "shopping".into(), text: "milk, eggs".into() };
    /// assert_eq!(notes.get(id.as_str()).await?, Some(both));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Replica::save`].
    pub async fn save(&self, id: &str, seen: &T, now: &T) -> Result<bool> {
        self.replica.save(self.collection.as_str(), id, seen, now).await
    }

    /// Reads a record, lets `change` change it, and writes the difference, in one local transaction. `None` when there is
    /// no such record. As [`Replica::update`]; for an example see [`Replica::collection`].
    ///
    /// # Errors
    ///
    /// As [`Replica::update`].
    pub async fn update<R>(&self, id: &str, change: impl FnOnce(&mut T) -> R) -> Result<Option<R>> {
        self.replica.update(self.collection.as_str(), id, change).await
    }
}
