//! Records, commits and everything else a test writes, in few words.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::conformance::{Subject, is_contended};
use crate::error::Result;
use crate::json::Json;
use crate::store::{ClientState, CommitInfo, CommitWrite, LogEntry, Store, StoreExt, StoreTxn};
use crate::types::{
    ActorId, ClientId, Collection, Epoch, MutationNumber, OpId, PropertyKey, Record, RecordId, RecordKey,
    RecordMeta, Seq, SpaceId, TreeId, TreeOp, VertexId,
};

/// How often a commit that was in the way of others is tried again: the races have a handful of writers.
const TRIES_MAX: usize = 100;

/// A change of one record before it has a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which record.
    pub key: RecordKey,
    /// Its new content, or `None` to delete it.
    pub data: Option<Json>,
}

/// Gives a record new content: canonical JSON.
///
/// # Panics
///
/// When the names are not valid; so do the other functions here that take names.
pub fn put(collection: &str, id: &str, json: &str) -> Change {
    Change { key: key(collection, id), data: Some(Json::from_canonical(json)) }
}

/// Deletes a record, which leaves a tombstone.
pub fn delete(collection: &str, id: &str) -> Change {
    Change { key: key(collection, id), data: None }
}

/// Makes the op `id` of a tree, which puts a vertex under another one or at the top.
pub fn move_op(tree: &str, id: &str, target: &str, parent: Option<&str>) -> Change {
    op_change(tree, &TreeOp::moving(op_id(id), vertex(target), parent.map(vertex)))
}

/// Makes the op `id` of a tree, which gives a property of a vertex a value (canonical JSON), or removes it.
pub fn set_op(tree: &str, id: &str, target: &str, name: &str, json: Option<&str>) -> Change {
    let name = PropertyKey::new(name).expect("tests use valid keys of properties");
    op_change(tree, &TreeOp::setting(op_id(id), vertex(target), name, json.map(Json::from_canonical)))
}

fn op_change(tree: &str, op: &TreeOp) -> Change {
    let tree = TreeId::new(tree).expect("tests use valid tree ids");
    Change { key: op.key(&tree), data: Some(op.content()) }
}

fn op_id(text: &str) -> OpId {
    text.parse().expect("tests use valid ids of ops")
}

fn vertex(name: &str) -> VertexId {
    VertexId::new(name).expect("tests use valid ids of vertices")
}

/// The key of a record; collections of the library are allowed.
pub fn key(collection: &str, id: &str) -> RecordKey {
    let collection = Collection::from_stored(collection).expect("tests use valid collections");
    RecordKey::new(collection, RecordId::new(id).expect("tests use valid record ids"))
}

/// The space of this name.
pub fn space_id(name: &str) -> SpaceId {
    SpaceId::new(name).expect("tests use valid space ids")
}

/// An epoch that is told from others by one number.
pub fn epoch(n: u8) -> Epoch {
    Epoch::from_bytes([n; 16])
}

/// A position.
pub fn seq(value: i64) -> Seq {
    Seq::new(value).expect("tests use positions within the range")
}

/// Someone.
pub fn actor(name: &str) -> ActorId {
    ActorId::new(name).expect("tests use valid actor ids")
}

/// The name of a replica.
pub fn client_id(name: &str) -> ClientId {
    ClientId::new(name).expect("tests use valid client ids")
}

/// What is known of a replica after mutation number `last`.
pub fn client_state(name: &str, last: i64) -> ClientState {
    ClientState {
        client: client_id(name),
        actor: actor("anna"),
        last: MutationNumber::new(last).expect("tests use mutation numbers within the range"),
        batch_hash: [7; 16],
        answer: format!(r#"{{"to":{last}}}"#),
        acked: seq(last),
        seen_at: Timestamp::ZERO,
    }
}

/// Entry number `entry` of the audit log, about a push that left the head at `head`.
pub fn log_entry(entry: i64, head: Seq) -> LogEntry {
    LogEntry {
        entry,
        at: Timestamp::ZERO,
        actor: actor("anna"),
        client: None,
        action: "push".into(),
        head,
        outcomes: Vec::new(),
        n_mutations: 0,
    }
}

/// Creates a space in a fresh store.
///
/// # Errors
///
/// Those of the store.
pub async fn fresh_space(subject: &dyn Subject) -> Result<(Arc<dyn Store>, SpaceId)> {
    let (store, space) = (subject.store(), space_id("family"));
    store.create_space(&space, epoch(1)).await?;
    Ok((store, space))
}

/// The write that makes `changes` the next commit of the space of `txn`, with seqs that follow its head.
///
/// # Errors
///
/// Those of reading the present states.
pub async fn stamp(
    txn: &mut dyn StoreTxn,
    changes: impl IntoIterator<Item = Change> + Send,
) -> Result<CommitWrite> {
    let first = after(txn.head().head, 1);
    stamp_at(txn, first, changes).await
}

/// The same with seqs from `first`, which must lie after the head.
///
/// # Errors
///
/// Those of reading the present states.
pub async fn stamp_at(
    txn: &mut dyn StoreTxn,
    first: Seq,
    changes: impl IntoIterator<Item = Change> + Send,
) -> Result<CommitWrite> {
    let changes: Vec<Change> = changes.into_iter().collect();
    let keys: Vec<RecordKey> = changes.iter().map(|change| change.key.clone()).collect();
    let before = txn.records(&keys).await?;
    let stamped = changes.into_iter().zip(before).enumerate().map(|(idx, (change, before))| Record {
        key: change.key,
        data: change.data,
        meta: meta(after(first, idx), before.map_or(1, |before| before.meta.revision + 1)),
    });
    let records: Vec<Record> = stamped.collect();
    let last = records.last().map_or(first, |record| record.meta.version);
    let tag = txn.head().tag.after(first, last, &records);
    Ok(CommitWrite { records, commits: vec![CommitInfo { first, last, tag }], ..CommitWrite::default() })
}

/// Commits `changes` to a space and says what was written.
///
/// # Errors
///
/// Those of the store, after trying again where another writer was in the way.
pub async fn commit(
    store: &dyn Store,
    space: &SpaceId,
    changes: impl IntoIterator<Item = Change>,
) -> Result<CommitWrite> {
    let changes: Vec<Change> = changes.into_iter().collect();
    for _ in 1..TRIES_MAX {
        match commit_once(store, space, changes.clone()).await {
            Err(error) if is_contended(&error) => {}
            ended => return ended,
        }
    }
    commit_once(store, space, changes).await
}

async fn commit_once(store: &dyn Store, space: &SpaceId, changes: Vec<Change>) -> Result<CommitWrite> {
    let mut txn = store.write(space).await?;
    let write = stamp(&mut *txn, changes).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    Ok(write)
}

/// Commits a write as it is.
///
/// # Errors
///
/// Those of the store.
pub async fn commit_write(store: &dyn Store, space: &SpaceId, write: &CommitWrite) -> Result<()> {
    let mut txn = store.write(space).await?;
    txn.apply(write).await?;
    txn.commit().await
}

fn after(seq: Seq, n: usize) -> Seq {
    seq.checked_add(n).expect("tests stay below the last position")
}

fn meta(version: Seq, revision: i64) -> RecordMeta {
    RecordMeta { revision, ..RecordMeta::first(version, actor("anna")) }
}
