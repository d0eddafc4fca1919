//! The store contract: what a database must promise so that sync can be built on it.
//!
//! Two traits. A [`Store`] knows spaces and begins transactions; a [`StoreTxn`] reads and writes one space. Every
//! sentence of their documentation is a test in [`conformance`](crate::conformance) (feature `conformance`), which a
//! new backend passes unchanged. A store has no opinions: versions, conflicts, access and limits are the service's.
//!
//! # What a store must guarantee
//!
//! * **Isolation.** Spaces never meet. Everything a transaction reads comes from one moment of its space.
//! * **One writer.** At most one write transaction per space is open at a time; a second one waits in `begin`.
//! * **Order.** Because of that, the order of commits is the order of seqs, and a reader that sees a seq sees all
//!   smaller ones.
//! * **All or nothing.** A transaction that is dropped, or whose commit fails, leaves no trace.
//! * **Durable.** When [`StoreTxn::commit`] returns `Ok`, the commit survives a crash or a power cut of the machine
//!   (as far as the backend has anything that does: the memory store promises it within the process).
//! * **Fail closed.** After an error nothing is acknowledged; a record whose checksum is wrong is an error of kind
//!   [`Corrupt`](crate::ErrorKind::Corrupt) and never data.
//!
//! # Ops of trees
//!
//! The records of a [tree](crate::Collection::of_tree) are its ops ([`TreeOp`](crate::TreeOp)), and to whoever reads they
//! are records: in [`records`](StoreTxn::records), [`feed`](StoreTxn::feed), [`scan`](StoreTxn::scan) and
//! [`stats`](Store::stats) there is no difference. Writing knows three:
//!
//! * **Nothing but ops.** [`apply`](StoreTxn::apply) refuses a write with a record in a tree that is not an op, and writes
//!   none of it; an op has no tombstone.
//! * **The first content stays.** A later state of an op with the same content replaces what is known of it, its version
//!   included. One with other content is ignored as a whole, also when both come in one transaction.
//! * **They are never collected.** Only a purge removes an op; after that its key is free.
//!
//! Beside them a store keeps [checkpoints](StoreTxn::checkpoint) of trees, if it likes: texts that are in no feed, no scan, no
//! count and no commit, and go with their space.

mod commit;
#[cfg(feature = "conformance")]
mod faulty;
mod hints;
mod memory;
mod memory_accounts;
mod memory_range;
mod query;
mod stamp;
mod stored;
mod tree_ops;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::types::{Epoch, Record, RecordKey, Seq, SpaceId, Tag, TreeId};

pub use commit::{ClientState, CommitInfo, CommitWrite, LogEntry, LogOutcome, TreeCheckpoint};
#[cfg(feature = "conformance")]
pub use faulty::{Call, Fault, FaultyStore};
pub use hints::{HintHub, Hints, OnCommit};
pub use memory::MemoryStore;
pub use query::{
    ClientQuery, FeedQuery, Page, PageBuilder, ScanQuery, StoreExt, StoreTxnExt, space_exists,
    space_not_found,
};
pub use stamp::Stamper;
pub use stored::{StoredRecords, stored_meta};
pub(crate) use tree_ops::stored_op;
pub use tree_ops::{check_tree_ops, gives_way, tree_op};

/// Where a space stands. Read at the beginning of a transaction and true throughout it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceHead {
    /// Which life of the space this is.
    pub epoch: Epoch,
    /// Seq of the newest change, [`Seq::ZERO`] when there was none.
    pub head: Seq,
    /// Tag of the newest commit, [`Tag::ZERO`] when there was none.
    pub tag: Tag,
    /// The feed is complete for readers at or after this seq; tombstones at or before it may be gone.
    pub floor: Seq,
    /// Number of the newest entry of the audit log, zero when there is none.
    pub log_head: i64,
}

/// Counts of a space, for status reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpaceStats {
    /// Records and tombstones per collection, by name.
    pub collections: Vec<CollectionStats>,
}

/// Counts of one collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionStats {
    /// Its name.
    pub collection: crate::types::Collection,
    /// Records that exist.
    pub n_records: u64,
    /// Tombstones that were not collected yet.
    pub n_tombstones: u64,
}

/// How a transaction may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Reading only, from one moment. Never waits for a writer.
    Read,
    /// Reading and writing, alone in its space from here to its end.
    Write,
}

/// What became of [`StoreTxn::collect`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many tombstones and log entries were removed. Commits are not counted.
    pub n_removed: usize,
    /// Whether more remains below the floor: call again, in this transaction or better in a new one.
    pub more: bool,
}

/// A database that holds spaces.
///
/// All methods may be called from many tasks at once. The returned futures may be dropped at any point without harm
/// to the store, but whether a dropped `commit` happened is then unknown.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Creates an empty space with this epoch: head, floor and tag are zero.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) when there is a space of this name; it is not changed.
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()>;

    /// Removes a space and everything in it. Waits for its open write transaction to end. Says whether there was one.
    ///
    /// A space created later under the same name shares nothing with it.
    async fn delete_space(&self, space: &SpaceId) -> Result<bool>;

    /// Names of the spaces after `after` (or from the first), ascending by bytes, at most `limit`.
    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>>;

    /// Begins a transaction on a space. [`Mode::Write`] waits until no other write transaction is open on it.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such space,
    /// [`Overloaded`](crate::ErrorKind::Overloaded) when waiting for the writer took too long (ten seconds are a good
    /// limit), [`Contended`](crate::ErrorKind::Contended) when beginning again at once may do.
    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>>;

    /// Counts of a space, committed at some moment during the call.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such space.
    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats>;

    /// Entries of the audit log with a number below `before` (or all), newest first, at most `limit`.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such space.
    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>>;

    /// Says whether the store can serve at this moment, and what about its settings puts data at risk: one sentence
    /// each, for whoever runs it. Reads next to nothing.
    ///
    /// # Errors
    ///
    /// What serving would fail with.
    async fn check(&self) -> Result<Vec<String>> {
        self.spaces(None, 1).await.map(|_| Vec::new())
    }

    /// Heads of the space as they move: after a commit that moved the head, subscribers are woken with a head at or
    /// after it. Several moves may arrive as one. A hint is not a promise of order or completeness; the feed is.
    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq>;
}

/// One transaction on one space.
///
/// It sees what it wrote itself. Dropping it abandons it: nothing it wrote is ever seen by others. After a method failed,
/// [`commit`](StoreTxn::commit) fails too, and nobody asks it for more. Writing in a transaction begun with [`Mode::Read`] is
/// an error of kind [`Internal`](crate::ErrorKind::Internal). It may outlive the [`Store`] value it came from, and keeps open
/// what it needs.
#[async_trait]
pub trait StoreTxn: Send {
    /// Where the space stood when the transaction began. Writes of this transaction do not change it.
    fn head(&self) -> SpaceHead;

    /// The records of these keys, tombstones included, in the order of the keys; `None` where there is none. What a call
    /// costs beside the records themselves does not grow with their number, up to [`KEYS_MAX`] of them.
    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>>;

    /// Records and tombstones whose version is after `query.after` and at most `query.up_to`, ascending by version.
    /// Each record appears once, in its latest state, if that state lies within the range.
    async fn feed(&mut self, query: &FeedQuery) -> Result<Page>;

    /// Records ascending by the bytes of (collection, id), or descending when the query says so.
    async fn scan(&mut self, query: &ScanQuery) -> Result<Page>;

    /// What is known of replicas, ascending by the bytes of their ids, each once; one that never pushed is not there.
    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>>;

    /// The commits whose last seq is at or after `from`, ascending, at most `limit`. If any contains `from`, it is the
    /// first of them.
    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>>;

    /// The checkpoint of a tree that was written last. `None` where there is none, and always from a backend that keeps none.
    async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        let _ = tree;
        Ok(None)
    }

    /// Writes what commits do: all of it becomes visible with [`commit`](StoreTxn::commit), or none. Records first, then
    /// purges. A backend that works on another thread clones what it is given.
    ///
    /// It may be called several times, also in turns with [`collect`](StoreTxn::collect): each call goes on from the
    /// one before, and of several states of a record or a replica the last one stays (of an op of a tree, the last one with
    /// the content of the first). What earlier calls wrote need not be held in memory.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid), before anything is written, when a record in a tree
    /// [is not an op](check_tree_ops).
    async fn apply(&mut self, write: &CommitWrite) -> Result<()>;

    /// Raises the floor to `floor` (it never falls) and removes what lies at or below it: tombstones, log entries whose
    /// head is at or below it (oldest first, until the first that stays; their numbers are never used again), and commits
    /// whose last seq is below it. At most `limit` of each go in one call. Live records always stay, ops of trees among them.
    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected>;

    /// Ends the transaction and makes its writes durable and visible.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::ErrorKind::Unavailable) when it is not known whether the commit happened; any other
    /// kind means that it did not.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// How many replicas to list at once: the answers to their last batches may be of some megabytes each.
pub const CLIENTS_PAGE: usize = 100;

/// How many keys or records a backend can be expected to take at the cost of one. Larger calls are allowed; a backend
/// splits them as it must. SQLite takes 32,766 parameters in a statement.
pub const KEYS_MAX: usize = 1000;
