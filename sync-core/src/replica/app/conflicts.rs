//! Conflicts: listed as the server's feed brought them, and settled offline.

use futures_util::FutureExt;
use serde_json::Value;

use crate::conflict::Resolution;
use crate::conflict::{Conflict, ConflictBody, ConflictState};
use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::merge::Pointer;
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::app::access::content;
use crate::replica::app::shown::ShownConflict;
use crate::replica::local::rows::{Base, Known, Resolves};
use crate::replica::local::txn::Local;
use crate::replica::tell::watch::Origin;
use crate::store::ScanQuery;
use crate::types::{Collection, Record, RecordId, RecordKey};

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
    pub async fn conflicts(&self, limit: usize) -> Result<Vec<ShownConflict>> {
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
    pub async fn settled_conflicts(&self, limit: usize) -> Result<Vec<ShownConflict>> {
        self.conflicts_that_are(ConflictState::Settled, limit).await
    }

    async fn conflicts_that_are(&self, state: ConflictState, limit: usize) -> Result<Vec<ShownConflict>> {
        self.read(move |local| async move { local.shown_conflicts(state, limit).await }.boxed()).await
    }

    /// Settles a conflict, also offline: the record changes here at once, the server follows with the next sync.
    ///
    /// It takes the conflict as [`conflicts`](Replica::conflicts) listed it: whoever decides has seen both sides, and the
    /// record as it was [`now`](ShownConflict::now). What came in since, and would be overwritten by the decision, nobody
    /// has looked at: then it is refused, and the conflict is to be listed and shown again.
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
    /// laptop.resolve(&conflict, Resolution::TakeMine).await?;
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
    /// [`Invalid`](ErrorKind::Invalid) with code `version_conflict` when the decision would undo what nobody has looked at:
    /// the record, or for [`TakeMine`](Resolution::TakeMine) the paths that the losing edit changed, is not as it was
    /// listed; or the losing edit is a whole record that is to be taken, and the record has changed since the conflict
    /// arose; [`Invalid`](ErrorKind::Invalid) for a value that cannot be stored, and what the store reports.
    pub async fn resolve(&self, conflict: &ShownConflict, resolution: Resolution) -> Result<()> {
        let (id, now) = (conflict.id.clone(), conflict.now.clone());
        self.write(move |local| async move { local.resolve(&id, now.as_ref(), resolution).await }.boxed())
            .await
    }
}

fn read(record: &Record) -> Result<Option<Conflict>> {
    let conflict = Conflict::from_record(record)?;
    Ok(conflict.map(|conflict| Conflict { version: record.meta.upstream, ..conflict }))
}

/// The record as the losing edit wants it: the edit again, onto what is there now, so that what others changed since
/// stays. What it changes must be as it was seen. An edit that came as a whole record can only be taken while nothing has
/// changed.
fn mine(body: &ConflictBody, visible: Option<&Value>, seen: Option<&Value>) -> Result<Option<Json>> {
    let Some(patch) = &body.patch else {
        if visible != body.theirs.as_ref() {
            return Err(moved_on());
        }
        return body.mine.as_ref().map(content).transpose();
    };
    if patch.edits().iter().any(|edit| place(&edit.path, visible) != place(&edit.path, seen)) {
        return Err(moved_on());
    }
    if visible.is_none() {
        // The edit alone would bring back a part of the record.
        return body.mine.as_ref().map(content).transpose();
    }
    patch.apply(visible).as_ref().map(content).transpose()
}

/// What an edit of this path would overwrite, and how deep that lies: what is there, or what stands in its way.
fn place<'a>(path: &Pointer, value: Option<&'a Value>) -> (usize, Option<&'a Value>) {
    let (mut depth, mut at) = (0, value);
    for name in path.tokens() {
        let Some(Value::Object(members)) = at else { break };
        (depth, at) = (depth + 1, members.get(&*name));
    }
    (depth, at)
}

fn moved_on() -> Error {
    let message = "the record has changed since this conflict was shown, or arose: list it again, look at both sides and \
                   at the record as it is now, and resolve with a merged value";
    Error::invalid(code::VERSION_CONFLICT, message)
}

/// Conflicts that are read from the store at once.
const PAGE_ROWS: usize = 100;

impl Local {
    async fn shown_conflicts(&mut self, state: ConflictState, limit: usize) -> Result<Vec<ShownConflict>> {
        let found = self.conflicts(state, limit).await?;
        self.load(found.iter().map(|conflict| conflict.body.key.clone())).await?;
        let client = self.state().await?.client;
        let mut shown = Vec::with_capacity(found.len());
        for Conflict { id, version, body } in found {
            let now = self.shown(&body.key).await?;
            let is_own = body.client.as_ref() == Some(&client);
            shown.push(ShownConflict { id, version, body, now, is_own });
        }
        Ok(shown)
    }

    /// What the application sees under a key.
    async fn shown(&mut self, key: &RecordKey) -> Result<Option<Value>> {
        Ok(self.get(key).await?.and_then(|record| record.data).as_ref().map(Json::to_value))
    }

    async fn conflicts(&mut self, state: ConflictState, limit: usize) -> Result<Vec<Conflict>> {
        let mut query = ScanQuery {
            collection: Some(Collection::system(Collection::CONFLICTS)),
            after: None,
            descending: false,
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

    async fn resolve(&mut self, id: &RecordId, seen: Option<&Value>, resolution: Resolution) -> Result<()> {
        let key = Conflict::key(id.clone());
        let not_found = || Error::new(ErrorKind::NotFound, format!("there is no conflict {id}"));
        let record = self.get(&key).await?.ok_or_else(not_found)?;
        let conflict = read(&record)?.ok_or_else(not_found)?;
        let visible = self.shown(&conflict.body.key).await?;
        let data = match resolution {
            Resolution::TakeTheirs => return self.edit(&key, None).await.map(|_| ()),
            Resolution::TakeMine => mine(&conflict.body, visible.as_ref(), seen)?,
            Resolution::Merged(_) if visible.as_ref() != seen => return Err(moved_on()),
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
