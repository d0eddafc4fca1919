//! Conflicts: listed as the server's feed brought them, and settled offline.

use futures_util::FutureExt;

use crate::conflict::Resolution;
use crate::conflict::{Conflict, ConflictBody, ConflictState};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::app::access::{content, record_id};
use crate::replica::local::rows::{Base, Known, Resolves};
use crate::replica::local::txn::Local;
use crate::replica::tell::watch::Origin;
use crate::store::ScanQuery;
use crate::types::{Collection, Record, RecordKey};

impl Replica {
    /// The open conflicts of the space, which someone must decide, by name, at most `limit`. Those that were resolved
    /// here are not among them any more.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::{Value, json};
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::Resolution;
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
    /// phone.put("notes", "1", &json!({"text": "oat milk"})).await?;
    /// laptop.put("notes", "1", &json!({"text": "two milk"})).await?;
    /// phone.sync(&server).await?;
    /// laptop.sync(&server).await?;
    /// let conflicts = laptop.conflicts(100).await?;
    /// assert_eq!(conflicts[0].body.mine, Some(json!({"text": "two milk"})));
    /// assert_eq!(laptop.get("notes", "1").await?, Some(json!({"text": "oat milk"})), "until someone decides");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn conflicts(&self, limit: usize) -> Result<Vec<Conflict>> {
        self.conflicts_that_are(ConflictState::Open, limit).await
    }

    /// What policies overruled, by name, at most `limit`: conflicts that are settled and need nobody, kept until they
    /// are collected so that nothing is lost without a trace. [`resolve`](Replica::resolve) can still overturn one.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use sync_core::replica::{Query, Replica, ReplicaOptions};
    /// # use sync_core::store::MemoryStore;
    /// # use sync_core::{ActorId, SpaceId, TokioRuntime};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let options = ReplicaOptions::new(Arc::new(TokioRuntime), ActorId::new("ada")?);
    /// # let replica = Replica::open(Arc::new(MemoryStore::default()), SpaceId::new("family")?, options).await?;
    /// for conflict in replica.settled_conflicts(100).await? {
    ///     println!("{:?} lost to {:?}", conflict.body.mine, conflict.body.theirs);
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// What the store reports.
    pub async fn settled_conflicts(&self, limit: usize) -> Result<Vec<Conflict>> {
        self.conflicts_that_are(ConflictState::Settled, limit).await
    }

    async fn conflicts_that_are(&self, state: ConflictState, limit: usize) -> Result<Vec<Conflict>> {
        self.read(move |local| async move { local.conflicts(state, limit).await }.boxed()).await
    }

    /// Settles a conflict, also offline: the record changes here at once, the server follows with the next sync.
    ///
    /// The server carries it out only if nobody changed the record meanwhile; else the conflict is back, and what was
    /// meant to settle it is [set aside](Replica::set_aside).
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use serde_json::{Value, json};
    /// # use sync_core::replica::{Replica, ReplicaOptions};
    /// # use sync_core::Resolution;
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
    /// phone.put("notes", "1", &json!({"text": "oat milk"})).await?;
    /// laptop.put("notes", "1", &json!({"text": "two milk"})).await?;
    /// phone.sync(&server).await?;
    /// laptop.sync(&server).await?;
    /// let conflict = laptop.conflicts(100).await?.remove(0);
    /// laptop.resolve(&conflict.id, Resolution::TakeMine).await?;
    /// assert_eq!(laptop.get("notes", "1").await?, Some(json!({"text": "two milk"})));
    /// laptop.sync(&server).await?;
    /// phone.sync(&server).await?;
    /// assert!(phone.conflicts(100).await?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) when there is no such conflict (any more);
    /// [`Invalid`](ErrorKind::Invalid) with code `version_conflict` when the losing edit is a whole record and the record
    /// has changed since, so that taking it would undo what nobody has looked at; [`Invalid`](ErrorKind::Invalid) for a value that cannot be stored, and what the store reports.
    pub async fn resolve(&self, conflict: impl AsRef<str>, resolution: Resolution) -> Result<()> {
        let key = Conflict::key(record_id(conflict.as_ref())?);
        self.write(move |local| async move { local.resolve(&key, resolution).await }.boxed()).await
    }
}

fn read(record: &Record) -> Result<Option<Conflict>> {
    let conflict = Conflict::from_record(record)?;
    Ok(conflict.map(|conflict| Conflict { version: record.meta.upstream, ..conflict }))
}

/// Conflicts that are read from the store at once.
const PAGE_ROWS: usize = 100;

impl Local {
    async fn conflicts(&mut self, state: ConflictState, limit: usize) -> Result<Vec<Conflict>> {
        let mut query = ScanQuery {
            collection: Some(Collection::system(Collection::CONFLICTS)),
            after: None,
            tombstones: false,
            rows_max: PAGE_ROWS,
            bytes_max: usize::MAX,
        };
        let mut found = Vec::new();
        loop {
            let page = self.stored(&query).await?;
            for record in &page.records {
                found.extend(read(record)?.filter(|conflict| conflict.body.state == state));
            }
            query.after = page.records.into_iter().next_back().map(|record| record.key);
            if !page.more || found.len() >= limit {
                found.truncate(limit);
                return Ok(found);
            }
        }
    }

    /// The record as the losing edit wants it: the edit again, onto what is there now, so that what others changed since
    /// stays. An edit that came as a whole record can only be taken while nothing has changed.
    async fn mine(&mut self, conflict: &Conflict) -> Result<Option<Json>> {
        let body = &conflict.body;
        let visible = self.get(&body.key).await?;
        let data = visible.as_ref().and_then(|record| record.data.as_ref());
        if let Some(patch) = &body.patch {
            return patch.apply(data.map(Json::to_value).as_ref()).as_ref().map(content).transpose();
        }
        let theirs = body.theirs.as_ref().map(content).transpose()?;
        if data != theirs.as_ref() {
            let message = "the record has changed since this conflict arose: look at both and resolve with a merged value";
            return Err(Error::invalid(code::VERSION_CONFLICT, message));
        }
        body.mine.as_ref().map(content).transpose()
    }

    async fn resolve(&mut self, key: &RecordKey, resolution: Resolution) -> Result<()> {
        let not_found = || Error::new(ErrorKind::NotFound, format!("there is no conflict {}", key.id));
        let record = self.get(key).await?.ok_or_else(not_found)?;
        let conflict = read(&record)?.ok_or_else(not_found)?;
        let data = match resolution {
            Resolution::TakeTheirs => return self.edit(key, None).await.map(|_| ()),
            Resolution::TakeMine => self.mine(&conflict).await?,
            Resolution::Merged(data) => data,
        };
        self.settle_with(&conflict.body, data, record).await
    }

    /// Makes `data` the record, and the conflict go when the server agrees.
    async fn settle_with(
        &mut self,
        about: &ConflictBody,
        data: Option<Json>,
        mut conflict: Record,
    ) -> Result<()> {
        let key = &about.key;
        let visible = self.get(key).await?;
        let mut base = match self.base_of(key).await? {
            Some(base) => base,
            None => Base::new(key.clone(), Known::of(visible.as_ref()), self.space_head().head),
        };
        self.dismiss_earlier(&base).await?;
        // Who settles a conflict has seen its two sides and what the application shows. What the server has by now, and an
        // edit hides, is neither: then the server says that the record has moved on.
        if let Some(latest) = base.latest.take_if(|latest| latest.version == about.theirs_version) {
            base.base = latest;
        }
        let body = conflict.data.take();
        base.resolves =
            body.map(|body| Resolves { id: conflict.key.id.clone(), version: conflict.meta.upstream, body });
        self.save(&base)?;
        self.show(key, data, visible.as_ref(), base.newest());
        self.set_by(conflict, Origin::Local);
        Ok(())
    }

    /// An edit settles one conflict; the one it was to settle before is dismissed by itself.
    pub(crate) async fn dismiss_earlier(&mut self, base: &Base) -> Result<()> {
        match self.restore_conflict(base).await? {
            Some(earlier) => self.edit(&earlier, None).await.map(|_| ()),
            None => Ok(()),
        }
    }

    /// Brings back the conflict that an edit was to settle, unless the server has changed it since.
    pub(crate) async fn restore_conflict(&mut self, base: &Base) -> Result<Option<RecordKey>> {
        let Some(resolves) = &base.resolves else { return Ok(None) };
        let key = Conflict::key(resolves.id.clone());
        let Some(mut record) = self.get(&key).await? else { return Ok(None) };
        if !record.is_deleted() || record.meta.upstream != resolves.version {
            return Ok(None);
        }
        record.data = Some(resolves.body.clone());
        self.set(record);
        Ok(Some(key))
    }
}
