//! Judging cursors: whether the history a reader knows is the history of this server.
//!
//! A cursor is bound to the head that its reader has seen, not only to where it stands: a page that ends before the head
//! leaves out what changed again after its end, and is true only of a history that has those changes.
//!
//! A reader that began at zero had nothing that a collected tombstone could have told it about, so its pages may end
//! below the floor. Such a cursor is bound to the floor besides, because the commits where it stands are gone:
//!
//! ```text
//!        0 ............ floor ................. head
//! from a cursor         |  tag of the head seen  |
//! from zero   |  and the floor    |  same as above
//! ```

use crate::error::{Error, Result};
use crate::protocol::{Resync, ResyncReason, code};
use crate::service::rules::ViewMark;
use crate::store::{SpaceHead, StoreTxn, StoreTxnExt};
use crate::types::{Cursor, CursorToken, Epoch, Seq, SpaceId, Tag};

/// Reads a token of `space`.
///
/// # Errors
///
/// `invalid_cursor` for anything that was not issued for this space.
pub(super) fn read(token: &CursorToken, space: &SpaceId) -> Result<Cursor> {
    Cursor::decode(token, space).map_err(|error| Error::invalid(code::INVALID_CURSOR, error.to_string()))
}

/// Whether a session may go on from a cursor, by the history that the transaction sees and the view its reader has of it.
/// What another view left out cannot be told any more, as what is older than the floor.
pub(super) async fn judge(
    cursor: &Cursor,
    mark: ViewMark,
    txn: &mut dyn StoreTxn,
) -> Result<Result<(), Resync>> {
    let head = txn.head();
    let resync = |reason| Ok(Err(Resync { reason, epoch: head.epoch, floor: head.floor }));
    if cursor.epoch != head.epoch {
        return resync(ResyncReason::EpochChanged);
    }
    if cursor.seen > head.head || cursor.seq > cursor.seen {
        return resync(ResyncReason::HistoryDiverged);
    }
    let bound = binding(cursor.seq, cursor.seen, &head, txn).await?;
    if bound.is_some_and(|bound| mark.on(bound) == cursor.tag) {
        return Ok(Ok(()));
    }
    let is_of_other_view = bound.is_some_and(|bound| ViewMark::is_same_history(bound, cursor.tag));
    resync(if is_of_other_view || cursor.seq < head.floor {
        ResyncReason::Horizon
    } else {
        ResyncReason::HistoryDiverged
    })
}

/// Whether the history in which a [receipt] was given is still this server's. Nobody's view matters to that. One from below
/// the floor passes, as nobody can tell: whose cursor lies there as well must load anew, and gets what there is.
///
/// [receipt]: crate::protocol::PushDone::receipt
pub(super) async fn judge_receipt(receipt: &Cursor, txn: &mut dyn StoreTxn) -> Result<Result<(), Resync>> {
    let head = txn.head();
    if receipt.epoch == head.epoch && receipt.seq < head.floor {
        return Ok(Ok(()));
    }
    judge(receipt, ViewMark::default(), txn).await
}

/// What stands for the history up to where a commit left a space.
pub(super) fn receipt(epoch: Epoch, head: Seq, tag: Tag) -> Cursor {
    Cursor { epoch, seq: head, seen: head, tag }
}

/// A cursor at a position of the history that the transaction sees, for a reader whose own cursor was found good, and who
/// was given what the transaction saw.
pub(super) async fn at(seq: Seq, mark: ViewMark, txn: &mut dyn StoreTxn) -> Result<Cursor> {
    let head = txn.head();
    let tag = binding(seq, head.head, &head, txn).await?.unwrap_or(head.tag);
    Ok(Cursor { epoch: head.epoch, seq, seen: head.head, tag: mark.on(tag) })
}

/// What a cursor at a position must carry, whose reader was given what there was when the head was at `seen`. `None` where
/// that is so long ago that it cannot be told any more.
async fn binding(seq: Seq, seen: Seq, head: &SpaceHead, txn: &mut dyn StoreTxn) -> Result<Option<Tag>> {
    let Some(tag) = tag_at(seen, head, txn).await? else { return Ok(None) };
    if seq >= head.floor {
        return Ok(Some(tag));
    }
    // Below the floor only a reader that began at zero has a position. It stays good until another commit falls below
    // the floor: up to then the tombstones that are gone are older than anything the reader was given.
    let oldest = txn.commit_at(head.floor).await?.map_or(head.head, |commit| commit.last);
    Ok(Some(tag.after(oldest, oldest, [])))
}

/// The tag of the commit that contains a position, which stands for that commit and all before it.
async fn tag_at(seq: Seq, head: &SpaceHead, txn: &mut dyn StoreTxn) -> Result<Option<Tag>> {
    if seq == head.head {
        return Ok(Some(head.tag));
    }
    if seq < head.floor {
        return Ok(None);
    }
    if seq == Seq::ZERO {
        return Ok(Some(Tag::ZERO));
    }
    Ok(txn.commit_at(seq).await?.map(|commit| commit.tag))
}
