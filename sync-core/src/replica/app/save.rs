//! Writing back what was read: without undoing what others did meanwhile.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::replica::Replica;
use crate::replica::app::access::{content, key};
use crate::replica::app::edits::Edit;
use crate::replica::app::lens::{Lens, typed};
use crate::replica::app::since::Save;
use crate::replica::app::transaction::Transaction;

#[cfg(doc)]
use crate::error::ErrorKind;

impl Replica {
    /// Writes what someone made (`now`) of a record as they saw it (`seen`): only where these two differ, so that
    /// everything else stays as it is by now. Says whether that changed anything. For what was open in a dialog while the
    /// replica went on syncing; what happens at once is easier said with [`update`](Replica::update).
    ///
    /// What changed since it was seen, and is also changed here, is merged by the policy of the collection, or is a
    /// [conflict](Replica::conflicts) after the next sync: just as if the edit had been made offline, on what was seen. A
    /// record that was deleted since comes back or not, as its policy says. Members that `T` does not know, and that it
    /// fills in without changing them, stay as they are.
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
    /// # phone.put("notes", "1", &json!({"title": "shop", "text": "milk"})).await?;
    /// # phone.sync(&server).await?;
    /// # laptop.sync(&server).await?;
    /// let seen: Value = phone.get("notes", "1").await?.expect("it is there");
    /// let mut now = seen.clone();
    /// now["title"] = json!("shopping");
    /// // Meanwhile, somewhere else:
    /// laptop.patch("notes", "1", &json!({"text": "milk, eggs"})).await?;
    /// laptop.sync(&server).await?;
    /// phone.sync(&server).await?;
    /// phone.save("notes", "1", &seen, &now).await?;
    /// assert_eq!(phone.get("notes", "1").await?, Some(json!({"title": "shopping", "text": "milk, eggs"})));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) when nothing is known of such a record; [`Invalid`](ErrorKind::Invalid) with code
    /// `version_conflict` when the same place was edited on this replica since, and the server has not answered that
    /// yet: read it again, and save what you make of that; [`Invalid`](ErrorKind::Invalid) when the result cannot be read
    /// as a `T`, naming the place; else as [`put`](Replica::put).
    pub async fn save<T>(&self, collection: &str, id: &str, seen: &T, now: &T) -> Result<bool>
    where
        T: Serialize + DeserializeOwned,
    {
        self.carry_out(key(collection, id)?, saving(seen, now)?).await
    }

    /// Reads a record, lets `change` change it, and writes the difference, in one local transaction: nothing comes in
    /// between. Returns what `change` did; `None`, and nothing done, when there is no such record.
    ///
    /// Only what `change` changed is written, so members that `T` does not know stay.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("counts", "steps", &41).await?;
    /// replica.update("counts", "steps", |n: &mut u32| *n += 1).await?;
    /// assert_eq!(replica.get("counts", "steps").await?, Some(42));
    /// assert_eq!(replica.update("counts", "stairs", |n: &mut u32| *n += 1).await?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) when the record is no `T`, or would be none after the change; else as
    /// [`put`](Replica::put).
    pub async fn update<T, R>(
        &self,
        collection: &str,
        id: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>>
    where
        T: Serialize + DeserializeOwned,
    {
        self.transaction(async |t| t.update(collection, id, change).await).await
    }
}

impl Transaction {
    /// As [`Replica::save`]; the transaction can go on after a refusal.
    ///
    /// # Errors
    ///
    /// As [`Replica::save`].
    pub async fn save<T>(&mut self, collection: &str, id: &str, seen: &T, now: &T) -> Result<bool>
    where
        T: Serialize + DeserializeOwned,
    {
        self.edit(key(collection, id)?, saving(seen, now)?).await
    }

    /// As [`Replica::update`]; the transaction can go on after a refusal.
    ///
    /// # Errors
    ///
    /// As [`Replica::update`].
    pub async fn update<T, R>(
        &mut self,
        collection: &str,
        id: &str,
        change: impl FnOnce(&mut T) -> R,
    ) -> Result<Option<R>>
    where
        T: Serialize + DeserializeOwned,
    {
        let key = key(collection, id)?;
        let Some(data) = self.read(&key).await? else { return Ok(None) };
        let mut value: T = typed(&key, &data)?;
        let seen = content(&value)?;
        let done = change(&mut value);
        self.edit(key, Edit::Save(Save { seen, now: content(&value)?, lens: Lens::of::<T>() })).await?;
        Ok(Some(done))
    }
}

fn saving<T: Serialize + DeserializeOwned>(seen: &T, now: &T) -> Result<Edit> {
    Ok(Edit::Save(Save { seen: content(seen)?, now: content(now)?, lens: Lens::of::<T>() }))
}
