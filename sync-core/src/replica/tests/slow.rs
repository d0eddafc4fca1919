//! A store whose commits are answered a while after they are done, as those of a database in another thread are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::Result;
use crate::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, MemoryStore, Mode,
    Page, ScanQuery, SpaceHead, SpaceStats, Store, StoreTxn,
};
use crate::types::{Epoch, Record, RecordKey, Seq, SpaceId};

#[derive(Debug, Default)]
pub(super) struct SlowStore {
    inner: MemoryStore,
    n_commits: Arc<AtomicU64>,
}

struct SlowTxn {
    inner: Box<dyn StoreTxn>,
    n_commits: Arc<AtomicU64>,
}

#[async_trait]
impl Store for SlowStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.inner.create_space(space, epoch).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.inner.delete_space(space).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.inner.spaces(after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let inner = self.inner.begin(space, mode).await?;
        Ok(Box::new(SlowTxn { inner, n_commits: Arc::clone(&self.n_commits) }))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.inner.stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.inner.log(space, before, limit).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.inner.hints(space)
    }
}

#[async_trait]
impl StoreTxn for SlowTxn {
    fn head(&self) -> SpaceHead {
        self.inner.head()
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.inner.records(keys).await
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        self.inner.feed(query).await
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        self.inner.scan(query).await
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        self.inner.clients(query).await
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.inner.commits(from, limit).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        self.inner.apply(write).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.inner.collect(floor, limit).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.inner.commit().await?;
        // Every other one takes longer than the next.
        let n = self.n_commits.fetch_add(1, Ordering::Relaxed);
        for _ in 0..(n % 2) * 40 {
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}
