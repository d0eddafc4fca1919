//! Filling one space of a store, in one transaction.

use crate::clock::Timestamp;
use crate::copy::check::Collected;
use crate::copy::line::{Row, SpaceLine};
use crate::copy::{PAGE_BYTES, PAGE_ROWS};
use crate::error::{Error, ErrorKind, Result};
use crate::state_hash::{StateHash, state_hash};
use crate::store::{ClientQuery, CommitWrite, LogEntry, ScanQuery, SpaceHead, Store, StoreExt, StoreTxn};
use crate::types::{ActorId, Seq, SpaceId};

/// What was found under the name of a space that is to come.
pub(super) enum Target {
    /// The same space.
    There,
    /// Nothing, or nothing in it; what comes is written into this transaction.
    New(Box<Filler>),
}

/// Looks at the place of a space, and makes room where nothing is.
///
/// # Errors
///
/// [`AlreadyExists`](ErrorKind::AlreadyExists) when another space of this name is there; it is not touched.
pub(super) async fn begin(store: &dyn Store, space: &SpaceLine) -> Result<Target> {
    let (name, wanted) = (&space.space, space.head());
    match store.read(name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(mut found) => {
            if !is_empty(&mut *found).await? {
                return if is_same(&found.head(), &wanted) {
                    Ok(Target::There)
                } else {
                    Err(in_the_way(name))
                };
            }
            drop(found);
            store.delete_space(name).await?;
        }
    }
    store.create_space(name, wanted.epoch).await?;
    let txn = store.write(name).await?;
    Ok(Target::New(Box::new(Filler { txn, head: wanted, pending: CommitWrite::default(), n_bytes: 0 })))
}

/// Checks that a space in the store is what it should be.
pub(super) async fn verify(store: &dyn Store, space: &SpaceLine, hash: StateHash) -> Result<()> {
    let mut txn = store.read(&space.space).await?;
    if !is_same(&txn.head(), &space.head()) {
        return Err(in_the_way(&space.space));
    }
    compare(&space.space, &mut *txn, hash).await
}

async fn is_empty(txn: &mut dyn StoreTxn) -> Result<bool> {
    let head = txn.head();
    let query = ScanQuery {
        collection: None,
        after: None,
        descending: false,
        tombstones: true,
        rows_max: 1,
        bytes_max: 1,
    };
    Ok(head.head == Seq::ZERO
        && head.log_head == 0
        && txn.clients(ClientQuery::After(None, 1)).await?.is_empty()
        && txn.scan(&query).await?.records.is_empty())
}

/// Whether both have come through the same history in the same life.
fn is_same(one: &SpaceHead, other: &SpaceHead) -> bool {
    (one.epoch, one.head, one.tag) == (other.epoch, other.head, other.tag)
}

async fn compare(name: &SpaceId, txn: &mut dyn StoreTxn, wanted: StateHash) -> Result<()> {
    let found = state_hash(txn, |meta| meta.version).await?;
    if found == wanted {
        return Ok(());
    }
    let message =
        format!("the records of space {name} have hash {found} in the store and {wanted} in the export");
    Err(Error::new(ErrorKind::Corrupt, message))
}

fn in_the_way(name: &SpaceId) -> Error {
    let message = format!(
        "another space {name} with changes of its own is in the store and was not touched: import into an empty store, or \
         delete that space first if it is not needed"
    );
    Error::new(ErrorKind::AlreadyExists, message)
}

/// Writes the rows of a space, some at a time. Dropping it leaves the space empty.
pub(super) struct Filler {
    txn: Box<dyn StoreTxn>,
    head: SpaceHead,
    pending: CommitWrite,
    n_bytes: usize,
}

impl Filler {
    /// Takes in a row.
    pub(super) async fn row(&mut self, row: Row) -> Result<()> {
        self.n_bytes += match &row {
            Row::Client(state) => state.answer.len(),
            Row::Record(record) => record.data_len(),
            Row::Commit(_) | Row::Log(_) => 0,
        };
        let pending = &mut self.pending;
        match row {
            Row::Commit(commit) => pending.commits.push(commit),
            Row::Client(state) => pending.clients.push(state),
            Row::Log(entry) => pending.log.push(entry),
            Row::Record(record) => pending.records.push(record),
        }
        let n_rows =
            pending.commits.len() + pending.clients.len() + pending.log.len() + pending.records.len();
        if n_rows >= PAGE_ROWS || self.n_bytes >= PAGE_BYTES { self.send().await } else { Ok(()) }
    }

    /// Makes floor, head and log numbers what they should be, when all rows but the records are there.
    ///
    /// What a collection took away is written and collected again: this leaves the numbers, and nothing else. As long as
    /// there are no records, no tombstone can go with it that was still there.
    pub(super) async fn settle(&mut self, collected: Collected) -> Result<()> {
        self.pending.commits.extend(collected.commit);
        self.pending.log.extend(collected.entry.map(stand_in));
        self.send().await?;
        if self.head.floor > Seq::ZERO || collected.entry.is_some() {
            self.txn.collect(self.head.floor, usize::from(collected.entry.is_some())).await?;
        }
        Ok(())
    }

    /// Compares what is in the store with what should be, and makes it durable and visible.
    pub(super) async fn finish(mut self, store: &dyn Store, name: &SpaceId, hash: StateHash) -> Result<()> {
        self.send().await?;
        compare(name, &mut *self.txn, hash).await?;
        self.txn.commit().await?;
        let found = store.read(name).await?.head();
        if found == self.head {
            return Ok(());
        }
        let message =
            format!("space {name} stands at {found:?} in the store, and at {:?} in the export", self.head);
        Err(Error::new(ErrorKind::Corrupt, message))
    }

    async fn send(&mut self) -> Result<()> {
        self.n_bytes = 0;
        let mut write = std::mem::take(&mut self.pending);
        if write.is_empty() {
            return Ok(());
        }
        write.records.sort_unstable_by_key(|record| record.meta.version);
        self.txn.apply(&write).await
    }
}

/// An entry that goes with the next collection, and leaves its number.
fn stand_in(entry: i64) -> LogEntry {
    LogEntry {
        entry,
        at: Timestamp::ZERO,
        actor: ActorId::new("system").expect("a plain word is a valid actor"),
        client: None,
        action: "import".to_owned(),
        head: Seq::ZERO,
        outcomes: Vec::new(),
        n_mutations: 0,
    }
}
