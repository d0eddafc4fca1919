//! The transactions of a store with a planted fault.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use futures_executor::block_on;
use serde_json::Value;
use sync_core::json::Json;
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, Mode, Page, ScanQuery,
    SpaceHead, Store, StoreExt, StoreTxn, StoreTxnExt, TreeCheckpoint, tree_op,
};
use sync_core::{
    ActorId, ClientId, Error, ErrorKind, Record, RecordId, RecordKey, Result, Seq, SpaceId, TreeId,
};

use crate::broken::{BrokenStore, Fault};

pub(crate) struct BrokenTxn {
    store: BrokenStore,
    space: SpaceId,
    mode: Mode,
    /// `None` after the end.
    inner: Option<Box<dyn StoreTxn>>,
    head: SpaceHead,
    /// Writes that go to the store with the commit only.
    late: Option<CommitWrite>,
    has_written: bool,
    written: BTreeSet<ClientId>,
}

impl BrokenTxn {
    pub(crate) fn new(store: BrokenStore, space: SpaceId, mode: Mode, inner: Box<dyn StoreTxn>) -> Self {
        let head = inner.head();
        Self {
            store,
            space,
            mode,
            inner: Some(inner),
            head,
            late: None,
            has_written: false,
            written: BTreeSet::new(),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.store.has(fault)
    }

    async fn inner(&mut self) -> Result<&mut Box<dyn StoreTxn>> {
        if self.has(Fault::ReadsMoveOn) && self.mode == Mode::Read {
            self.inner = Some(self.store.inner.read(&self.space).await?);
        }
        self.inner.as_mut().ok_or_else(|| Error::new(ErrorKind::Internal, "the transaction has ended"))
    }

    fn spoil(&self, record: &mut Record) {
        if self.has(Fault::AuthorForgotten) {
            record.meta.author = ActorId::new("unknown").expect("a valid name");
        }
        let large = record.data.as_ref().is_some_and(|data| data.as_str() == "9007199254740993");
        if self.has(Fault::ContentReformatted) && large {
            record.data = Some(Json::from_canonical("9007199254740992"));
        }
        if self.has(Fault::NumbersAreFloats) {
            record.data = record.data.as_ref().map(through_floats);
        }
    }

    /// The key as the store sees it.
    fn folded(&self, key: &RecordKey) -> RecordKey {
        let id =
            if self.has(Fault::IdsFoldCase) { key.id.as_str().to_lowercase() } else { key.id.to_string() };
        RecordKey::new(key.collection.clone(), RecordId::new(id).expect("a valid id stays one"))
    }

    fn spoil_page(&self, mut page: Page) -> Page {
        page.records.iter_mut().for_each(|record| self.spoil(record));
        page.more = (page.more || self.has(Fault::AlwaysMore)) && !self.has(Fault::NeverMore);
        page
    }

    /// Turns the purges of a write into deletions.
    async fn bury(&mut self, write: &mut CommitWrite) -> Result<()> {
        let keys = std::mem::take(&mut write.purges);
        let found = self.inner().await?.records(&keys).await?;
        write.records.extend(found.into_iter().flatten().map(|record| Record { data: None, ..record }));
        Ok(())
    }

    /// Does with the ops in a write what must not be done.
    async fn meddle(&mut self, write: &mut CommitWrite) -> Result<()> {
        let is_op = |record: &Record| record.key.collection.is_tree();
        if self.has(Fault::TreesSkipStrangers) {
            write.records.retain(|record| tree_op(record).is_ok());
        }
        let keys: Vec<RecordKey> =
            write.records.iter().filter(|record| is_op(record)).map(|record| record.key.clone()).collect();
        if self.has(Fault::OpsChange) && !keys.is_empty() {
            let purge = CommitWrite { purges: keys.clone(), ..CommitWrite::default() };
            self.inner().await?.apply(&purge).await?;
        }
        if self.has(Fault::OpsStayAsTheyWere) {
            let old: Vec<_> = self.inner().await?.records(&keys).await?.into_iter().flatten().collect();
            write.records.retain(|record| old.iter().all(|old| old.key != record.key));
        }
        Ok(())
    }

    /// Writes what was kept back, whatever happened in the space since the transaction began.
    async fn write_late(&mut self, write: CommitWrite) -> Result<()> {
        self.inner = None;
        let mut txn = self.store.inner.write(&self.space).await?;
        let head = txn.head().head;
        let mut write = write;
        // The head does not fall back, so that what goes wrong is the feed alone.
        write.commits.iter_mut().for_each(|commit| commit.last = commit.last.max(head));
        txn.apply(&write).await?;
        txn.commit().await
    }

    async fn write_in_halves(&mut self, mut write: CommitWrite) -> Result<()> {
        let second = write.records.split_off(write.records.len() / 2);
        let first = CommitWrite { records: write.records, commits: write.commits, ..CommitWrite::default() };
        (write.records, write.commits) = (second, Vec::new());
        self.inner = None;
        for half in [first, write] {
            let mut txn = self.store.inner.write(&self.space).await?;
            txn.apply(&half).await?;
            txn.commit().await?;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }
}

#[async_trait]
impl StoreTxn for BrokenTxn {
    fn head(&self) -> SpaceHead {
        let mut head = self.head;
        if self.has(Fault::FloorFalls) {
            head.floor = self.store.memory().floor;
        }
        if self.has(Fault::LogNumbersFallBack) {
            let newest = block_on(self.store.inner.log(&self.space, None, 1)).unwrap_or_default();
            head.log_head = newest.first().map_or(0, |entry| entry.entry);
        }
        head
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let mut keys: Vec<RecordKey> = keys.iter().map(|key| self.folded(key)).collect();
        if self.has(Fault::RecordsSorted) {
            keys.sort_unstable();
        }
        if self.has(Fault::RecordsOncePerKey) {
            keys.dedup_by_key(|key| key.id.clone());
        }
        let mut found = self.inner().await?.records(&keys).await?;
        found.iter_mut().flatten().for_each(|record| self.spoil(record));
        Ok(found)
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        let mut query = query.clone();
        if self.has(Fault::FeedPassesUpTo) {
            query.up_to = Seq::MAX;
        }
        if self.has(Fault::FeedIgnoresBytes) {
            query.bytes_max = usize::MAX;
        }
        if self.has(Fault::FeedTakesNoNamesForAll) {
            query.collections = query.collections.filter(|names| !names.is_empty());
        }
        let mut page = self.inner().await?.feed(&query).await?;
        if self.has(Fault::FeedUnordered) {
            page.records.reverse();
        }
        if self.has(Fault::FeedSkipsARow) && page.records.len() > 2 {
            page.records.remove(1);
        }
        if self.has(Fault::FeedLosesTombstones) {
            page.records.retain(|record| !record.is_deleted());
        }
        Ok(self.spoil_page(page))
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        let descending = query.descending && !self.has(Fault::ScansOnlyAscend);
        let query = &ScanQuery { descending, ..query.clone() };
        let mut page = self.inner().await?.scan(query).await?;
        if self.has(Fault::ScanIgnoresCase) {
            page.records.sort_by_key(|record| record.key.to_string().to_lowercase());
        }
        if self.has(Fault::ScanByUtf16) {
            let units = |record: &Record| record.key.id.as_str().encode_utf16().collect::<Vec<_>>();
            page.records.sort_by_key(|record| (record.key.collection.clone(), units(record)));
        }
        if let (true, Some(after)) = (self.has(Fault::ScanRepeatsTheKey), &query.after) {
            let found = self.inner().await?.records(std::slice::from_ref(after)).await?;
            page.records.splice(0..0, found.into_iter().flatten());
        }
        Ok(self.spoil_page(page))
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        if self.has(Fault::ReplicasShared) {
            return Ok(self.store.memory().clients.values().cloned().collect());
        }
        let query = match query {
            ClientQuery::After(after, _) if self.has(Fault::ReplicasWithoutLimit) => {
                ClientQuery::After(after, usize::MAX)
            }
            query => query,
        };
        let mut found = self.inner().await?.clients(query).await?;
        match (self.store.fault, query) {
            (Fault::ReplicasAsNamed, ClientQuery::Named(names)) => {
                let place = |state: &ClientState| names.iter().position(|name| *name == state.client);
                found.sort_by_key(place);
            }
            (Fault::ReplicasFromTheLast, ClientQuery::After(Some(after), _)) => {
                found.splice(0..0, self.inner().await?.client(after).await?);
            }
            (Fault::ReplicasEndAtTheFloor, _) => found.retain(|state| state.acked >= self.head.floor),
            _ => {}
        }
        Ok(found)
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        let head = self.head.head;
        let from = if self.has(Fault::CommitsAtTheHead) { from.max(head) } else { from };
        let from = if self.has(Fault::CommitsOffByOne) { from.checked_add(1).unwrap_or(from) } else { from };
        let limit = if self.has(Fault::CommitsWithoutLimit) { usize::MAX } else { limit };
        let mut found = self.inner().await?.commits(from, limit).await?;
        if self.has(Fault::CommitsNewestFirst) {
            found.reverse();
        }
        Ok(found)
    }

    async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        if self.has(Fault::CheckpointsSurvive) {
            return Ok(self.store.memory().checkpoints.get(tree).cloned());
        }
        let first = TreeId::new("t").expect("a valid name");
        let tree = if self.has(Fault::CheckpointsMeet) { &first } else { tree };
        self.inner().await?.checkpoint(tree).await
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        let mut write = write.clone();
        for TreeCheckpoint { tree, body } in &mut write.checkpoints {
            if self.has(Fault::CheckpointsCut) {
                body.truncate(1 << 20);
            }
            self.store.memory().checkpoints.insert(tree.clone(), body.clone());
        }
        if self.has(Fault::FirstCommitIsTheHead) {
            write.commits.reverse();
        }
        if self.has(Fault::WritesOnce) && std::mem::replace(&mut self.has_written, true) {
            return Ok(());
        }
        if self.has(Fault::EarlierStatesStay) {
            write.clients.retain(|client| self.written.insert(client.client.clone()));
        }
        if self.has(Fault::PurgeLeavesTombstone) {
            self.bury(&mut write).await?;
        }
        if matches!(self.store.fault, Fault::OpsChange | Fault::OpsStayAsTheyWere | Fault::TreesSkipStrangers)
        {
            self.meddle(&mut write).await?;
        }
        if self.has(Fault::PurgesForgotten) {
            write.purges.clear();
        }
        for record in &mut write.records {
            record.key = self.folded(&record.key);
        }
        if self.has(Fault::ReplicasShared) {
            let states = write.clients.iter().map(|client| (client.client.clone(), client.clone()));
            self.store.memory().clients.extend(states);
        }
        if let (true, Some(commit)) = (self.has(Fault::HintsEarly), write.head()) {
            self.store.hub.publish(&self.space, commit.last);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        if self.has(Fault::HeadMovesWithin) {
            self.head.head = write.head().map_or(self.head.head, |commit| commit.last);
        }
        let misused = self.mode == Mode::Read;
        let is_late = match self.store.fault {
            Fault::WritesWhereItReads => misused,
            Fault::NoSpaceLock | Fault::CommitsInHalves | Fault::BlindToItself => !misused,
            _ => false,
        };
        if is_late {
            self.late = Some(write);
            return Ok(());
        }
        self.inner().await?.apply(&write).await?;
        if self.has(Fault::ShowsUncommitted)
            && let Some(inner) = self.inner.take()
        {
            inner.commit().await?;
        }
        Ok(())
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        if self.has(Fault::FloorFalls) {
            self.store.memory().floor = floor;
        }
        let limit = if self.has(Fault::CollectsWithoutLimit) { usize::MAX } else { limit };
        if self.has(Fault::CollectsLiveRecords) {
            let whole = FeedQuery {
                after: Seq::ZERO,
                up_to: floor,
                collections: None,
                rows_max: limit,
                bytes_max: usize::MAX,
            };
            let page = self.inner().await?.feed(&whole).await?;
            let purges = page.records.into_iter().map(|record| record.key).collect();
            self.inner().await?.apply(&CommitWrite { purges, ..CommitWrite::default() }).await?;
        }
        self.inner().await?.collect(floor, limit).await
    }

    async fn commit(mut self: Box<Self>) -> Result<()> {
        if let Some(write) = self.late.take() {
            return match self.store.fault {
                Fault::CommitsInHalves => self.write_in_halves(write).await,
                _ => self.write_late(write).await,
            };
        }
        let Some(inner) = self.inner.take() else { return Ok(()) };
        let ended = inner.commit().await;
        if self.has(Fault::CommitsAfterFailure) { Ok(()) } else { ended }
    }
}

/// What becomes of content in a database that keeps every number as a double.
fn through_floats(data: &Json) -> Json {
    fn round(value: &mut Value) {
        match value {
            Value::Number(number) => *value = number.as_f64().map_or(Value::Null, Value::from),
            Value::Array(items) => items.iter_mut().for_each(round),
            Value::Object(members) => members.values_mut().for_each(round),
            _ => {}
        }
    }
    let mut value = data.to_value();
    round(&mut value);
    Json::from_value(&value).expect("rounded content stays within the limits")
}

impl Drop for BrokenTxn {
    fn drop(&mut self) {
        if let (true, Some(inner)) = (self.has(Fault::CommitsOnDrop), self.inner.take()) {
            drop(block_on(inner.commit()));
        }
    }
}
