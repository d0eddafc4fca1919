//! One transaction for a number of batches.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::future::join;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::mutation::Outcome;
use crate::protocol::{PushDone, PushReply, Resync};
use crate::service::admit::{Admission, admit};
use crate::service::answer::{Answer, PageDraft};
use crate::service::audit::log_entry;
use crate::service::lane::Job;
use crate::service::plan::{Planner, keys_of};
use crate::service::roles::{Standing, may_write};
use crate::service::stage::{Author, Stage};
use crate::service::{Actor, Inner, cursors, tree_op};
use crate::store::{ClientQuery, ClientState, CommitWrite, LogEntry, Mode, StoreTxn};
use crate::types::{ClientId, Cursor, MutationNumber, Seq, SpaceId};

/// Processes the batches in order, in one transaction, and commits. The replies may be sent: everything in them is
/// durable.
pub(super) async fn commit(inner: &Inner, space: &SpaceId, jobs: &[Job]) -> Result<Vec<Result<PushReply>>> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    // Both to their ends, also if one fails: a query that is dropped half way can cost a connection.
    let (work, standing) =
        join(Work::load(inner, space, txn.as_mut(), jobs), Standing::of_all(inner, space, jobs)).await;
    let (mut work, standing) = (work?, standing?);
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(match standing.of(&job.actor, space) {
            Ok(actor) => work.process(txn.as_mut(), job, &actor).await?,
            Err(refused) => Answer::Ready(Err(refused)),
        });
    }
    let write = work.into_write();
    if !write.is_empty() {
        txn.apply(&write).await?;
    }
    let before = txn.head();
    txn.commit().await?;
    Ok(answers.into_iter().map(|answer| answer.finish(space, &before, write.head())).collect())
}

/// The state of one transaction.
struct Work<'a> {
    inner: &'a Inner,
    space: &'a SpaceId,
    stage: Stage,
    now: Timestamp,
    clients: HashMap<ClientId, ClientState>,
    dirty_clients: HashSet<ClientId>,
    log: Vec<LogEntry>,
    /// Bytes of content that the answers of this commit may still carry together.
    page_bytes_left: usize,
}

impl<'a> Work<'a> {
    /// Loads everything the batches touch, in a number of statements that does not depend on how many there are.
    async fn load(
        inner: &'a Inner,
        space: &'a SpaceId,
        txn: &mut dyn StoreTxn,
        jobs: &[Job],
    ) -> Result<Self> {
        let now = inner.clock.now();
        let mut stage = Stage::new(txn.head(), now);
        let ids: Vec<ClientId> =
            jobs.iter().filter_map(|job| job.push.batch.as_ref()).map(|batch| batch.client.clone()).collect();
        let states = if ids.is_empty() { Vec::new() } else { txn.clients(ClientQuery::Named(&ids)).await? };
        let mut keys: Vec<_> = jobs.iter().flat_map(|job| keys_of(&job.push.mutations)).collect();
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            let records = txn.records(&keys).await?;
            stage.load(keys, records);
        }
        Ok(Self {
            inner,
            space,
            stage,
            now,
            clients: states.into_iter().map(|state| (state.client.clone(), state)).collect(),
            dirty_clients: HashSet::new(),
            log: Vec::new(),
            page_bytes_left: inner.limits.page_bytes_max,
        })
    }

    async fn process(&mut self, txn: &mut dyn StoreTxn, job: &Job, actor: &Actor) -> Result<Answer> {
        let known = job.push.batch.as_ref().and_then(|batch| self.clients.get(&batch.client));
        let stored = match admit(job, known) {
            Admission::Refused(reply) => {
                return Ok(Answer::Ready(self.why_refused(txn, job, actor, reply).await?));
            }
            Admission::Again(answer) => Some(PushDone::outcomes_from_json(&answer)?),
            Admission::Next => match may_write(actor) {
                Ok(()) => None,
                Err(refused) => return Ok(Answer::Ready(Err(refused))),
            },
        };
        let cursor = job.push.after.as_ref().map(|after| cursors::read(after, self.space)).transpose()?;
        let proven = self.judge_receipt(txn, job).await?;
        let judged = match &cursor {
            Some(cursor) => cursors::judge(cursor, self.inner.rules.view(actor).mark(), txn).await?,
            None => Ok(()),
        };
        let (has_receipt, judged) = (proven.is_ok(), proven.and(judged));
        let before = self.stage.last();
        let (outcomes, cursor) = match (stored, judged) {
            // What was done is told also to a replica that must load a snapshot next.
            (Some(outcomes), judged) => (outcomes, cursor.filter(|_| judged.is_ok())),
            (None, Err(resync)) => return Ok(Answer::Ready(Ok(PushReply::ResyncRequired(resync)))),
            (None, Ok(())) if self.stage.n_bytes() > self.inner.limits.commit_bytes_max => {
                return Ok(Answer::Ready(Err(commit_is_full())));
            }
            (None, Ok(())) => {
                let outcomes = self.carry_out(job, actor)?;
                // Before the page: its cursor ends behind everything the batch has written.
                tree_op::write_books(&mut self.stage, self.now)?;
                self.remember(job, &outcomes, cursor.map(|cursor| cursor.seq));
                (outcomes, cursor)
            }
        };
        let page = match cursor {
            Some(cursor) => Some(self.page(txn, actor, cursor, before).await?),
            None => None,
        };
        Ok(Answer::Done { outcomes, page, has_receipt })
    }

    /// Whether this server still has what it answered before, as far as the batch says.
    async fn judge_receipt(&self, txn: &mut dyn StoreTxn, job: &Job) -> Result<Result<(), Resync>> {
        match &job.push.receipt {
            Some(receipt) => cursors::judge_receipt(&cursors::read(receipt, self.space)?, txn).await,
            None => Ok(Ok(())),
        }
    }

    /// A gap means that this server has lost what it had answered. The cursor may tell how that came about.
    async fn why_refused(
        &self,
        txn: &mut dyn StoreTxn,
        job: &Job,
        actor: &Actor,
        reply: Result<PushReply>,
    ) -> Result<Result<PushReply>> {
        let (Ok(PushReply::MutationGap { .. }), Some(after)) = (&reply, &job.push.after) else {
            return Ok(reply);
        };
        let mark = self.inner.rules.view(actor).mark();
        let judged = cursors::judge(&cursors::read(after, self.space)?, mark, txn).await?;
        Ok(judged.map_or_else(|resync| Ok(PushReply::ResyncRequired(resync)), |()| reply))
    }

    fn carry_out(&mut self, job: &Job, actor: &Actor) -> Result<Vec<Outcome>> {
        let Inner { policies, limits, ids, rules, .. } = self.inner;
        let planner = Planner { policies, limits, ids: ids.as_ref(), rules, actor };
        let batch = job.push.batch.as_ref();
        let first = batch.map_or(MutationNumber::FIRST, |batch| batch.first);
        let author = Author {
            actor: job.actor.id.clone(),
            client: batch.map(|batch| batch.client.clone()),
            now: self.now,
        };
        planner.batch(&mut self.stage, &job.push.mutations, first, &author)
    }

    /// Notes the answer for a retry, and the audit log's entry.
    fn remember(&mut self, job: &Job, outcomes: &[Outcome], acked: Option<Seq>) {
        let Some(n_after_first) = outcomes.len().checked_sub(1) else { return };
        if let Some(batch) = &job.push.batch {
            let old = self.clients.get(&batch.client);
            let acked = acked.or(old.map(|old| old.acked)).unwrap_or(Seq::ZERO);
            let state = ClientState {
                client: batch.client.clone(),
                actor: job.actor.id.clone(),
                last: batch.first.checked_add(n_after_first).expect("admitted numbers are within the range"),
                batch_hash: job.batch_hash,
                answer: PushDone::outcomes_to_json(outcomes),
                acked,
                seen_at: self.now,
            };
            self.clients.insert(batch.client.clone(), state);
            self.dirty_clients.insert(batch.client.clone());
        }
        let entry = self.stage.head().log_head + 1 + i64::try_from(self.log.len()).unwrap_or(i64::MAX);
        self.log.push(log_entry(entry, self.now, job, outcomes));
    }

    /// The pull part of an answer: what happened after `cursor`, except what the outcomes tell of. `before` is where
    /// the space stood before this batch.
    async fn page(
        &mut self,
        txn: &mut dyn StoreTxn,
        actor: &Actor,
        cursor: Cursor,
        before: Seq,
    ) -> Result<PageDraft> {
        let view = self.inner.rules.view(actor);
        let mut draft =
            PageDraft::stored(view, cursor, txn, &self.inner.limits, self.page_bytes_left).await?;
        draft.add_own(view, &self.stage, txn.head().head, before);
        self.page_bytes_left = self.page_bytes_left.saturating_sub(draft.n_bytes());
        Ok(draft)
    }

    fn into_write(mut self) -> CommitWrite {
        let head = self.stage.last();
        let mut write = self.stage.into_commit();
        write.clients = self.dirty_clients.iter().filter_map(|id| self.clients.remove(id)).collect();
        write.log = self.log;
        write.log.iter_mut().for_each(|entry| entry.head = head);
        write
    }
}

fn commit_is_full() -> Error {
    let error = Error::new(ErrorKind::Overloaded, "too much is being written to this space at once");
    error.with_retry_after(Duration::from_secs(1))
}
