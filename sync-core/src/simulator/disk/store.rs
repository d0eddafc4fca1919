//! The store in front of a disk: it passes calls on, late and sometimes not at all, and sees what takes effect.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt;
use futures_util::stream::BoxStream;

use super::Seat;
use crate::error::{Error, ErrorKind, Result};
use crate::simulator::executor::Inside;
use crate::simulator::token;
use crate::store::{
    Call, ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page,
    ScanQuery, SpaceHead, SpaceStats, Store, StoreTxn,
};
use crate::types::{Collection, Epoch, Record, RecordKey, Seq, SpaceId, TreeId};

/// A store as one process of a simulation has it.
#[derive(Clone, Debug)]
pub(crate) struct SimStore {
    store: Arc<dyn Store>,
    seat: Arc<Seat>,
}

impl SimStore {
    pub(crate) fn new(store: Arc<dyn Store>, seat: Arc<Seat>) -> Self {
        Self { store, seat }
    }
}

#[async_trait]
impl Store for SimStore {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.seat.call(Call::CreateSpace, None, self.store.create_space(space, epoch)).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        let gate = Some(&self.seat.gate);
        self.seat.call(Call::DeleteSpace, gate, self.store.delete_space(space)).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.seat.call(Call::Spaces, None, self.store.spaces(after, limit)).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        let (call, gate) = match mode {
            Mode::Read => (Call::BeginRead, None),
            Mode::Write => (Call::BeginWrite, Some(&self.seat.gate)),
        };
        let txn = self.seat.call(call, gate, self.store.begin(space, mode)).await?;
        let inside = gate.map(|gate| gate.enter());
        let (seat, space) = (Arc::clone(&self.seat), space.clone());
        let (commits, tokens) = (Vec::new(), BTreeSet::new());
        Ok(Box::new(SimTxn { seat, space, txn, commits, tokens, failed: false, inside }))
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.seat.call(Call::Stats, None, self.store.stats(space)).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.seat.call(Call::Log, None, self.store.log(space, before, limit)).await
    }

    async fn check(&self) -> Result<Vec<String>> {
        self.store.check().await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.store.hints(space)
    }
}

struct SimTxn {
    seat: Arc<Seat>,
    space: SpaceId,
    txn: Box<dyn StoreTxn>,
    /// What it will have added to the history.
    commits: Vec<CommitInfo>,
    tokens: BTreeSet<String>,
    failed: bool,
    /// Its turn among the writers; given back after the transaction itself is gone.
    inside: Option<Inside>,
}

/// Passes a call of a transaction on, and remembers if it failed.
macro_rules! pass_on {
    ($self:ident, $call:expr, $work:expr) => {{
        let result = $self.seat.call($call, None, $work).await;
        $self.failed |= result.is_err();
        result
    }};
}

impl SimTxn {
    /// Notes what a server writes, and what it keeps of edits that a policy overruled.
    fn look_at(&mut self, write: &CommitWrite) {
        let Some(history) = &self.seat.history else { return };
        for record in &write.records {
            let Some(data) = &record.data else { continue };
            let tokens = token::all_in(data.as_str());
            let is_conflict = record.key.collection.as_str() == Collection::CONFLICTS;
            if is_conflict && data.as_str().contains(r#""state":"settled""#) {
                history.keep_settled(tokens.clone());
            }
            self.tokens.extend(tokens);
        }
    }
}

#[async_trait]
impl StoreTxn for SimTxn {
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
        self.look_at(write);
        self.commits.extend(&write.commits);
        pass_on!(self, Call::Apply, self.txn.apply(write))
    }

    async fn collect(&mut self, floor: Seq, limit: usize) -> Result<Collected> {
        pass_on!(self, Call::Collect, self.txn.collect(floor, limit))
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        let Self { seat, space, txn, commits, tokens, failed, inside } = *self;
        if failed {
            return Err(Error::new(ErrorKind::Internal, "cannot commit a transaction that has failed"));
        }
        let history = seat.history.clone();
        let (own_seat, own_space, own_commits) = (Arc::clone(&seat), space.clone(), commits.clone());
        // A process that dies does not stop a database that was told to commit: the history must hear of it.
        let work = async move {
            let _inside = inside;
            let result = txn.commit().await;
            if let (Ok(()), Some(history)) = (&result, &own_seat.history) {
                history.took_effect(&own_space, &own_commits, tokens);
                if let Some(head) = own_commits.last() {
                    own_seat.journal.note(&own_seat.name, format_args!("{own_space} is at {}", head.last));
                }
            }
            result
        };
        seat.call(Call::Commit, None, seat.process.outlived(work.boxed()).boxed()).await?;
        if let Some(history) = &history {
            history.was_told(&space, &commits);
        }
        Ok(())
    }
}
