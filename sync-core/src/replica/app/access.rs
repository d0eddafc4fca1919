//! What an application does with a replica: read and write records.

use futures_util::FutureExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::app::edits::Edit;
use crate::replica::app::lens::{Lens, typed};
use crate::types::{Collection, Record, RecordId, RecordKey};

#[cfg(doc)]
use crate::error::ErrorKind;

impl Replica {
    /// Makes `value` the record `id` of `collection`. Says whether that changed anything.
    ///
    /// It replaces the whole record, whatever is there: also members that others changed since the application read it,
    /// and those that its type does not know. So it is for creating a record, and for values that replace all there was.
    /// What was read, changed and is to be written back belongs to [`update`](Replica::update), when it happens at once,
    /// and to [`save`](Replica::save), when someone took their time; [`patch`](Replica::patch) sets single members.
    ///
    /// # Dropping the future
    ///
    /// This, and every other method that changes something, does its work in a task of its own. Dropping the future does
    /// not cancel it: the record may be written, and nobody is told. Only what runs in the caller's own code
    /// ([`transaction`](Replica::transaction) and [`update`](Replica::update)) is abandoned with its future.
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
    /// struct Note { text: String }
    ///
    /// assert!(replica.put("notes", "1", &Note { text: "milk".into() }).await?);
    /// assert!(!replica.put("notes", "1", &Note { text: "milk".into() }).await?, "it is there already");
    /// assert_eq!(replica.get("notes", "1").await?, Some(Note { text: "milk".into() }));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a name or a value that cannot be stored, and what the store reports.
    pub async fn put(&self, collection: &str, id: &str, value: &(impl Serialize + ?Sized)) -> Result<bool> {
        let (key, data) = (key(collection, id)?, content(value)?);
        self.carry_out(key, Edit::Put(Some(data))).await
    }

    /// Changes members of a record: those in `changes` replace what is there, `null` removes (RFC 7386). All others stay
    /// as they are. For a typed form see [`Typed::patch`](crate::replica::Typed::patch), which also checks the result.
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
    /// replica.put("notes", "1", &json!({"text": "milk", "done": false})).await?;
    /// replica.patch("notes", "1", &json!({"done": true})).await?;
    /// assert_eq!(replica.get("notes", "1").await?, Some(json!({"text": "milk", "done": true})));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) when there is no such record, else as [`put`](Replica::put).
    pub async fn patch(
        &self,
        collection: &str,
        id: &str,
        changes: &(impl Serialize + ?Sized),
    ) -> Result<bool> {
        let (key, changes) = (key(collection, id)?, value_of(changes)?);
        self.carry_out(key, Edit::Members(changes, Lens::any())).await
    }

    /// Deletes a record. Says whether there was one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("notes", "1", "milk").await?;
    /// assert!(replica.delete("notes", "1").await?);
    /// assert!(!replica.delete("notes", "1").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`put`](Replica::put).
    pub async fn delete(&self, collection: &str, id: &str) -> Result<bool> {
        let key = key(collection, id)?;
        self.carry_out(key, Edit::Put(None)).await
    }

    /// The record as the application last saw or made it. For an example see [`put`](Replica::put).
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a name that cannot be, or a record that is not a `T`, and what the store
    /// reports.
    pub async fn get<T: DeserializeOwned>(&self, collection: &str, id: &str) -> Result<Option<T>> {
        let data = self.get_json(collection, id).await?;
        data.map(|data| typed(&key(collection, id)?, &data)).transpose()
    }

    /// [`get`](Replica::get), as text.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// replica.put("notes", "1", &["milk"]).await?;
    /// assert_eq!(replica.get_json("notes", "1").await?.unwrap().as_str(), r#"["milk"]"#);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Replica::get).
    pub async fn get_json(&self, collection: &str, id: &str) -> Result<Option<Json>> {
        Ok(self.record(collection, id).await?.and_then(|record| record.data))
    }

    /// [`get`](Replica::get), with what the library knows about the record: when it was edited and by whom, and whether
    /// the server knows it. `None` when it was deleted.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::Version;
    /// replica.put("notes", "1", "milk").await?;
    /// let record = replica.record("notes", "1").await?.unwrap();
    /// assert_eq!((record.meta.author.as_str(), record.meta.upstream), ("ada", Version::ZERO));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a name that cannot be, and what the store reports.
    pub async fn record(&self, collection: &str, id: &str) -> Result<Option<Record>> {
        let key = key(collection, id)?;
        let record = self.read(move |local| async move { local.get(&key).await }.boxed()).await?;
        Ok(record.filter(|record| !record.is_deleted()))
    }

    pub(crate) async fn carry_out(&self, key: RecordKey, edit: Edit) -> Result<bool> {
        self.write(move |local| async move { local.carry_out(&key, edit).await? }.boxed()).await
    }
}

pub(crate) fn merge_patch(value: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else { return *value = changes.clone() };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Value::Object(members) = value else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge_patch(members.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}

pub(crate) fn key(collection: &str, id: &str) -> Result<RecordKey> {
    Ok(RecordKey::new(collection_name(collection)?, record_id(id)?))
}

pub(crate) fn collection_name(text: &str) -> Result<Collection> {
    Collection::new(text).map_err(|error| Error::invalid(code::INVALID_ID, error.to_string()))
}

pub(crate) fn record_id(text: &str) -> Result<RecordId> {
    RecordId::new(text).map_err(|error| Error::invalid(code::INVALID_ID, error.to_string()))
}

pub(crate) fn value_of(value: &(impl Serialize + ?Sized)) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| {
        Error::invalid(code::VALIDATION_FAILED, "the value has no JSON form").with_source(error)
    })
}

pub(crate) fn content(value: &(impl Serialize + ?Sized)) -> Result<Json> {
    let text = serde_json::to_string(value).map_err(|error| {
        Error::invalid(code::VALIDATION_FAILED, "the value has no JSON form").with_source(error)
    })?;
    Json::parse(text.as_bytes(), &crate::json::Limits::RECORD).map_err(|error| {
        let pointer = error.pointer().to_owned();
        Error::invalid(code::VALIDATION_FAILED, error.to_string()).with_pointer(pointer)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_replaces_members_and_removes_nulls() {
        // From the table of RFC 7386.
        let cases = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": [1]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
        ];
        for (mut value, changes, expected) in cases {
            merge_patch(&mut value, &changes);
            assert_eq!(value, expected);
        }
    }
}
