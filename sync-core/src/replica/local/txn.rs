//! A local transaction: what was read, overlaid with what is to be written, and the task it runs in.

use std::collections::{BTreeSet, HashMap};

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};
use crate::json::Json;
use crate::replica::local::open::{Inner, Replica, ReplicaOptions};
use crate::replica::local::place::Side;
use crate::replica::tell::watch::{Change, Origin, is_told};
use crate::state_hash::{StateHash, state_hash};
use crate::store::{
    Collected, CommitWrite, FeedQuery, Mode, Page, ScanQuery, SpaceHead, Stamper, StoreTxn, TreeCheckpoint,
};
use crate::types::{Record, RecordKey, Seq, TreeId};

/// A transaction on the local store. What it reads includes what it wrote; dropping it abandons everything.
pub(crate) struct Local {
    txn: Box<dyn StoreTxn>,
    pub(crate) options: ReplicaOptions,
    cells: HashMap<RecordKey, Cell>,
    n_written: usize,
    /// Whether something was done to the store besides what `cells` say.
    has_more_to_commit: bool,
    /// Whether ops of trees were removed.
    loses_ops: bool,
}

#[derive(Default)]
struct Cell {
    record: Option<Record>,
    /// Place in the order of writes; `None` while it is as it was read.
    written: Option<usize>,
    /// The content as it is stored, if it was read.
    stored: Option<Option<Json>>,
    /// Who made the content that was written.
    origin: Option<Origin>,
}

impl Cell {
    fn data(&self) -> Option<&Json> {
        self.record.as_ref()?.data.as_ref()
    }
}

/// Work in a local transaction.
pub(crate) type Work<'a, T> = BoxFuture<'a, Result<T>>;

impl Local {
    pub(crate) fn new(txn: Box<dyn StoreTxn>, options: &ReplicaOptions) -> Self {
        let (cells, n_written, has_more_to_commit, loses_ops) = (HashMap::new(), 0, false, false);
        Self { txn, options: options.clone(), cells, n_written, has_more_to_commit, loses_ops }
    }

    /// Reads these records ahead, in as few statements as possible.
    pub(crate) async fn load(&mut self, keys: impl IntoIterator<Item = RecordKey>) -> Result<()> {
        let keys: Vec<RecordKey> = keys.into_iter().filter(|key| !self.cells.contains_key(key)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let records = self.txn.records(&keys).await?;
        for (key, record) in keys.into_iter().zip(records) {
            let mut cell = Cell { record, ..Cell::default() };
            cell.stored = Some(cell.data().cloned());
            self.cells.insert(key, cell);
        }
        Ok(())
    }

    /// The record as this transaction sees it, tombstones included.
    pub(crate) async fn get(&mut self, key: &RecordKey) -> Result<Option<Record>> {
        if !self.cells.contains_key(key) {
            self.load([key.clone()]).await?;
        }
        Ok(self.cells.get(key).and_then(|cell| cell.record.clone()))
    }

    /// Writes a record as the server has it; its version is stamped at the end.
    pub(crate) fn set(&mut self, record: Record) {
        self.set_by(record, Origin::Remote);
    }

    /// Writes a record whose content, if it is another than before, was made by `origin`.
    pub(crate) fn set_by(&mut self, record: Record, origin: Origin) {
        self.write(record.key.clone(), Some(record), origin);
    }

    /// Says who made the content of a record that was written.
    pub(crate) fn set_origin(&mut self, key: &RecordKey, origin: Origin) {
        if let Some(cell) = self.cells.get_mut(key) {
            cell.origin = Some(origin);
        }
    }

    /// Removes a record without a trace.
    pub(crate) fn purge(&mut self, key: RecordKey) {
        self.write(key, None, Origin::Remote);
    }

    fn write(&mut self, key: RecordKey, record: Option<Record>, origin: Origin) {
        // Ops of trees have no tombstones: one that the server refused, or does not show any more, is gone without a trace.
        let record = record.filter(|record| !(key.collection.is_tree() && record.is_deleted()));
        self.loses_ops |= record.is_none() && key.collection.is_tree();
        let cell = self.cells.entry(key).or_default();
        cell.written.get_or_insert(self.n_written);
        self.n_written += 1;
        let before = std::mem::replace(&mut cell.record, record);
        if cell.data() != before.and_then(|record| record.data).as_ref() {
            cell.origin = Some(origin);
        }
    }

    /// What this transaction wrote so far, in no order; `None` for what it removed without a trace.
    pub(crate) fn written(&self) -> impl Iterator<Item = (&RecordKey, Option<&Record>)> {
        let written = self.cells.iter().filter(|(_, cell)| cell.written.is_some());
        written.map(|(key, cell)| (key, cell.record.as_ref()))
    }

    /// Records as they are stored, without what this transaction wrote.
    pub(crate) async fn stored(&mut self, query: &ScanQuery) -> Result<Page> {
        self.txn.scan(query).await
    }

    /// The feed as it is stored, without what this transaction wrote; `query.up_to` is set to the head.
    pub(crate) async fn stored_feed(&mut self, mut query: FeedQuery) -> Result<Page> {
        query.up_to = self.txn.head().head;
        self.txn.feed(&query).await
    }

    /// The hash over what is stored, with versions as the server knows them.
    pub(crate) async fn state_hash(&mut self) -> Result<StateHash> {
        state_hash(&mut *self.txn, |meta| meta.upstream).await
    }

    /// Where the local space stood before this transaction.
    pub(crate) fn space_head(&self) -> SpaceHead {
        self.txn.head()
    }

    /// Removes tombstones and history up to `floor`.
    pub(crate) async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.has_more_to_commit = true;
        self.txn.collect(floor, limit).await
    }

    /// The checkpoint of a tree.
    pub(crate) async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        self.txn.checkpoint(tree).await
    }

    /// Replaces the checkpoint of a tree.
    pub(crate) async fn set_checkpoint(&mut self, checkpoint: TreeCheckpoint) -> Result<()> {
        self.has_more_to_commit = true;
        let write = CommitWrite { checkpoints: vec![checkpoint], ..CommitWrite::default() };
        self.txn.apply(&write).await
    }

    /// Whether the application edited something.
    fn is_edited(&self) -> bool {
        self.cells.values().any(|cell| cell.written.is_some() && cell.origin == Some(Origin::Local))
    }

    /// Makes durable what was written.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let replaced = self.replaced_ops();
        let mut shrunk: BTreeSet<TreeId> = replaced.iter().filter_map(|key| key.collection.tree()).collect();
        if self.loses_ops || !replaced.is_empty() {
            self.note_lost_ops().await?;
        }
        let mut written: Vec<(usize, RecordKey, Option<Record>)> = Vec::with_capacity(self.n_written);
        for (key, cell) in self.cells.drain() {
            let Some(place) = cell.written else { continue };
            if cell.record.is_none() {
                shrunk.extend(key.collection.tree());
            }
            written.push((place, key, cell.record));
        }
        if written.is_empty() {
            return if self.has_more_to_commit { self.txn.commit().await } else { Ok(()) };
        }
        written.sort_unstable_by_key(|(place, ..)| *place);
        let mut write = stamp(Stamper::new(self.txn.head(), self.options.clock.now()), written)?;
        // It holds what is to be gone, and is of no use any more.
        let emptied = shrunk.into_iter().map(|tree| TreeCheckpoint { tree, body: "-".to_owned() });
        write.checkpoints = emptied.collect();
        if !replaced.is_empty() {
            self.txn.apply(&CommitWrite { purges: replaced, ..CommitWrite::default() }).await?;
        }
        self.txn.apply(&write).await?;
        self.txn.commit().await
    }

    /// Ops that were written with another content than is stored. A store keeps the first, so that must go before.
    fn replaced_ops(&self) -> Vec<RecordKey> {
        let is_replaced = |cell: &Cell| {
            let stored = cell.stored.as_ref().and_then(Option::as_ref);
            cell.written.is_some()
                && cell.record.is_some()
                && stored.is_some_and(|stored| cell.data() != Some(stored))
        };
        let ops = self.cells.iter().filter(|(key, cell)| key.collection.is_tree() && is_replaced(cell));
        ops.map(|(key, _)| key.clone()).collect()
    }

    /// What of that which was written is other content than is stored, in the order of writes.
    async fn changes(&mut self) -> Result<Vec<Change>> {
        self.compare_unread().await?;
        let mut changes = Vec::new();
        for (key, cell) in &self.cells {
            let (Some(place), true) = (cell.written, is_told(key)) else { continue };
            if cell.stored.as_ref().and_then(Option::as_ref) != cell.data() {
                let origin = cell.origin.unwrap_or(Origin::Remote);
                changes.push((place, Change { key: key.clone(), data: cell.data().cloned(), origin }));
            }
        }
        changes.sort_unstable_by_key(|(place, _)| *place);
        Ok(changes.into_iter().map(|(_, change)| change).collect())
    }

    /// Reads what is stored of records that were written without being read.
    async fn compare_unread(&mut self) -> Result<()> {
        let is_unread = |cell: &Cell| cell.written.is_some() && cell.stored.is_none();
        let unread = self.cells.iter().filter(|(key, cell)| is_told(key) && is_unread(cell));
        let unread: Vec<RecordKey> = unread.map(|(key, _)| key.clone()).collect();
        if unread.is_empty() {
            return Ok(());
        }
        let records = self.txn.records(&unread).await?;
        for (key, record) in unread.into_iter().zip(records) {
            self.cells.entry(key).or_default().stored = Some(record.and_then(|record| record.data));
        }
        Ok(())
    }
}

fn stamp(mut stamper: Stamper, written: Vec<(usize, RecordKey, Option<Record>)>) -> Result<CommitWrite> {
    let mut records = Vec::with_capacity(written.len());
    let mut purges = Vec::new();
    for (_, key, record) in written {
        match record {
            Some(mut record) => {
                record.meta.version = stamper.next_seq()?;
                records.push(record);
            }
            None => purges.push(key),
        }
    }
    Ok(CommitWrite { purges, ..stamper.commit(records) })
}

impl Replica {
    /// Carries out `work` in one transaction on the live side and makes it durable if it succeeds.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        self.refuse_within()?;
        let inner = self.0.clone();
        self.in_task(async move {
            let _entered = inner.place.enter().await;
            // Only here: a switch may have gone into doubt while this waited to come in.
            inner.settle_doubt().await?;
            inner.write(Side::Live, work).await
        })
        .await
    }

    /// Carries out `work` in one transaction on one side.
    pub(crate) async fn write_at<T, W>(&self, side: Side, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        if side == Side::Live {
            return self.write(work).await;
        }
        let inner = self.0.clone();
        self.in_task(async move {
            let _alone = inner.place.enter_standby().await;
            inner.write(side, work).await
        })
        .await
    }

    /// Carries out `work`, which only reads, on one moment of the live side.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        let inner = self.0.clone();
        self.in_task(async move { work(&mut inner.begin_reading().await?).await }).await
    }

    /// Runs work in a task of its own and waits for it; if the caller goes away, the work goes on.
    pub(crate) async fn in_task<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        let inside = self.enter()?;
        self.0.options.runtime.spawn(
            async move {
                let done = work.await;
                drop(inside);
                // Whoever asked may be gone by now; that is theirs to decide.
                let _ = tell.send(done);
            }
            .boxed(),
        );
        told.await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a task of the replica did not finish")))
    }
}

impl Inner {
    pub(crate) async fn write<T, W>(&self, side: Side, work: W) -> Result<T>
    where
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T>,
    {
        let mut local = self.begin(self.place.space(side), Mode::Write).await?;
        let result = work(&mut local).await?;
        let hub = &self.signals.hub;
        let is_seen = side == Side::Live && hub.is_watched();
        let changes = if is_seen { Some(local.changes().await?) } else { None };
        let is_edited = local.is_edited();
        let committed = local.commit().await;
        // Whoever writes is alone here until this is done, so changes are told in the order of commits.
        if side == Side::Live {
            hub.tell(&committed, changes.as_deref());
            if is_edited {
                self.signals.edits.set(());
            }
            self.signals.steps.set(());
        }
        committed.map(|()| result)
    }

    /// Begins reading what is live: also if that changes meanwhile.
    pub(crate) async fn begin_reading(&self) -> Result<Local> {
        loop {
            let space = self.place.space(Side::Live);
            let begun = self.begin(space, Mode::Read).await;
            if std::ptr::eq(space, self.place.space(Side::Live)) {
                return begun;
            }
        }
    }
}
