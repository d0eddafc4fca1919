//! Pushing: sealed batches go out one after the other, each until it is answered.

use futures_util::FutureExt;

use crate::error::{Error, ErrorKind, Result};
use crate::mutation::Outcome;
use crate::protocol::{PushDone, PushReply, ResyncReason, code};
use crate::replica::app::status::n_entries;
use crate::replica::load::revoked::is_revoked;
use crate::replica::local::rows::Batch;
use crate::replica::sync::page::{self, Asked};
use crate::replica::sync::seal::{BATCH_MUTATIONS_MAX, Sealed};
use crate::replica::sync::{Run, Step, lost_cursor};
use crate::replica::tell::progress::Phase;
use crate::types::CursorToken;

impl Run<'_> {
    /// Sends the batch that an earlier sync left unanswered, if there is one.
    pub(crate) async fn push_in_flight(&mut self) -> Result<Step> {
        match self.in_flight().await? {
            Some(batch) => {
                self.was_sent_before = true;
                let step = self.push_one(batch).await;
                self.was_sent_before = false;
                step
            }
            None => Ok(Step::Done),
        }
    }

    /// Sends everything that waits. `last` is how things stood before, and stays if nothing does.
    pub(crate) async fn push_all(&mut self, mut last: Step) -> Result<Step> {
        while self.refused.is_none() {
            let n_max = self.batch_max;
            match self.replica.write(move |local| local.seal(n_max).boxed()).await? {
                Sealed::Nothing => return Ok(last),
                Sealed::Again => continue,
                Sealed::Batch => {}
            }
            let Some(batch) = self.in_flight().await? else { continue };
            last = self.push_one(batch).await?;
            if let Step::Resync(_) = last {
                return Ok(last);
            }
        }
        Ok(last)
    }

    /// The batch as it is stored: what is sent first and what is sent again are the same bytes.
    async fn in_flight(&mut self) -> Result<Option<Batch>> {
        self.replica.read(|local| local.batch().boxed()).await
    }

    /// What to send along so that the answer brings what others did. Not for the collections of a selection, which a
    /// push cannot name, and not while pages are kept that go on from there.
    async fn cursor_to_send(&mut self) -> Result<Option<CursorToken>> {
        let state = self.replica.state().await?;
        let is_wanted = state.selection.is_none() && !state.needs_load() && self.pages.is_empty();
        Ok(state.cursor.filter(|_| is_wanted))
    }

    async fn push_one(&mut self, batch: Batch) -> Result<Step> {
        let (mut after, mut receipt) = (self.cursor_to_send().await?, self.replica.state().await?.receipt);
        self.tell_pushing(&batch).await?;
        let mut lost = None;
        // What cannot be read says nothing of the batch, which may have been carried out before: it is settled first.
        let mut reply = loop {
            let reply = self.send(&batch, after.clone(), receipt.clone()).await;
            if reply.as_ref().err().and_then(lost_cursor).is_none() {
                break reply;
            }
            if after.take().is_some() {
                lost = Some(ResyncReason::Horizon);
            } else if receipt.take().is_some() {
                lost = Some(ResyncReason::HistoryDiverged);
            } else {
                break reply;
            }
        };
        if let (Ok(PushReply::Done(done)), Some(ResyncReason::HistoryDiverged)) = (&mut reply, lost) {
            // It does not show that what was answered before is still there.
            done.receipt = None;
        }
        let step = self.settle_reply(batch, after, reply).await?;
        Ok(lost.map_or(step, |reason| match step {
            Step::Resync(_) => step,
            Step::Done | Step::UpToDate => Step::Resync(reason),
        }))
    }

    async fn send(
        &mut self,
        batch: &Batch,
        after: Option<CursorToken>,
        receipt: Option<CursorToken>,
    ) -> Result<PushReply> {
        self.transport.push(self.replica.space(), &batch.request(after, receipt)?).await
    }

    async fn settle_reply(
        &mut self,
        batch: Batch,
        after: Option<CursorToken>,
        reply: Result<PushReply>,
    ) -> Result<Step> {
        match reply {
            Ok(PushReply::Done(done)) => self.record(batch, after, done).await,
            Ok(PushReply::ClientForked) => {
                self.rename().await?;
                Ok(Step::Done)
            }
            // It does not know what it has answered before: it went back in time, whatever the cursor shows.
            Ok(PushReply::MutationGap { .. }) => Ok(Step::Resync(ResyncReason::HistoryDiverged)),
            Ok(PushReply::ResyncRequired(resync)) => Ok(resync.into()),
            Err(error) if error.code() == Some(code::FORBIDDEN_CLIENT) => {
                self.rename().await?;
                Ok(Step::Done)
            }
            // Who may not write may still read. What is in the batch waits until they may. Of a batch that was sent before
            // nobody knows whether it was carried out then; it stays as it is, and nothing can be taken in before it is
            // answered.
            Err(error)
                if error.kind() == ErrorKind::Forbidden && !is_revoked(&error) && !self.was_sent_before =>
            {
                self.replica.write(|local| local.unseal().boxed()).await?;
                self.refused = Some(error);
                Ok(Step::Done)
            }
            Err(error) if error.kind() == ErrorKind::Invalid => self.split(batch, &error).await,
            Err(error) => Err(error),
        }
    }

    /// Says how many edits there are to send. They are counted once; what is edited meanwhile is added as it is sent.
    async fn tell_pushing(&mut self, batch: &Batch) -> Result<()> {
        let n_begun = self.report.pushed.saturating_add(n_entries(batch));
        let n_to_push = match self.n_to_push {
            Some(n) => n.max(n_begun),
            None => n_begun + self.replica.read(|local| local.n_waiting().boxed()).await?,
        };
        self.n_to_push = Some(n_to_push);
        self.tell(Phase::Pushing, self.report.pushed, Some(n_to_push));
        Ok(())
    }

    /// Records an answer: outcomes, the changes that came with it, and the end of the batch, in one step.
    async fn record(&mut self, batch: Batch, after: Option<CursorToken>, done: PushDone) -> Result<Step> {
        if done.outcomes.len() != batch.entries.len() {
            let message =
                format!("{} mutations were sent, {} answered", batch.entries.len(), done.outcomes.len());
            return Err(Error::new(ErrorKind::Distrusted, message));
        }
        let receipt = done.receipt;
        page::check_receipt(receipt.as_ref(), self.replica.space())?;
        let is_up_to_date = after.is_some() && done.page.as_ref().is_some_and(|page| !page.has_more);
        // Only the last page stands for the head that the commit has left.
        let shown = receipt.clone().filter(|_| is_up_to_date);
        let came_with = done.page.zip(after.map(|after| Asked { after, receipt: shown }));
        if let Some((page, asked)) = &came_with {
            page::check(page, asked, self.replica.space())?;
        }
        // The first of several pages is kept until the others are there.
        let (came_with, kept) = if is_up_to_date { (came_with, None) } else { (None, came_with) };
        let outcomes = done.outcomes;
        let report = self
            .replica
            .write(move |local| {
                async move {
                    let newest = outcomes.iter().filter_map(Outcome::version).max();
                    let Some(mut report) = local.record_outcomes(&batch, outcomes).await? else {
                        return Ok(None);
                    };
                    local.note_answered(newest, receipt).await?;
                    if let Some((page, asked)) = came_with {
                        let pulled = local.apply_page(page, &asked).await?;
                        report.add(pulled.unwrap_or_default());
                    }
                    Ok(Some(report))
                }
                .boxed()
            })
            .await?;
        if let Some((page, asked)) = kept.filter(|(page, asked)| page.cursor != asked.after) {
            self.pages.push(asked, page);
        }
        let is_current = report.is_some();
        self.report.add(report.unwrap_or_default());
        self.has_progressed = true;
        self.batch_max = self.batch_max.saturating_mul(2).min(BATCH_MUTATIONS_MAX);
        let (n_pushed, n_to_push) = (self.report.pushed, self.n_to_push);
        self.tell(Phase::Pushing, n_pushed, n_to_push.map(|n| n.max(n_pushed)));
        Ok(if is_up_to_date && is_current { Step::UpToDate } else { Step::Done })
    }

    /// The server will never take this batch: half of it may do. What it refuses alone, or as one group, is set aside.
    async fn split(&mut self, batch: Batch, error: &Error) -> Result<Step> {
        let n = batch.entries.len();
        self.batch_max = (n / 2).max(1);
        if !batch.is_one_unit() {
            self.replica.write(|local| local.unseal().boxed()).await?;
            return Ok(Step::Done);
        }
        self.report.rejected += u64::try_from(n).unwrap_or(u64::MAX);
        let (code, detail) = (error.code().unwrap_or("invalid"), error.to_string());
        self.replica
            .write(move |local| async move { local.give_up(&batch, code, &detail).await }.boxed())
            .await?;
        Ok(Step::Done)
    }
}
