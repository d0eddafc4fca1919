//! Commits that are never left half way.
//!
//! A process of the simulation may be killed while its commit works on another thread. The commit happens all the same,
//! as the contract allows, but the simulation, which notes commits when they return, never hears of it and takes its
//! effects for a broken promise. So here a commit keeps the simulation's thread until its end; all other calls stay as
//! they are.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::simulator::Disks;
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page, ScanQuery,
    SpaceHead, SpaceStats, Store, StoreTxn,
};
use sync_core::{Epoch, Record, RecordKey, Result, Seq, SpaceId};
use tokio::runtime::Handle;

/// These disks, with stores whose commits are whole.
#[derive(Debug)]
pub(crate) struct Whole<D>(pub(crate) D);

#[async_trait]
impl<D: Disks> Disks for Whole<D> {
    async fn open(&self, name: &str) -> Result<Arc<dyn Store>> {
        Ok(Arc::new(WholeStore(self.0.open(name).await?)))
    }

    async fn copy(&self, from: &str, to: &str) -> Result<()> {
        self.0.copy(from, to).await
    }
}

#[derive(Debug)]
struct WholeStore(Arc<dyn Store>);

#[async_trait]
impl Store for WholeStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.0.create_space(space, epoch).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.0.delete_space(space).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.0.spaces(after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        Ok(Box::new(WholeTxn(self.0.begin(space, mode).await?)))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.0.stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.0.log(space, before, limit).await
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.0.check().await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.0.hints(space)
    }
}

struct WholeTxn(Box<dyn StoreTxn>);

#[async_trait]
impl StoreTxn for WholeTxn {
    fn head(&self) -> SpaceHead {
        self.0.head()
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        self.0.records(keys).await
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        self.0.feed(query).await
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        self.0.scan(query).await
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        self.0.clients(query).await
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        self.0.commits(from, limit).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        self.0.apply(write).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.0.collect(floor, limit).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Handle::current().block_on(self.0.commit())
    }
}
