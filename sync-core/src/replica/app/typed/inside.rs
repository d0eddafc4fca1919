//! A typed collection inside a transaction.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Item, Typed, item};
use crate::error::Result;
use crate::replica::app::access::{key, record_id, value_of};
use crate::replica::app::edits::Edit;
use crate::replica::app::lens::Lens;
use crate::replica::{Query, Transaction};
use crate::types::RecordId;

/// A [`Typed`] collection as a [`Transaction`] sees it; see [`Transaction::of`]. Every method does what the one of the same
/// name does outside, as a part of the transaction, which can go on after a refusal.
#[derive(Debug)]
pub struct TypedTransaction<'a, T> {
    transaction: &'a mut Transaction,
    records: &'a Typed<T>,
}

impl Transaction {
    /// A collection as records of its type.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// #[derive(serde::Serialize, serde::Deserialize)]
    /// struct Account { owner: String, left: i64 }
    ///
    /// let accounts = replica.collection::<Account>("accounts")?;
    /// let mine = accounts.add(&Account { owner: "ada".into(), left: 10 }).await?;
    /// let yours = replica.transaction(async |t| {
    ///     let mut accounts = t.of(&accounts);
    ///     accounts.update(mine.as_str(), |account| account.left -= 3).await?;
    ///     accounts.add(&Account { owner: "bob".into(), left: 3 }).await
    /// }).await?;
    /// assert_eq!(accounts.get(mine.as_str()).await?.map(|account| account.left), Some(7));
    /// assert_eq!(accounts.get(yours.as_str()).await?.map(|account| account.left), Some(3));
    /// # Ok(()) }
    /// ```
    pub fn of<'a, T>(&'a mut self, records: &'a Typed<T>) -> TypedTransaction<'a, T> {
        TypedTransaction { transaction: self, records }
    }
}

impl<T> TypedTransaction<'_, T> {
    fn name(&self) -> &str {
        self.records.collection.as_str()
    }

    /// As [`Typed::delete`].
    ///
    /// # Errors
    ///
    /// As [`Typed::delete`].
    pub async fn delete(&mut self, id: &str) -> Result<bool> {
        self.transaction.delete(self.records.collection.as_str(), id).await
    }
}

impl<T: Serialize> TypedTransaction<'_, T> {
    /// As [`Typed::put`].
    ///
    /// # Errors
    ///
    /// As [`Typed::put`].
    pub async fn put(&mut self, id: &str, value: &T) -> Result<bool> {
        self.transaction.put(self.records.collection.as_str(), id, value).await
    }

    /// As [`Typed::add`].
    ///
    /// # Errors
    ///
    /// As [`Typed::add`].
    pub async fn add(&mut self, value: &T) -> Result<RecordId> {
        let id = record_id(&self.records.replica.0.options.ids.new_id())?;
        self.put(id.as_str(), value).await?;
        Ok(id)
    }
}

impl<T: DeserializeOwned> TypedTransaction<'_, T> {
    /// As [`Typed::get`].
    ///
    /// # Errors
    ///
    /// As [`Typed::get`].
    pub async fn get(&mut self, id: &str) -> Result<Option<T>> {
        self.transaction.get(self.records.collection.as_str(), id).await
    }

    /// As [`Typed::list`]. What this transaction wrote is among it; versions and dates of that are not final.
    ///
    /// # Errors
    ///
    /// As [`Typed::list`].
    pub async fn list(&mut self, query: &Query) -> Result<Vec<Item<T>>> {
        let records = self.transaction.list(self.records.collection.as_str(), query).await?;
        Ok(records.into_iter().filter_map(item).collect())
    }

    /// As [`Typed::patch`].
    ///
    /// # Errors
    ///
    /// As [`Typed::patch`].
    pub async fn patch(&mut self, id: &str, changes: &(impl Serialize + ?Sized)) -> Result<bool> {
        let key = key(self.name(), id)?;
        self.transaction.edit(key, Edit::Members(value_of(changes)?, Lens::reading::<T>())).await
    }
}

impl<T: Serialize + DeserializeOwned> TypedTransaction<'_, T> {
    /// As [`Typed::save`].
    ///
    /// # Errors
    ///
    /// As [`Typed::save`].
    pub async fn save(&mut self, id: &str, seen: &T, now: &T) -> Result<bool> {
        self.transaction.save(self.records.collection.as_str(), id, seen, now).await
    }

    /// As [`Typed::update`].
    ///
    /// # Errors
    ///
    /// As [`Typed::update`].
    pub async fn update<R>(&mut self, id: &str, change: impl FnOnce(&mut T) -> R) -> Result<Option<R>> {
        self.transaction.update(self.records.collection.as_str(), id, change).await
    }
}
