//! One operation on a store, and what the store answers. The only place of this test that calls the contract.

use std::sync::Arc;

use crate::conformance::{Contents, contents};
use crate::error::{Error, ErrorKind, Result};
use crate::store::{
    ClientQuery, ClientState, Collected, CommitInfo, CommitWrite, FeedQuery, LogEntry, Mode, Page, ScanQuery,
    SpaceHead, SpaceStats, Store, StoreExt, StoreTxn,
};
use crate::types::{ClientId, Epoch, Record, RecordKey, Seq, SpaceId};

/// One operation.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(SpaceId, Epoch),
    Delete(SpaceId),
    Spaces {
        after: Option<SpaceId>,
        limit: usize,
    },
    Stats(SpaceId),
    Log {
        space: SpaceId,
        before: Option<i64>,
        limit: usize,
    },
    /// Reads all there is.
    Contents(SpaceId),
    Transaction {
        space: SpaceId,
        mode: Mode,
        calls: Vec<Call>,
        commits: bool,
    },
    /// Begins reading, for later steps to go on with.
    Open(SpaceId),
    /// Reads what was there when the transaction was opened.
    ReadOn(Vec<Call>),
}

/// One call within a transaction.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Records(Vec<RecordKey>),
    Feed(FeedQuery),
    Scan(ScanQuery),
    Clients(Vec<ClientId>),
    ClientsAfter(Option<ClientId>, usize),
    Commits(Seq, usize),
    Apply(CommitWrite),
    Collect { floor: Seq, limit: usize },
}

/// What one call yields.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Was(bool),
    Spaces(Vec<SpaceId>),
    Stats(SpaceStats),
    Log(Vec<LogEntry>),
    Contents(Box<Contents>),
    Head(SpaceHead),
    Records(Vec<Option<Record>>),
    Page(Page),
    Clients(Vec<ClientState>),
    Commits(Vec<CommitInfo>),
    Collected(Collected),
    Refused(ErrorKind, Option<&'static str>),
}

impl From<Error> for Answer {
    fn from(error: Error) -> Self {
        Self::Refused(error.kind(), error.code())
    }
}

/// A store on which steps are carried out.
pub(super) struct Player {
    store: Arc<dyn Store>,
    /// A reader that was opened by an earlier step.
    reader: Option<Box<dyn StoreTxn>>,
}

impl Player {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, reader: None }
    }

    /// Carries out a step and says what its calls yielded, in order; a call that is refused is the last one.
    pub(super) async fn play(&mut self, step: &Step) -> Vec<Answer> {
        let mut answers = Vec::new();
        if let Err(error) = self.carry_out(step, &mut answers).await {
            answers.push(error.into());
        }
        answers
    }

    async fn carry_out(&mut self, step: &Step, answers: &mut Vec<Answer>) -> Result<()> {
        let store = &*self.store;
        let last = match step {
            Step::Create(space, epoch) => store.create_space(space, *epoch).await.map(|()| Answer::Done)?,
            Step::Delete(space) => {
                // A reader may or may not see what is deleted under it.
                self.reader = None;
                Answer::Was(store.delete_space(space).await?)
            }
            Step::Spaces { after, limit } => Answer::Spaces(store.spaces(after.as_ref(), *limit).await?),
            Step::Stats(space) => Answer::Stats(store.stats(space).await?),
            Step::Log { space, before, limit } => Answer::Log(store.log(space, *before, *limit).await?),
            Step::Contents(space) => Answer::Contents(Box::new(contents(store, space).await?)),
            Step::Transaction { space, mode, calls, commits } => {
                let mut txn = store.begin(space, *mode).await?;
                call_all(&mut *txn, calls, answers).await;
                if *commits {
                    txn.commit().await?;
                }
                Answer::Done
            }
            Step::Open(space) => {
                self.reader = None;
                let opened = store.read(space).await?;
                Answer::Head(self.reader.insert(opened).head())
            }
            Step::ReadOn(calls) => {
                if let Some(reader) = &mut self.reader {
                    call_all(&mut **reader, calls, answers).await;
                }
                Answer::Done
            }
        };
        answers.push(last);
        Ok(())
    }
}

/// Makes calls up to the first that is refused: what comes of that is seen at the end of the transaction.
async fn call_all(txn: &mut dyn StoreTxn, calls: &[Call], answers: &mut Vec<Answer>) {
    answers.push(Answer::Head(txn.head()));
    for call in calls {
        let answer = make(txn, call).await.unwrap_or_else(Answer::from);
        let is_refused = matches!(answer, Answer::Refused(..));
        answers.push(answer);
        if is_refused {
            return;
        }
    }
}

/// Makes one call.
pub(super) async fn make(txn: &mut dyn StoreTxn, call: &Call) -> Result<Answer> {
    Ok(match call {
        Call::Records(keys) => Answer::Records(txn.records(keys).await?),
        Call::Feed(query) => Answer::Page(txn.feed(query).await?),
        Call::Scan(query) => Answer::Page(txn.scan(query).await?),
        Call::Clients(names) => Answer::Clients(txn.clients(ClientQuery::Named(names)).await?),
        Call::ClientsAfter(after, limit) => {
            Answer::Clients(txn.clients(ClientQuery::After(after.as_ref(), *limit)).await?)
        }
        Call::Commits(from, limit) => Answer::Commits(txn.commits(*from, *limit).await?),
        Call::Apply(write) => txn.apply(write).await.map(|()| Answer::Done)?,
        Call::Collect { floor, limit } => Answer::Collected(txn.collect(*floor, *limit).await?),
    })
}
