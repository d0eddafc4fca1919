//! Plain reading: records, status, the audit log, and the hash by which copies are compared.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::error::Result;
use crate::service::{Actor, Service, scoped};
use crate::state_hash::{StateHash, state_hash};
use crate::store::{CLIENTS_PAGE, ClientQuery, CollectionStats, LogEntry, Mode, ScanQuery, StoreTxn};
use crate::types::{ClientId, Collection, Record, RecordId, RecordKey, Seq, SpaceId};

/// Some records of a collection.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordPage {
    /// The records, ascending by id.
    pub records: Vec<Record>,
    /// The id to go on after, or `None` at the end: where nothing follows that whoever asks may read.
    pub next: Option<RecordId>,
}

/// How a space is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Seq of the newest change.
    pub head: Seq,
    /// The feed is complete from here on.
    pub floor: Seq,
    /// Which life of the space this is, in hexadecimal digits.
    pub epoch: String,
    /// Counts per collection that is delivered: the application's, its trees, and the conflicts.
    pub collections: Vec<CollectionStatus>,
    /// The replicas that pushed to it, by name, at most [`Status::REPLICAS_MAX`] of them.
    pub replicas: Vec<ReplicaStatus>,
    /// Hash of all records, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_hash: Option<StateHash>,
}

impl Status {
    /// How many replicas a status lists: more than a person can read, few enough to hold in memory.
    pub const REPLICAS_MAX: usize = 10_000;
}

/// Counts of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectionStatus {
    /// Its name.
    pub name: Collection,
    /// Records that exist.
    pub n_records: u64,
    /// Tombstones that are kept.
    pub n_tombstones: u64,
}

impl From<CollectionStats> for CollectionStatus {
    fn from(counted: CollectionStats) -> Self {
        let CollectionStats { collection, n_records, n_tombstones } = counted;
        Self { name: collection, n_records, n_tombstones }
    }
}

/// How far a replica is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaStatus {
    /// Its name.
    pub client_id: ClientId,
    /// Number of its last mutation.
    pub last: i64,
    /// Up to where it had everything when it pushed last.
    pub acked: Seq,
    /// When it pushed last.
    pub seen_at: Timestamp,
    /// Microseconds between the change it had last and the newest one.
    pub lag_us: i64,
}

/// How far the first replicas by name are.
async fn replicas(txn: &mut dyn StoreTxn) -> Result<Vec<ReplicaStatus>> {
    let head = txn.head().head;
    let mut replicas: Vec<ReplicaStatus> = Vec::new();
    loop {
        let after = replicas.last().map(|last| &last.client_id);
        let n_wanted = CLIENTS_PAGE.min(Status::REPLICAS_MAX - replicas.len());
        let page = txn.clients(ClientQuery::After(after, n_wanted)).await?;
        let n_found = page.len();
        replicas.extend(page.into_iter().map(|client| ReplicaStatus {
            client_id: client.client,
            last: client.last.get(),
            acked: client.acked,
            seen_at: client.seen_at,
            lag_us: (head.get() - client.acked.get()).max(0),
        }));
        if n_found < n_wanted || replicas.len() == Status::REPLICAS_MAX {
            return Ok(replicas);
        }
    }
}

impl Service {
    /// One record, or its tombstone when `with_tombstone`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) for a space that is not there, and what the store reports.
    pub async fn record(
        &self,
        actor: &Actor,
        space: &SpaceId,
        key: &RecordKey,
        with_tombstone: bool,
    ) -> Result<Option<Record>> {
        let (actor, space, key) = (actor.clone(), space.clone(), key.clone());
        self.run(move |inner| async move {
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            let record = scoped::record(inner.rules.view(&actor), txn.as_mut(), &key).await?;
            Ok(record.filter(|record| with_tombstone || !record.is_deleted()))
        })
        .await
    }

    /// Records of a collection after an id, at most `limit` of them and a page. With a
    /// [scope](crate::service::rules::Scope) what the actor may not read is passed over, to the end of the collection if
    /// need be.
    ///
    /// # Errors
    ///
    /// As [`Service::record`].
    pub async fn records(
        &self,
        actor: &Actor,
        space: &SpaceId,
        collection: &Collection,
        after: Option<RecordId>,
        limit: Option<usize>,
    ) -> Result<RecordPage> {
        let (actor, space, collection) = (actor.clone(), space.clone(), collection.clone());
        self.run(move |inner| async move {
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            let max = inner.limits.page_rows_max;
            let query = ScanQuery {
                after: after.map(|id| RecordKey::new(collection.clone(), id)),
                collection: Some(collection),
                descending: false,
                tombstones: false,
                rows_max: limit.unwrap_or(max).clamp(1, max),
                bytes_max: inner.limits.page_bytes_max,
            };
            let page = scoped::scan(inner.rules.view(&actor), txn.as_mut(), &query).await?;
            let next = page.records.last().filter(|_| page.more).map(|record| record.key.id.clone());
            Ok(RecordPage { records: page.records, next })
        })
        .await
    }

    /// How a space is doing. With `with_hash` it reads every record.
    ///
    /// # Errors
    ///
    /// As [`Service::record`].
    pub async fn status(&self, actor: &Actor, space: &SpaceId, with_hash: bool) -> Result<Status> {
        let (actor, space) = (actor.clone(), space.clone());
        self.run(move |inner| async move {
            let view = inner.rules.view(&actor);
            let mut txn = inner.store.begin(&space, Mode::Read).await?;
            let head = txn.head();
            let (counts, hash) = if view.is_whole() {
                let hash =
                    if with_hash { Some(state_hash(txn.as_mut(), |meta| meta.version).await?) } else { None };
                (None, hash)
            } else {
                let (counts, hash) = scoped::survey(view, txn.as_mut()).await?;
                (Some(counts), Some(hash).filter(|_| with_hash))
            };
            let replicas = replicas(txn.as_mut()).await?;
            drop(txn);
            let counts = match counts {
                Some(counts) => counts,
                None => {
                    let all = inner.store.stats(&space).await?.collections;
                    all.into_iter().filter(|counted| counted.collection.is_delivered()).collect()
                }
            };
            Ok(Status {
                head: head.head,
                floor: head.floor,
                epoch: head.epoch.to_string(),
                collections: counts.into_iter().map(CollectionStatus::from).collect(),
                replicas,
                state_hash: hash,
            })
        })
        .await
    }

    /// Entries of the audit log with a number below `before`, newest first, at most `limit` of them and a page.
    ///
    /// # Errors
    ///
    /// As [`Service::record`].
    pub async fn log(
        &self,
        actor: &Actor,
        space: &SpaceId,
        before: Option<i64>,
        limit: Option<usize>,
    ) -> Result<Vec<LogEntry>> {
        let (actor, space) = (actor.clone(), space.clone());
        self.run(move |inner| async move {
            let (view, max) = (inner.rules.view(&actor), inner.limits.page_rows_max);
            let mut entries = inner.store.log(&space, before, limit.unwrap_or(100).clamp(1, max)).await?;
            if !view.is_whole() {
                let mut txn = inner.store.begin(&space, Mode::Read).await?;
                scoped::log(view, txn.as_mut(), &mut entries).await?;
            }
            Ok(entries)
        })
        .await
    }
}
