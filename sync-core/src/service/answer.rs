//! What a batch gets once its commit has succeeded.
//!
//! An answer is drafted while the transaction is open, when the tag of its commit is not known yet, and finished after.

use crate::error::Result;
use crate::mutation::Outcome;
use crate::protocol::{PullPage, PushDone, PushReply};
use crate::service::rules::{View, ViewMark};
use crate::service::stage::Stage;
use crate::service::{Limits, cursors, scoped};
use crate::store::{CommitInfo, FeedQuery, SpaceHead, StoreTxn};
use crate::types::{Collection, Cursor, Record, Seq, SpaceId};

/// Reads of what was stored for one answer. Everyone else who pushes to the space waits meanwhile; who is further behind
/// than that pulls afterwards.
const READS_MAX: usize = 1;

/// What a batch gets if the commit succeeds.
pub(super) enum Answer {
    /// This.
    Ready(Result<PushReply>),
    /// Its outcomes, a page if it asked for one, and a receipt unless the one it came with is of another history.
    Done { outcomes: Vec<Outcome>, page: Option<PageDraft>, has_receipt: bool },
}

/// The pull part of an answer, before the tag of the new commit is known.
pub(super) struct PageDraft {
    changes: Vec<Record>,
    position: Position,
    has_more: bool,
    mark: ViewMark,
}

enum Position {
    Known(Cursor),
    /// Within the commit that is being made.
    InCommit(Seq),
}

impl Answer {
    /// The reply after a commit on top of `before`; `None` if no record changed.
    pub(super) fn finish(
        self,
        space: &SpaceId,
        before: &SpaceHead,
        commit: Option<CommitInfo>,
    ) -> Result<PushReply> {
        let (outcomes, page, has_receipt) = match self {
            Self::Ready(reply) => return reply,
            Self::Done { outcomes, page, has_receipt } => (outcomes, page, has_receipt),
        };
        let (head, tag) = commit.map_or((before.head, before.tag), |commit| (commit.last, commit.tag));
        let page = page.map(|draft| {
            let cursor = match draft.position {
                Position::Known(cursor) => cursor,
                Position::InCommit(seq) => {
                    Cursor { epoch: before.epoch, seq, seen: head, tag: draft.mark.on(tag) }
                }
            };
            let has_more = draft.has_more || cursor.seq < head;
            PullPage { changes: draft.changes, cursor: cursor.encode(space), has_more, head }
        });
        let receipt = has_receipt.then(|| cursors::receipt(before.epoch, head, tag).encode(space));
        Ok(PushReply::Done(PushDone { outcomes, head, receipt, page }))
    }
}

impl PageDraft {
    /// What was stored after `cursor` when the transaction began, within `bytes_left`: many answers are held in memory
    /// until their commit, and whoever finds no room pulls afterwards.
    pub(super) async fn stored(
        view: View<'_>,
        cursor: Cursor,
        txn: &mut dyn StoreTxn,
        limits: &Limits,
        bytes_left: usize,
    ) -> Result<Self> {
        let (stored, mark) = (txn.head().head, view.mark());
        let is_behind = cursor.seq < stored;
        if !is_behind || bytes_left == 0 {
            let position = Position::Known(cursor);
            return Ok(Self { changes: Vec::new(), position, has_more: is_behind, mark });
        }
        let query = FeedQuery {
            after: cursor.seq,
            up_to: stored,
            collections: None,
            rows_max: limits.page_rows_max,
            bytes_max: limits.page_bytes_max.min(bytes_left),
        };
        let page = scoped::feed(view, txn, &query, READS_MAX).await?;
        let position = Position::Known(cursors::at(page.end, mark, txn).await?);
        Ok(Self { changes: page.records, position, has_more: page.more, mark })
    }

    /// Goes on behind what the batch itself changed after `before`, if that follows directly: the outcomes tell of it,
    /// only the conflicts it caused are new to its author, and what they may not read any more is gone for them. If an earlier batch of the same transaction came in between,
    /// the author pulls once more.
    pub(super) fn add_own(&mut self, view: View<'_>, stage: &Stage, stored: Seq, before: Seq) {
        // What this transaction changes again is old news: applied after the outcomes, it would set its author back.
        self.changes.retain(|record| stage.version(&record.key) <= record.meta.version);
        let own_end = stage.last();
        if !self.has_more && before == stored && own_end > stored {
            let own = stage.changes_since(before, |record| {
                record.key.collection.as_str() == Collection::CONFLICTS || view.hides(record)
            });
            self.changes.extend(view.all(own));
            self.position = Position::InCommit(own_end);
        }
    }

    /// Bytes of content in it.
    pub(super) fn n_bytes(&self) -> usize {
        self.changes.iter().map(Record::data_len).sum()
    }
}
