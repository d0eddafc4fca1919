//! Push: one transaction for a number of batches.

use std::collections::HashMap;

use crate::accounts::Role;
use crate::error::{Error, ErrorKind, Result};
use crate::mutation::{Mutation, Op, Outcome};
use crate::protocol::{PullPage, PushDone, PushReply, PushRequest, code};
use crate::service::lane::{self, Job};
use crate::service::plan::{Planner, keys_of};
use crate::service::stage::{Author, Stage};
use crate::service::{Actor, Inner, Service, cursors};
use crate::store::{ClientState, CommitInfo, FeedQuery, LogEntry, LogOutcome, Mode, StoreTxn};
use crate::types::{ClientId, Collection, Cursor, MutationNumber, Record, Seq, SpaceId};

impl Service {
    /// Carries out a batch of mutations, durably, and says what became of each.
    ///
    /// A batch that carries a client id and a number may be repeated: it has the effect of one, and gets the same
    /// answer. With `after` the answer also carries what else happened since.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a batch over the limits or a cursor of another space,
    /// [`Forbidden`](ErrorKind::Forbidden) for someone who may only read, [`NotFound`](ErrorKind::NotFound) for a
    /// space that is not there, [`Overloaded`](ErrorKind::Overloaded) when too many wait, and what the store reports.
    /// After an error of kind [`Unavailable`](ErrorKind::Unavailable) the batch may have happened: repeat it.
    pub async fn push(&self, actor: &Actor, space: &SpaceId, push: PushRequest) -> Result<PushReply> {
        if actor.role < Role::Editor {
            return Err(Error::new(ErrorKind::Forbidden, "a viewer cannot change a space")
                .with_code("forbidden_role"));
        }
        let max = self.0.limits.mutations_max;
        if push.mutations.len() > max {
            let message =
                format!("a batch has at most {max} mutations, this one has {}", push.mutations.len());
            return Err(Error::invalid(code::BODY_TOO_LARGE, message)
                .with_pointer("/mutations")
                .with_limit(u64::try_from(max).unwrap_or(u64::MAX)));
        }
        if let Some(after) = &push.after {
            cursors::read(after, space)?;
        }
        let n_bytes = push.mutations.iter().map(size_of_mutation).sum();
        lane::submit(&self.0, space, actor.clone(), push, n_bytes).await
    }
}

/// About how much memory a mutation holds.
fn size_of_mutation(mutation: &Mutation) -> usize {
    const FIXED: usize = 256;
    FIXED
        + match &mutation.op {
            Op::Put(data) => data.as_str().len(),
            Op::Patch(patch) => serde_json::to_string(patch).map_or(0, |text| text.len()),
            Op::Delete => 0,
        }
}

/// What a job gets if the commit succeeds.
enum Answer {
    Reply(PushReply),
    Refused(Error),
    Done { outcomes: Vec<Outcome>, page: Option<PageDraft> },
}

/// The pull part of an answer, before the tag of the new commit is known.
struct PageDraft {
    changes: Vec<Record>,
    position: Position,
    has_more: bool,
}

enum Position {
    Known(Cursor),
    /// Within the commit that is being made.
    InCommit(Seq),
}

/// Processes the batches in order, in one transaction, and commits. The replies may be sent: everything in them is
/// durable.
pub(super) async fn commit(inner: &Inner, space: &SpaceId, jobs: &[Job]) -> Result<Vec<Result<PushReply>>> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    let mut work = Work::load(inner, space, txn.as_mut(), jobs).await?;
    let mut answers = Vec::with_capacity(jobs.len());
    for job in jobs {
        answers.push(work.process(txn.as_mut(), job).await?);
    }
    let last = work.stage.last();
    let mut write = work.stage.into_commit();
    write.clients =
        work.dirty_clients.into_iter().filter_map(|id| work.clients.remove(&id).flatten()).collect();
    write.log = work.log;
    write.log.iter_mut().for_each(|entry| entry.head = last);
    let commit = write.commit;
    if !write.is_empty() {
        txn.apply(&write).await?;
    }
    let head = txn.head();
    txn.commit().await?;
    let head_now = commit.map_or(head.head, |commit| commit.last);
    Ok(answers.into_iter().map(|answer| finish(answer, space, head.epoch, head_now, commit)).collect())
}

fn finish(
    answer: Answer,
    space: &SpaceId,
    epoch: crate::types::Epoch,
    head: Seq,
    commit: Option<CommitInfo>,
) -> Result<PushReply> {
    match answer {
        Answer::Reply(reply) => Ok(reply),
        Answer::Refused(error) => Err(error),
        Answer::Done { outcomes, page } => {
            let page = page.map(|draft| {
                let cursor = match (draft.position, commit) {
                    (Position::Known(cursor), _) => cursor,
                    (Position::InCommit(seq), Some(commit)) => Cursor { epoch, seq, tag: commit.tag },
                    (Position::InCommit(_), None) => unreachable!("a position in a commit needs one"),
                };
                let has_more = draft.has_more || cursor.seq < head;
                PullPage { changes: draft.changes, cursor: cursor.encode(space), has_more, head }
            });
            Ok(PushReply::Done(PushDone { outcomes, head, page }))
        }
    }
}

/// The state of one transaction.
struct Work<'a> {
    inner: &'a Inner,
    space: &'a SpaceId,
    stage: Stage,
    now: crate::clock::Timestamp,
    clients: HashMap<ClientId, Option<ClientState>>,
    dirty_clients: std::collections::HashSet<ClientId>,
    log: Vec<LogEntry>,
}

/// Whether a batch is the next one of its replica.
enum Admission {
    Next,
    Again(String),
    Reply(PushReply),
    Refused(Error),
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
        let mut ids: Vec<ClientId> =
            jobs.iter().filter_map(|job| job.push.batch.as_ref()).map(|batch| batch.client.clone()).collect();
        ids.sort_unstable();
        ids.dedup();
        let states = if ids.is_empty() { Vec::new() } else { txn.clients(&ids).await? };
        let mut keys: Vec<_> = jobs.iter().flat_map(|job| keys_of(&job.push.mutations)).collect();
        keys.sort_unstable();
        keys.dedup();
        if !keys.is_empty() {
            let records = txn.records(&keys).await?;
            stage.load(keys, records);
        }
        let clients = ids.into_iter().zip(states).collect();
        Ok(Self { inner, space, stage, now, clients, dirty_clients: Default::default(), log: Vec::new() })
    }

    async fn process(&mut self, txn: &mut dyn StoreTxn, job: &Job) -> Result<Answer> {
        let push = &job.push;
        let admission = self.admit(job);
        if let Admission::Reply(reply) = admission {
            return Ok(Answer::Reply(reply));
        }
        if let Admission::Refused(error) = admission {
            return Ok(Answer::Refused(error));
        }
        let cursor = push.after.as_ref().map(|after| cursors::read(after, self.space)).transpose()?;
        let judged = match &cursor {
            Some(cursor) => cursors::judge(cursor, txn).await?,
            None => Ok(()),
        };
        if let Admission::Again(stored) = admission {
            let outcomes = PushDone::outcomes_from_json(&stored)?;
            let page = self.page(txn, cursor.filter(|_| judged.is_ok()), self.stage.last()).await?;
            return Ok(Answer::Done { outcomes, page });
        }
        if let Err(resync) = judged {
            return Ok(Answer::Reply(PushReply::ResyncRequired(resync)));
        }
        let before = self.stage.last();
        let outcomes = self.carry_out(job)?;
        self.remember(job, &outcomes, cursor.map(|cursor| cursor.seq));
        let page = self.page(txn, cursor, before).await?;
        Ok(Answer::Done { outcomes, page })
    }

    fn admit(&self, job: &Job) -> Admission {
        let Some(batch) = &job.push.batch else { return Admission::Next };
        if job.push.mutations.is_empty() {
            return Admission::Next;
        }
        let Some(Some(state)) = self.clients.get(&batch.client) else {
            return if batch.first == MutationNumber::FIRST {
                Admission::Next
            } else {
                Admission::Reply(PushReply::MutationGap { expected: MutationNumber::FIRST })
            };
        };
        if state.actor != job.actor.id {
            let error = Error::new(ErrorKind::Forbidden, "this client id belongs to someone else");
            return Admission::Refused(error.with_code(code::FORBIDDEN_CLIENT));
        }
        let Some(expected) = state.last.checked_add(1) else {
            return Admission::Refused(Error::invalid(
                code::VERSION_EXHAUSTED,
                "this replica has used up its numbers",
            ));
        };
        match batch.first.cmp(&expected) {
            std::cmp::Ordering::Equal => Admission::Next,
            std::cmp::Ordering::Greater => Admission::Reply(PushReply::MutationGap { expected }),
            std::cmp::Ordering::Less if job.push.batch_hash() == state.batch_hash => {
                Admission::Again(state.answer.clone())
            }
            std::cmp::Ordering::Less => Admission::Reply(PushReply::ClientForked),
        }
    }

    fn carry_out(&mut self, job: &Job) -> Result<Vec<Outcome>> {
        let Inner { policies, limits, ids, .. } = self.inner;
        let planner = Planner { policies, limits, ids: ids.as_ref() };
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
        if outcomes.is_empty() {
            return;
        }
        if let Some(batch) = &job.push.batch {
            let old = self.clients.get(&batch.client).and_then(Option::as_ref);
            let acked = acked.or(old.map(|old| old.acked)).unwrap_or(Seq::ZERO);
            let state = ClientState {
                client: batch.client.clone(),
                actor: job.actor.id.clone(),
                last: batch.first.checked_add(outcomes.len() - 1).unwrap_or(batch.first),
                batch_hash: job.push.batch_hash(),
                answer: PushDone::outcomes_to_json(outcomes),
                acked,
                seen_at: self.now,
            };
            self.clients.insert(batch.client.clone(), Some(state));
            self.dirty_clients.insert(batch.client.clone());
        }
        let entry = self.stage.head().log_head + 1 + i64::try_from(self.log.len()).unwrap_or(i64::MAX);
        self.log.push(log_entry(entry, self.now, job, outcomes));
    }

    /// The pull part of an answer: what happened after `cursor`, except what the outcomes tell of. `before` is where
    /// the space stood before this batch.
    async fn page(
        &self,
        txn: &mut dyn StoreTxn,
        cursor: Option<Cursor>,
        before: Seq,
    ) -> Result<Option<PageDraft>> {
        let Some(cursor) = cursor else { return Ok(None) };
        let stored = txn.head().head;
        let mut draft = PageDraft { changes: Vec::new(), position: Position::Known(cursor), has_more: false };
        if cursor.seq < stored {
            let limits = &self.inner.limits;
            let query = FeedQuery {
                after: cursor.seq,
                up_to: stored,
                collections: None,
                rows_max: limits.page_rows_max,
                bytes_max: limits.page_bytes_max,
            };
            let page = txn.feed(&query).await?;
            let end = page.records.last().filter(|_| page.more).map_or(stored, |record| record.meta.version);
            draft.position = Position::Known(cursors::at(end, txn).await?);
            (draft.changes, draft.has_more) = (page.records, page.more);
        }
        // What this batch changed follows directly unless an earlier one of the same transaction came in between; then
        // its author pulls once more.
        let own_end = self.stage.last();
        if !draft.has_more && before == stored && own_end > stored {
            draft.changes.extend(self.stage.changes_since(before, Collection::CONFLICTS));
            draft.position = Position::InCommit(own_end);
        }
        Ok(Some(draft))
    }
}

fn log_entry(entry: i64, now: crate::clock::Timestamp, job: &Job, outcomes: &[Outcome]) -> LogEntry {
    let listed = job.push.mutations.iter().zip(outcomes).take(LogEntry::OUTCOMES_MAX);
    let outcomes = listed.map(|(mutation, outcome)| LogOutcome {
        key: mutation.key.clone(),
        op: mutation.op.as_str().to_owned(),
        outcome: outcome.as_str().to_owned(),
        version: outcome.version(),
        code: if let Outcome::Rejected { code, .. } = outcome { Some(code.clone()) } else { None },
    });
    LogEntry {
        entry,
        at: now,
        actor: job.actor.id.clone(),
        client: job.push.batch.as_ref().map(|batch| batch.client.clone()),
        action: "push".to_owned(),
        head: Seq::ZERO,
        outcomes: outcomes.collect(),
        n_mutations: job.push.mutations.len(),
    }
}
