//! A store that fails on purpose, and counts: for tests of everything that is built on a store.
//!
//! It stands in front of any other store and passes calls on. A test runs a script once to learn how many calls there
//! are, and then once for each of them with a fault planted there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::stream::BoxStream;

use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page, ScanQuery,
    SpaceHead, SpaceStats, Store, StoreTxn,
};
use crate::types::{Epoch, Record, RecordKey, Seq, SpaceId, TreeId};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call does nothing and reports this.
    Error(ErrorKind),
    /// The call does what it should, and then reports [`ErrorKind::Unavailable`]: its answer was lost on the way.
    AnswerLost,
    /// The call does nothing and panics.
    Panic,
}

/// A method of a store or a transaction. Those that neither wait nor fail are not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is named after its method")]
pub enum Call {
    CreateSpace,
    DeleteSpace,
    Spaces,
    BeginRead,
    BeginWrite,
    Stats,
    Log,
    Records,
    Feed,
    Scan,
    Clients,
    Commits,
    Checkpoint,
    Apply,
    Collect,
    Commit,
}

/// A [`Store`] that passes calls on to another one, counts them, and fails those it was told to.
///
/// Clones share their plan and their counts. As the contract asks, a transaction in which a call failed cannot be
/// committed.
///
/// ```
/// use std::sync::Arc;
/// use sync_core::store::{Call, Fault, FaultyStore, MemoryStore, Store};
/// use sync_core::ErrorKind;
/// # futures_executor::block_on(async {
/// let store = FaultyStore::new(Arc::new(MemoryStore::default()));
/// store.fail_at(2, Fault::Error(ErrorKind::StorageFull));
/// assert!(store.spaces(None, 1).await.is_ok());
/// assert_eq!(store.spaces(None, 1).await.unwrap_err().kind(), ErrorKind::StorageFull);
/// assert!(store.spaces(None, 1).await.is_ok());
/// assert_eq!((store.n_calls(), store.n_calls_of(Call::Spaces)), (3, 3));
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct FaultyStore {
    store: Arc<dyn Store>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    n_calls: u64,
    by_call: BTreeMap<Call, u64>,
    at: BTreeMap<u64, Fault>,
}

impl FaultyStore {
    /// A store in front of `store` that does not fail yet.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, plan: Arc::default() }
    }

    /// Plants a fault at the `n`-th call from the beginning, counted from one.
    pub fn fail_at(&self, n: u64, fault: Fault) {
        self.plan().at.insert(n, fault);
    }

    /// How many calls there were.
    pub fn n_calls(&self) -> u64 {
        self.plan().n_calls
    }

    /// How many calls of one method there were.
    pub fn n_calls_of(&self, call: Call) -> u64 {
        self.plan().by_call.get(&call).copied().unwrap_or(0)
    }

    /// How many calls of each method there were.
    pub fn calls(&self) -> BTreeMap<Call, u64> {
        self.plan().by_call.clone()
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, carries it out unless something goes wrong before, and says what its caller sees.
    async fn call<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        let fault = {
            let mut plan = self.plan();
            plan.n_calls += 1;
            *plan.by_call.entry(call).or_default() += 1;
            let n = plan.n_calls;
            plan.at.get(&n).copied()
        };
        let planted = |kind| Error::new(kind, format!("a fault was planted in {call:?}"));
        match fault {
            None => work.await,
            Some(Fault::Error(kind)) => Err(planted(kind)),
            Some(Fault::AnswerLost) => work.await.and_then(|_| Err(planted(ErrorKind::Unavailable))),
            Some(Fault::Panic) => panic!("a panic was planted in {call:?}"),
        }
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.call(Call::CreateSpace, self.store.create_space(space, epoch)).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.call(Call::DeleteSpace, self.store.delete_space(space)).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.call(Call::Spaces, self.store.spaces(after, limit)).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let call = if mode == Mode::Write { Call::BeginWrite } else { Call::BeginRead };
        let txn = self.call(call, self.store.begin(space, mode)).await?;
        Ok(Box::new(FaultyTxn { store: self.clone(), txn, failed: false }))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.call(Call::Stats, self.store.stats(space)).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.call(Call::Log, self.store.log(space, before, limit)).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.store.hints(space)
    }
}

struct FaultyTxn {
    store: FaultyStore,
    txn: Box<dyn StoreTxn>,
    failed: bool,
}

/// Passes a call of a transaction on, and remembers if it failed.
macro_rules! pass_on {
    ($self:ident, $call:expr, $work:expr) => {{
        let result = $self.store.call($call, $work).await;
        $self.failed |= result.is_err();
        result
    }};
}

#[async_trait]
impl StoreTxn for FaultyTxn {
    fn head(&self) -> SpaceHead {
        self.txn.head()
    }

    async fn records(&mut self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        pass_on!(self, Call::Records, self.txn.records(keys))
    }

    async fn feed(&mut self, query: &FeedQuery) -> Result<Page> {
        pass_on!(self, Call::Feed, self.txn.feed(query))
    }

    async fn scan(&mut self, query: &ScanQuery) -> Result<Page> {
        pass_on!(self, Call::Scan, self.txn.scan(query))
    }

    async fn clients(&mut self, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        pass_on!(self, Call::Clients, self.txn.clients(query))
    }

    async fn commits(&mut self, from: Seq, limit: usize) -> Result<Vec<CommitInfo>> {
        pass_on!(self, Call::Commits, self.txn.commits(from, limit))
    }

    async fn checkpoint(&mut self, tree: &TreeId) -> Result<Option<String>> {
        pass_on!(self, Call::Checkpoint, self.txn.checkpoint(tree))
    }

    async fn apply(&mut self, write: &CommitWrite) -> Result<()> {
        pass_on!(self, Call::Apply, self.txn.apply(write))
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        pass_on!(self, Call::Collect, self.txn.collect(floor, limit))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { store, txn, failed } = *self;
        if failed {
            return Err(Error::new(ErrorKind::Internal, "cannot commit a transaction that has failed"));
        }
        store.call(Call::Commit, txn.commit()).await
    }
}
