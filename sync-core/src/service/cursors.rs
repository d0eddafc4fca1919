//! Judging cursors: whether the history a reader knows is the history of this server.
//!
//! A reader that began at zero had nothing that a collected tombstone could have told it about, so its pages may end
//! below the floor. Such a cursor is bound to the floor instead of to a commit, because the commits there are gone:
//!
//! ```text
//!        0 ............ floor ................. head
//! from a cursor         |  tag of the commit     |
//! from zero   | bound to the floor |  same as above
//! ```

use crate::error::{Error, Result};
use crate::protocol::{Resync, ResyncReason, code};
use crate::store::{SpaceHead, StoreTxn, StoreTxnExt};
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
pub(super) async fn judge(cursor: &Cursor, txn: &mut dyn StoreTxn) -> Result<Result<(), Resync>> {
    let head = txn.head();
    let resync = |reason| Ok(Err(Resync { reason, epoch: head.epoch, floor: head.floor }));
    if cursor.epoch != head.epoch {
        return resync(ResyncReason::EpochChanged);
    }
    if cursor.seq > head.head {
        return resync(ResyncReason::HistoryDiverged);
    }
    if tag_at(cursor.seq, &head, txn).await? == cursor.tag {
        return Ok(Ok(()));
    }
    resync(if cursor.seq < head.floor { ResyncReason::Horizon } else { ResyncReason::HistoryDiverged })
}

/// A cursor at a position of the history that the transaction sees, for a reader whose own cursor was found good.
pub(super) async fn at(seq: Seq, txn: &mut dyn StoreTxn) -> Result<Cursor> {
    let head = txn.head();
    Ok(Cursor { epoch: head.epoch, seq, tag: tag_at(seq, &head, txn).await? })
}

/// What a cursor at a position must carry: the tag of the commit that contains it, which stands for that commit and all
/// before it.
async fn tag_at(seq: Seq, head: &SpaceHead, txn: &mut dyn StoreTxn) -> Result<Tag> {
    if seq == head.head {
        return Ok(head.tag);
    }
    if seq >= head.floor {
        let commit = if seq == Seq::ZERO { None } else { txn.commit_at(seq).await? };
        return Ok(commit.map_or(Tag::ZERO, |commit| commit.tag));
    }
    // Below the floor only a reader that began at zero has a position. It stays good until another commit falls below
    // the floor: up to then the tombstones that are gone are older than anything the reader was given.
    let at_floor = txn.commit_at(head.floor).await?.map_or(head.tag, |commit| commit.tag);
    Ok(at_floor.after(Seq::ZERO, Seq::ZERO, []))
}
