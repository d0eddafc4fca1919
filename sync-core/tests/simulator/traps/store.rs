//! A front of a store that passes everything on, for traps that change some of it.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page, ScanQuery,
    SpaceHead, SpaceStats, Store, StoreTxn,
};
use sync_core::{Epoch, Record, RecordKey, Result, Seq, SpaceId};

/// A transaction under way, as a trap sees it.
pub(super) struct At {
    pub(super) store: Arc<dyn Store>,
    pub(super) space: SpaceId,
    /// What whoever began it is told of the space.
    pub(super) head: SpaceHead,
    pub(super) txn: Box<dyn StoreTxn>,
    /// A transaction that began before this one.
    pub(super) earlier: Option<Box<dyn StoreTxn>>,
}

impl At {
    pub(super) async fn begin(store: &Arc<dyn Store>, space: &SpaceId, mode: Mode) -> Result<Self> {
        let txn = store.begin(space, mode).await?;
        let (store, space) = (Arc::clone(store), space.clone());
        Ok(Self { store, space, head: txn.head(), txn, earlier: None })
    }
}

/// What a trap changes about a store. What it does not mention is passed on.
#[async_trait]
pub(super) trait StoreTrap: Debug + Send + Sync + 'static {
    async fn begin(&self, store: &Arc<dyn Store>, space: &SpaceId, mode: Mode) -> Result<At> {
        At::begin(store, space, mode).await
    }

    async fn records(&self, at: &mut At, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        at.txn.records(keys).await
    }

    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        at.txn.feed(query).await
    }

    async fn scan(&self, at: &mut At, query: &ScanQuery) -> Result<Page> {
        at.txn.scan(query).await
    }

    async fn clients(&self, at: &mut At, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        at.txn.clients(query).await
    }

    async fn apply(&self, at: &mut At, write: CommitWrite) -> Result<()> {
        at.txn.apply(&write).await
    }

    async fn collect(&self, at: &mut At, floor: Seq, limit: usize) -> Result<Collected> {
        at.txn.collect(floor, limit).await
    }

    /// What was asked to be written is on the disk.
    fn committed(&self, _space: &SpaceId, _written: &[CommitWrite]) {}
}

/// A store with a trap in it.
#[derive(Clone, Debug)]
pub(super) struct TrappedStore<T> {
    store: Arc<dyn Store>,
    trap: Arc<T>,
}

impl<T: StoreTrap> TrappedStore<T> {
    pub(super) fn front(store: Arc<dyn Store>, trap: T) -> Arc<dyn Store> {
        Arc::new(Self { store, trap: Arc::new(trap) })
    }
}

#[async_trait]
impl<T: StoreTrap> Store for TrappedStore<T> {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.store.create_space(space, epoch).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.store.delete_space(space).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.store.spaces(after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let at = self.trap.begin(&self.store, space, mode).await?;
        Ok(Box::new(TrappedTxn { trap: Arc::clone(&self.trap), at, written: Vec::new() }))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.store.stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.store.log(space, before, limit).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.store.hints(space)
    }
}

struct TrappedTxn<T> {
    trap: Arc<T>,
    at: At,
    written: Vec<CommitWrite>,
}

#[async_trait]
impl<T: StoreTrap> StoreTxn for TrappedTxn<T> {
    fn head(&self) -> SpaceHead {
        self.at.head
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.trap.records(&mut self.at, keys).await
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        self.trap.feed(&mut self.at, query).await
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        self.trap.scan(&mut self.at, query).await
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        self.trap.clients(&mut self.at, query).await
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.at.txn.commits(from, limit).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        self.written.push(write.clone());
        self.trap.apply(&mut self.at, write.clone()).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.trap.collect(&mut self.at, floor, limit).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { trap, at, written } = *self;
        at.txn.commit().await?;
        trap.committed(&at.space, &written);
        Ok(())
    }
}
