//! A local transaction: what was read, overlaid with what is to be written, and the task it runs in.

use std::collections::HashMap;

use futures_channel::oneshot;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::error::{Error, ErrorKind, Result};
use crate::replica::open::{Inner, Replica, ReplicaOptions};
use crate::replica::place::Side;
use crate::state_hash::{StateHash, state_hash};
use crate::store::{CommitWrite, FeedQuery, KEYS_MAX, Mode, Page, ScanQuery, Stamper, StoreTxn};
use crate::types::{Record, RecordKey, Seq};

/// A transaction on the local store. What it reads includes what it wrote; dropping it abandons everything.
pub(super) struct Local {
    txn: Box<dyn StoreTxn>,
    pub(super) options: ReplicaOptions,
    cells: HashMap<RecordKey, Cell>,
    n_written: usize,
}

struct Cell {
    record: Option<Record>,
    /// Place in the order of writes; `None` while it is as it was read.
    written: Option<usize>,
}

/// Work in a local transaction.
pub(super) type Work<'a, T> = BoxFuture<'a, Result<T>>;

impl Local {
    pub(super) fn new(txn: Box<dyn StoreTxn>, options: &ReplicaOptions) -> Self {
        Self { txn, options: options.clone(), cells: HashMap::new(), n_written: 0 }
    }

    /// Reads these records ahead, in as few statements as possible.
    pub(super) async fn load(&mut self, keys: impl IntoIterator<Item = RecordKey>) -> Result<()> {
        let keys: Vec<RecordKey> = keys.into_iter().filter(|key| !self.cells.contains_key(key)).collect();
        for keys in keys.chunks(KEYS_MAX) {
            let records = self.txn.records(keys).await?;
            for (key, record) in keys.iter().zip(records) {
                self.cells.insert(key.clone(), Cell { record, written: None });
            }
        }
        Ok(())
    }

    /// The record as this transaction sees it, tombstones included.
    pub(super) async fn get(&mut self, key: &RecordKey) -> Result<Option<Record>> {
        if !self.cells.contains_key(key) {
            self.load([key.clone()]).await?;
        }
        Ok(self.cells.get(key).and_then(|cell| cell.record.clone()))
    }

    /// Writes a record; its version is stamped at the end.
    pub(super) fn set(&mut self, record: Record) {
        self.write(record.key.clone(), Some(record));
    }

    /// Removes a record without a trace.
    pub(super) fn purge(&mut self, key: RecordKey) {
        self.write(key, None);
    }

    fn write(&mut self, key: RecordKey, record: Option<Record>) {
        let earlier = self.cells.get(&key).and_then(|cell| cell.written);
        let place = earlier.unwrap_or(self.n_written);
        self.n_written += 1;
        self.cells.insert(key, Cell { record, written: Some(place) });
    }

    /// What this transaction wrote so far, in no order; `None` for what it removed without a trace.
    pub(super) fn written(&self) -> impl Iterator<Item = (&RecordKey, Option<&Record>)> {
        let written = self.cells.iter().filter(|(_, cell)| cell.written.is_some());
        written.map(|(key, cell)| (key, cell.record.as_ref()))
    }

    /// Records as they are stored, without what this transaction wrote.
    pub(super) async fn stored(&mut self, query: &ScanQuery) -> Result<Page> {
        self.txn.scan(query).await
    }

    /// The feed as it is stored, without what this transaction wrote; `query.up_to` is set to the head.
    pub(super) async fn stored_feed(&mut self, mut query: FeedQuery) -> Result<Page> {
        query.up_to = self.txn.head().head;
        self.txn.feed(&query).await
    }

    /// The hash over what is stored, with versions as the server knows them.
    pub(super) async fn state_hash(&mut self) -> Result<StateHash> {
        state_hash(&mut *self.txn, |meta| meta.upstream).await
    }

    /// Seq of the newest local change before this transaction.
    pub(super) fn head(&self) -> Seq {
        self.txn.head().head
    }

    /// Makes durable what was written.
    pub(super) async fn commit(mut self) -> Result<()> {
        let mut written: Vec<(usize, RecordKey, Option<Record>)> = Vec::with_capacity(self.n_written);
        for (key, cell) in self.cells.drain() {
            if let Some(place) = cell.written {
                written.push((place, key, cell.record));
            }
        }
        if written.is_empty() {
            return Ok(());
        }
        written.sort_unstable_by_key(|(place, ..)| *place);
        let write = stamp(Stamper::new(self.txn.head(), self.options.clock.now()), written)?;
        self.txn.apply(&write).await?;
        self.txn.commit().await
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
    pub(super) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        self.know_place().await?;
        let inner = self.0.clone();
        self.run(async move {
            let _entered = inner.place.enter().await;
            inner.write(Side::Live, work).await
        })
        .await
    }

    /// Carries out `work` in one transaction on one side.
    pub(super) async fn write_at<T, W>(&self, side: Side, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        if side == Side::Live {
            return self.write(work).await;
        }
        let inner = self.0.clone();
        self.run(async move { inner.write(side, work).await }).await
    }

    /// Carries out `work`, which only reads, on one moment of the live side.
    pub(super) async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T> + Send + 'static,
    {
        let inner = self.0.clone();
        self.run(async move { work(&mut inner.begin_reading().await?).await }).await
    }

    /// Runs work in a task of its own and waits for it; if the caller goes away, the work goes on.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let (tell, told) = oneshot::channel();
        self.0.options.runtime.spawn(
            async move {
                // Whoever asked may be gone by now; that is theirs to decide.
                let _ = tell.send(work.await);
            }
            .boxed(),
        );
        told.await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "a task of the replica did not finish")))
    }
}

impl Inner {
    pub(super) async fn write<T, W>(&self, side: Side, work: W) -> Result<T>
    where
        W: for<'a> FnOnce(&'a mut Local) -> Work<'a, T>,
    {
        let mut local = self.begin(self.place.space(side), Mode::Write).await?;
        let result = work(&mut local).await?;
        local.commit().await?;
        Ok(result)
    }

    /// Begins reading what is live: also if that changes meanwhile.
    pub(super) async fn begin_reading(&self) -> Result<Local> {
        loop {
            let space = self.place.space(Side::Live);
            let begun = self.begin(space, Mode::Read).await;
            if std::ptr::eq(space, self.place.space(Side::Live)) {
                return begun;
            }
        }
    }
}
