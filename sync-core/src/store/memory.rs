//! The in-memory store: a full citizen that keeps every promise of the contract within one process, and the disk of the
//! simulator.
//!
//! A space is a value made of persistent maps. Readers hold the value that was current when they began; the writer
//! changes a copy (which shares all it did not touch) and `commit` puts it in place. So isolation, atomicity and
//! abandonment need no code of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};
use futures_util::stream::{BoxStream, StreamExt};
use rpds::RedBlackTreeMapSync as OrdMap;

use crate::error::{Error, ErrorKind, Result};
use crate::store::memory_accounts::MemoryAccounts;
use crate::store::memory_range;
use crate::store::query::{space_exists, space_not_found};
use crate::store::{
    ClientQuery, ClientState, Collected, CollectionStats, CommitInfo, CommitWrite, FeedQuery, HintHub,
    LogEntry, Mode, Page, PageBuilder, ScanQuery, SpaceHead, SpaceStats, Store, StoreTxn, TreeCheckpoint,
    check_tree_ops, gives_way,
};
use crate::types::{ClientId, Epoch, Record, RecordKey, Seq, SpaceId, Tag, TreeId};

/// Spaces in memory.
///
/// Clones share the spaces, so a clone kept aside is what a disk is to a process: it outlives the service on top.
///
/// ```
/// use sync_core::store::{MemoryStore, Store};
/// use sync_core::{Epoch, SpaceId};
/// # futures_executor::block_on(async {
/// let store = MemoryStore::default();
/// store.create_space(&SpaceId::new("a")?, Epoch::from_bytes([1; 16])).await?;
/// assert_eq!(store.spaces(None, 10).await?, [SpaceId::new("a")?]);
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    spaces: Arc<Mutex<BTreeMap<SpaceId, Arc<Space>>>>,
    hub: HintHub,
    pub(super) accounts: MemoryAccounts,
}

#[derive(Debug)]
struct Space {
    writer: Arc<AsyncMutex<()>>,
    state: RwLock<State>,
}

#[derive(Clone, Debug)]
struct State {
    head: SpaceHead,
    deleted: bool,
    records: OrdMap<RecordKey, Arc<Record>>,
    feed: OrdMap<Seq, RecordKey>,
    commits: OrdMap<Seq, CommitInfo>,
    clients: OrdMap<ClientId, ClientState>,
    log: OrdMap<i64, LogEntry>,
    checkpoints: OrdMap<TreeId, Arc<str>>,
}

impl State {
    fn new(epoch: Epoch) -> Self {
        let head = SpaceHead { epoch, head: Seq::ZERO, tag: Tag::ZERO, floor: Seq::ZERO, log_head: 0 };
        Self {
            head,
            deleted: false,
            records: OrdMap::new_sync(),
            feed: OrdMap::new_sync(),
            commits: OrdMap::new_sync(),
            clients: OrdMap::new_sync(),
            log: OrdMap::new_sync(),
            checkpoints: OrdMap::new_sync(),
        }
    }
}

impl MemoryStore {
    /// A store with the same content that shares nothing with this one: what restoring a backup does.
    ///
    /// ```
    /// use sync_core::store::{MemoryStore, Store};
    /// use sync_core::{Epoch, SpaceId};
    /// # futures_executor::block_on(async {
    /// let store = MemoryStore::default();
    /// let backup = store.fork();
    /// store.create_space(&SpaceId::new("a")?, Epoch::from_bytes([1; 16])).await?;
    /// assert_eq!(backup.spaces(None, 10).await?, []);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn fork(&self) -> Self {
        let copy =
            |space: &Arc<Space>| Arc::new(Space { writer: Arc::default(), state: RwLock::new(space.read()) });
        let spaces = lock(&self.spaces).iter().map(|(id, space)| (id.clone(), copy(space))).collect();
        Self { spaces: Arc::new(Mutex::new(spaces)), hub: HintHub::default(), accounts: self.accounts.fork() }
    }

    fn space(&self, space: &SpaceId) -> Result<Arc<Space>> {
        lock(&self.spaces).get(space).cloned().ok_or_else(|| space_not_found(space))
    }

    fn state(&self, space: &SpaceId) -> Result<State> {
        Ok(self.space(space)?.read())
    }
}

impl Space {
    fn read(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        let mut spaces = lock(&self.spaces);
        if spaces.contains_key(space) {
            return Err(space_exists(space));
        }
        let state = RwLock::new(State::new(epoch));
        spaces.insert(space.clone(), Arc::new(Space { writer: Arc::default(), state }));
        Ok(())
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        let Ok(found) = self.space(space) else { return Ok(false) };
        let _writer = Arc::clone(&found.writer).lock_owned().await;
        let mut spaces = lock(&self.spaces);
        let mut state = found.read();
        state.deleted = true;
        found.replace(state);
        let is_this = spaces.get(space).is_some_and(|current| Arc::ptr_eq(current, &found));
        if is_this {
            spaces.remove(space);
        }
        Ok(is_this)
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let spaces = lock(&self.spaces);
        Ok(spaces
            .range::<SpaceId, _>((from, Bound::Unbounded))
            .take(limit)
            .map(|(id, _)| id.clone())
            .collect())
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let found = self.space(space)?;
        let writer = match mode {
            Mode::Read => None,
            Mode::Write => Some(Arc::clone(&found.writer).lock_owned().await),
        };
        let state = found.read();
        if state.deleted {
            return Err(space_not_found(space));
        }
        let head = state.head;
        let publish = (self.hub.clone(), space.clone());
        Ok(Box::new(MemoryTxn { space: found, publish, head, state, writer, failed: false }))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        let state = self.state(space)?;
        let mut collections: Vec<CollectionStats> = Vec::new();
        for (key, record) in &state.records {
            if collections.last().is_none_or(|last| last.collection != key.collection) {
                let collection = key.collection.clone();
                collections.push(CollectionStats { collection, n_records: 0, n_tombstones: 0 });
            }
            if let Some(last) = collections.last_mut() {
                let count = if record.is_deleted() { &mut last.n_tombstones } else { &mut last.n_records };
                *count += 1;
            }
        }
        Ok(SpaceStats { collections })
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        let state = self.state(space)?;
        let entries = state.log.range(..before.unwrap_or(i64::MAX)).rev();
        Ok(entries.take(limit).map(|(_, entry)| entry.clone()).collect())
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.hub.subscribe(space).boxed()
    }
}

struct MemoryTxn {
    space: Arc<Space>,
    publish: (HintHub, SpaceId),
    head: SpaceHead,
    state: State,
    writer: Option<OwnedMutexGuard<()>>,
    failed: bool,
}

impl MemoryTxn {
    fn may_write(&mut self) -> Result<()> {
        self.failed |= self.writer.is_none();
        if self.failed {
            Err(misuse("cannot write in a transaction that reads or has failed"))
        } else {
            Ok(())
        }
    }

    fn put(&mut self, record: &Record) {
        match self.state.records.get(&record.key) {
            Some(old) if !gives_way(old, record) => return,
            Some(old) => drop(self.state.feed.remove_mut(&old.meta.version)),
            None => {}
        }
        self.state.feed.insert_mut(record.meta.version, record.key.clone());
        self.state.records.insert_mut(record.key.clone(), Arc::new(record.clone()));
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(old) = self.state.records.get(key) {
            self.state.feed.remove_mut(&old.meta.version);
            self.state.records.remove_mut(key);
        }
    }
}

#[async_trait]
impl StoreTxn for MemoryTxn {
    fn head(&self) -> SpaceHead {
        self.head
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        Ok(keys.iter().map(|key| self.state.records.get(key).map(|record| record.as_ref().clone())).collect())
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        if query.after >= query.up_to {
            return Ok(Page::default());
        }
        let range = (Bound::Excluded(query.after), Bound::Included(query.up_to));
        let wanted =
            |key: &RecordKey| query.collections.as_ref().is_none_or(|names| names.contains(&key.collection));
        let keys = self.state.feed.range(range).map(|(_, key)| key).filter(|key| wanted(key));
        let records = keys.filter_map(|key| self.state.records.get(key));
        Ok(Page::filled(records.map(|record| record.as_ref().clone()), query.rows_max, query.bytes_max))
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        let Some((low, high)) = memory_range::of_scan(query) else { return Ok(Page::default()) };
        let mut records = self.state.records.range::<RecordKey, _>((low.as_ref(), high.as_ref()));
        let mut page = PageBuilder::new(query.rows_max, query.bytes_max);
        while let Some((_, record)) = if query.descending { records.next_back() } else { records.next() } {
            if (query.tombstones || !record.is_deleted()) && !page.takes(record.as_ref().clone()) {
                break;
            }
        }
        Ok(page.finish())
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        let clients = &self.state.clients;
        Ok(match query {
            ClientQuery::Named(names) => {
                let names: BTreeSet<&ClientId> = names.iter().collect();
                names.into_iter().filter_map(|name| clients.get(name)).cloned().collect()
            }
            ClientQuery::After(after, limit) => {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let listed = clients.range::<ClientId, _>((from, Bound::Unbounded));
                listed.take(limit).map(|(_, client)| client.clone()).collect()
            }
        })
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        Ok(self.state.commits.range(from..).take(limit).map(|(_, commit)| *commit).collect())
    }

    async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        Ok(self.state.checkpoints.get(tree).map(|body| body.to_string()))
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        self.may_write()?;
        // As everywhere: what fails spoils the transaction.
        self.failed = true;
        check_tree_ops(write)?;
        self.failed = false;
        for record in &write.records {
            self.put(record);
        }
        for key in &write.purges {
            self.remove(key);
        }
        for client in &write.clients {
            self.state.clients.insert_mut(client.client.clone(), client.clone());
        }
        for entry in &write.log {
            self.state.head.log_head = entry.entry;
            self.state.log.insert_mut(entry.entry, entry.clone());
        }
        for TreeCheckpoint { tree, body } in &write.checkpoints {
            self.state.checkpoints.insert_mut(tree.clone(), body.as_str().into());
        }
        for commit in &write.commits {
            self.state.commits.insert_mut(commit.last, *commit);
            (self.state.head.head, self.state.head.tag) = (commit.last, commit.tag);
        }
        Ok(())
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        self.may_write()?;
        let floor = floor.max(self.state.head.floor);
        self.state.head.floor = floor;
        let is_tombstone =
            |key: &RecordKey| self.state.records.get(key).is_some_and(|record| record.is_deleted());
        let keys = self.state.feed.range(..=floor).map(|(_, key)| key).filter(|key| is_tombstone(key));
        let keys: Vec<RecordKey> = keys.take(limit.saturating_add(1)).cloned().collect();
        let entries = self.state.log.iter().take_while(|(_, entry)| entry.head <= floor).map(|(n, _)| *n);
        let entries: Vec<i64> = entries.take(limit.saturating_add(1)).collect();
        keys.iter().take(limit).for_each(|key| self.remove(key));
        entries.iter().take(limit).for_each(|n| {
            self.state.log.remove_mut(n);
        });
        let commits = self.state.commits.range(..floor).map(|(last, _)| *last);
        let commits: Vec<Seq> = commits.take(limit.saturating_add(1)).collect();
        commits.iter().take(limit).for_each(|last| {
            self.state.commits.remove_mut(last);
        });
        let n_removed = keys.len().min(limit) + entries.len().min(limit);
        let more = [keys.len(), entries.len(), commits.len()].into_iter().any(|n| n > limit);
        Ok(Collected { n_removed, more })
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        if self.failed {
            return Err(misuse("cannot commit a transaction that has failed"));
        }
        if self.writer.is_some() {
            let moved = self.state.head.head > self.head.head;
            let head = self.state.head.head;
            self.space.replace(self.state);
            if moved {
                self.publish.0.publish(&self.publish.1, head);
            }
        }
        Ok(())
    }
}

fn misuse(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
