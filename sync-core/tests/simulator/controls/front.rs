//! A front of a store that passes everything on, for traps to change one thing.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::sync::Arc;

use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page, ScanQuery,
    SpaceHead, SpaceStats, Store, StoreTxn,
};
use sync_core::{Epoch, Record, RecordKey, Result, Seq, SpaceId};

/// What a trap changes in a transaction. Each method is told what was asked and may change the answer.
#[async_trait]
pub(crate) trait Bend: Send + Sync + std::fmt::Debug {
    /// The space, as it is told.
    fn head(&self, head: SpaceHead) -> SpaceHead {
        head
    }

    /// A page of the feed.
    fn feed(&self, page: Page) -> Page {
        page
    }

    /// What is known of replicas.
    fn clients(&self, clients: Vec<ClientState>) -> Vec<ClientState> {
        clients
    }

    /// What is written.
    fn apply(&self, write: CommitWrite) -> CommitWrite {
        write
    }

    /// A commit has happened.
    fn committed(&self) {}
}

/// A store whose transactions are bent.
#[derive(Clone, Debug)]
pub(crate) struct Bent<B> {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) bend: Arc<B>,
}

#[async_trait]
impl<B: Bend + 'static> Store for Bent<B> {
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
        let txn = self.store.begin(space, mode).await?;
        Ok(Box::new(BentTxn { txn, bend: Arc::clone(&self.bend) }))
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

struct BentTxn<B> {
    txn: Box<dyn StoreTxn>,
    bend: Arc<B>,
}

#[async_trait]
impl<B: Bend + 'static> StoreTxn for BentTxn<B> {
    fn head(&self) -> SpaceHead {
        self.bend.head(self.txn.head())
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.txn.records(keys).await
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        self.txn.feed(query).await.map(|page| self.bend.feed(page))
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        self.txn.scan(query).await
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        self.txn.clients(query).await.map(|clients| self.bend.clients(clients))
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.txn.commits(from, limit).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        let write = self.bend.apply(write.clone());
        self.txn.apply(&write).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.txn.collect(floor, limit).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.txn.commit().await?;
        self.bend.committed();
        Ok(())
    }
}
