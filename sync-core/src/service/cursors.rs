//! Judging cursors: whether the history a reader knows is the history of this server.

use crate::error::{Error, Result};
use crate::protocol::{Resync, ResyncReason, code};
use crate::store::{SpaceHead, StoreTxn};
use crate::types::{Cursor, CursorToken, Seq, SpaceId, Tag};

/// Reads a token of `space`.
///
/// # Errors
///
/// `invalid_cursor` for anything that was not issued for this space.
pub(super) fn read(token: &CursorToken, space: &SpaceId) -> Result<Cursor> {
    Cursor::decode(token, space).map_err(|error| Error::invalid(code::INVALID_CURSOR, error.to_string()))
}

/// Whether a session may go on from a cursor, by the history that the transaction sees.
///
/// Staleness is judged here, on the cursor a session begins with; the pages after it carry cursors that were issued
/// meanwhile.
pub(super) async fn judge(cursor: &Cursor, txn: &mut dyn StoreTxn) -> Result<Result<(), Resync>> {
    let head = txn.head();
    let resync = |reason| Ok(Err(Resync { reason, epoch: head.epoch, floor: head.floor }));
    if cursor.epoch != head.epoch {
        return resync(ResyncReason::EpochChanged);
    }
    if cursor.seq > head.head {
        return resync(ResyncReason::HistoryDiverged);
    }
    if cursor.seq < head.floor {
        return resync(ResyncReason::Horizon);
    }
    if tag_at(cursor.seq, &head, txn).await? == cursor.tag {
        Ok(Ok(()))
    } else {
        resync(ResyncReason::HistoryDiverged)
    }
}

/// A cursor at a position of the history that the transaction sees.
pub(super) async fn at(seq: Seq, txn: &mut dyn StoreTxn) -> Result<Cursor> {
    let head = txn.head();
    Ok(Cursor { epoch: head.epoch, seq, tag: tag_at(seq, &head, txn).await? })
}

/// Tag of the commit that contains a position: it stands for that commit and all before it.
async fn tag_at(seq: Seq, head: &SpaceHead, txn: &mut dyn StoreTxn) -> Result<Tag> {
    if seq == head.head {
        return Ok(head.tag);
    }
    if seq == Seq::ZERO {
        return Ok(Tag::ZERO);
    }
    Ok(txn.commit_at(seq).await?.map_or(Tag::ZERO, |commit| commit.tag))
}
