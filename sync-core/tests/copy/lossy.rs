//! A store that does not keep what it is given: the import notices before it makes anything visible.

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use sync_core::conformance::{commit, epoch, put, space_id};
use sync_core::copy::import;
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, MemoryStore, Mode,
    Page, ScanQuery, SpaceHead, SpaceStats, Store, StoreTxn,
};
use sync_core::{Epoch, ErrorKind, Record, RecordKey, Result, Seq, SpaceId};

use crate::world::{everything, exported, imported};

/// Loses the last record of every write.
#[derive(Debug)]
struct Lossy(MemoryStore);

struct LossyTxn(Box<dyn StoreTxn>);

#[async_trait]
impl Store for Lossy {
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
        Ok(Box::new(LossyTxn(self.0.begin(space, mode).await?)))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.0.stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.0.log(space, before, limit).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.0.hints(space)
    }
}

#[async_trait]
impl StoreTxn for LossyTxn {
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
        let mut write = write.clone();
        write.records.pop();
        self.0.apply(&write).await
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.0.collect(floor, limit).await
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        self.0.commit().await
    }
}

#[tokio::test]
async fn records_are_compared_in_the_new_store_before_anyone_can_see_them() {
    let (old, new, space) = (MemoryStore::default(), MemoryStore::default(), space_id("family"));
    old.create_space(&space, epoch(1)).await.unwrap();
    commit(&old, &space, [put("notes", "1", "1"), put("notes", "2", "2")]).await.unwrap();
    let text = exported(&old).await;
    let lost = import(&Lossy(new.clone()), &new, &mut text.as_slice(), &mut |_| {}).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::Corrupt, "{lost}");
    let found = &everything(&new).await.spaces[&space];
    assert_eq!((found.head.head, found.records.len()), (Seq::ZERO, 0));
    imported(&new, &text).await.unwrap();
    assert_eq!(everything(&new).await, everything(&old).await);
}
