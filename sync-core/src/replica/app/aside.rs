//! Edits that were refused: kept until the application has shown them to someone and dismisses them.

use futures_util::FutureExt;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::mutation::{Mutation, Op};
use crate::replica::Replica;
use crate::replica::app::access::record_id;
use crate::replica::app::edits::Edit;
use crate::replica::local::row::{Row, parse, row_key};
use crate::replica::local::txn::Local;
use crate::store::ScanQuery;
use crate::types::{Collection, Record, RecordId, RecordKey};

/// The code of an edit that the server had acknowledged and does not know any more: it was restored from a backup.
pub const LOST_IN_RESTORE: &str = "lost_in_restore";

/// An edit that will not be sent again, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct SetAside {
    /// Its name, for [`dismiss`](Replica::dismiss).
    pub id: RecordId,
    /// What was asked for.
    pub mutation: Mutation,
    /// The server's stable word for the reason, or `superseded`, or `lost_in_restore`.
    pub code: String,
    /// The reason, for people.
    pub detail: String,
    /// When it was set aside, by the local clock.
    pub at: Timestamp,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AsideRow {
    id: RecordId,
    mutation: Box<RawValue>,
    code: String,
    detail: String,
    at: Timestamp,
}

impl Row for AsideRow {
    const COLLECTION: &'static str = "$aside";

    fn id(&self) -> RecordId {
        self.id.clone()
    }
}

impl Local {
    /// Keeps an edit where the application sees it.
    pub(crate) fn put_aside(&mut self, mutation: &Mutation, code: &str, detail: &str) -> Result<()> {
        let id = RecordId::new(self.options.ids.new_id()).expect("ids of the library are valid record ids");
        self.put_aside_as(id, mutation, code, detail)
    }

    /// [`put_aside`](Self::put_aside) under a name that is known before.
    pub(crate) fn put_aside_as(
        &mut self,
        id: RecordId,
        mutation: &Mutation,
        code: &str,
        detail: &str,
    ) -> Result<()> {
        let mutation = RawValue::from_string(mutation.to_json()).expect("a mutation is written as JSON");
        let at = self.options.clock.now();
        self.save(&AsideRow { id, mutation, code: code.to_owned(), detail: detail.to_owned(), at })
    }
}

impl Replica {
    /// Edits that the server refused, by name, at most `limit`. What the application sees is the server's state again.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// for edit in replica.set_aside(100).await? {
    ///     println!("{} was refused: {}", edit.mutation.key, edit.detail);
    ///     replica.dismiss(&edit.id).await?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn set_aside(&self, limit: usize) -> Result<Vec<SetAside>> {
        self.read(move |local| {
            async move {
                let collection = Some(Collection::system(AsideRow::COLLECTION));
                let query = ScanQuery {
                    collection,
                    after: None,
                    descending: false,
                    tombstones: false,
                    rows_max: limit,
                    bytes_max: usize::MAX,
                };
                local.stored(&query).await?.records.iter().map(read).collect()
            }
            .boxed()
        })
        .await
    }

    /// Carries out an edit that was set aside once more, on what is there now, and forgets that it was refused. Says
    /// whether there was one of this name. Worth it when the reason has gone: after a restore, or when there is room again;
    /// what the server refuses once more is set aside once more.
    ///
    /// A patch is merged with what others did since; where it clashes with that, it becomes a conflict. A put replaces what
    /// is there, and a delete removes it. Edits of one transaction are tried again one by one, and one that was to settle
    /// a conflict is an edit like others then: the conflict is still open.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// use sync_core::replica::LOST_IN_RESTORE;
    /// for edit in replica.set_aside(100).await? {
    ///     // A whole record replaces what is there by now, so someone should look at both first.
    ///     println!("{:?}: {}", edit.mutation.op, edit.detail);
    ///     if edit.code == LOST_IN_RESTORE && replica.get_json("notes", "1").await?.is_none() {
    ///         replica.retry(&edit.id).await?;
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a patch of what is not there any more, and as
    /// [`save`](Replica::save); the edit stays set aside then.
    pub async fn retry(&self, id: impl AsRef<str>) -> Result<bool> {
        let key = RecordKey::new(Collection::system(AsideRow::COLLECTION), record_id(id.as_ref())?);
        self.write(move |local| async move { local.retry(key).await? }.boxed()).await
    }

    /// Forgets an edit that was set aside. Says whether there was one of this name.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// assert!(!replica.dismiss("not-there").await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn dismiss(&self, id: impl AsRef<str>) -> Result<bool> {
        let key = RecordKey::new(Collection::system(AsideRow::COLLECTION), record_id(id.as_ref())?);
        self.write(move |local| {
            async move {
                let is_there = local.get(&key).await?.is_some();
                if is_there {
                    local.purge(key);
                }
                Ok(is_there)
            }
            .boxed()
        })
        .await
    }
}

impl Local {
    /// The inner result is a refusal, which changes nothing.
    async fn retry(&mut self, aside: RecordKey) -> Result<Result<bool>> {
        let Some(record) = self.get(&aside).await? else { return Ok(Ok(false)) };
        let Mutation { key, op, .. } = read(&record)?.mutation;
        if key.collection.is_tree() {
            // Its id may be used by now, and an id is used once.
            if let Op::Put(data) = &op {
                self.make_again(&key.collection, data).await?;
                self.purge(aside);
            }
            return Ok(Ok(true));
        }
        let edit = match op {
            Op::Put(data) => Edit::Put(Some(data)),
            Op::Delete => Edit::Put(None),
            Op::Patch(patch) => Edit::Patch(patch),
        };
        let done = self.carry_out(&key, edit).await?;
        if done.is_ok() {
            self.purge(aside);
        }
        Ok(done.map(|_| true))
    }
}

fn read(record: &Record) -> Result<SetAside> {
    let row: AsideRow = parse(record)?;
    let mutation = Mutation::from_json(row.mutation.get()).map_err(|error| {
        let what = row_key(AsideRow::COLLECTION, row.id.as_str());
        Error::new(ErrorKind::Corrupt, format!("cannot read {what}")).with_source(error)
    })?;
    Ok(SetAside { id: row.id, mutation, code: row.code, detail: row.detail, at: row.at })
}
