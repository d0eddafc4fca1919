//! A page of changes: whether it can be believed, and applying it together with its cursor.

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::PullPage;
use crate::replica::local::rows::Base;
use crate::replica::local::txn::Local;
use crate::replica::sync::report::SyncReport;
use crate::types::{Cursor, CursorToken, RecordKey, SpaceId};

/// With what a page was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// From here.
    pub(crate) after: CursorToken,
    /// What the server has shown to know by giving the page: its cursor lies behind that.
    pub(crate) receipt: Option<CursorToken>,
}

impl Asked {
    /// Whether a page leaves everything as it is.
    pub(crate) fn learns_nothing(&self, page: &PullPage) -> bool {
        page.changes.is_empty() && page.cursor == self.after && self.receipt.is_none()
    }
}

/// Checks that a page answers what was asked: it is of this space and this history, in order, does not lead back, and was
/// read from behind the receipt. A proxy's old answer or another space's page is none.
///
/// # Errors
///
/// [`Distrusted`](ErrorKind::Distrusted).
pub(crate) fn check(page: &PullPage, asked: &Asked, space: &SpaceId) -> Result<()> {
    let read = |token| Cursor::decode(token, space).map_err(|_| distrusted("carries another space's cursor"));
    let (from, to) = (read(&asked.after)?, read(&page.cursor)?);
    if from.epoch != to.epoch || to.seq < from.seq || to.seq > page.head {
        return Err(distrusted("does not go on from the cursor that was sent"));
    }
    if let Some(receipt) = &asked.receipt {
        let receipt = read(receipt)?;
        if receipt.epoch != to.epoch || to.seen < receipt.seen {
            return Err(distrusted("was read before what it was asked to show"));
        }
    }
    let mut last = from.seq;
    for change in &page.changes {
        if change.meta.version <= last || change.meta.version > to.seq {
            return Err(distrusted("is not in order"));
        }
        last = change.meta.version;
    }
    Ok(())
}

/// Checks that a page which says that there is more leads there. The answer to a push need not: what others did in the
/// same commit comes with the next pull.
pub(crate) fn check_leads_on(page: &PullPage, after: &CursorToken, space: &SpaceId) -> Result<()> {
    let seq = |token| Cursor::decode(token, space).map(|cursor| cursor.seq);
    if page.has_more && seq(&page.cursor) == seq(after) {
        return Err(distrusted("says there is more and does not lead there"));
    }
    Ok(())
}

/// Checks that the receipt in the answer to a push is one of this space.
pub(crate) fn check_receipt(receipt: Option<&CursorToken>, space: &SpaceId) -> Result<()> {
    match receipt.map(|receipt| Cursor::decode(receipt, space)) {
        Some(Err(_)) => {
            Err(Error::new(ErrorKind::Distrusted, "a push was answered by another space's server"))
        }
        Some(Ok(_)) | None => Ok(()),
    }
}

fn distrusted(why: &str) -> Error {
    Error::new(ErrorKind::Distrusted, format!("the answer to a pull {why}"))
}

/// Whether the feed may carry this to a replica. Other collections of the library are each side's own books.
pub(crate) fn is_delivered(key: &RecordKey) -> bool {
    key.collection.is_delivered()
}

impl Local {
    /// Applies a page, cursor included. `None`, and nothing done, when the replica has
    /// moved on meanwhile or a batch is in flight: the next sync asks again.
    pub(crate) async fn apply_page(&mut self, page: PullPage, asked: &Asked) -> Result<Option<SyncReport>> {
        let mut state = self.state().await?;
        if state.cursor.as_ref() != Some(&asked.after) || self.batch().await?.is_some() {
            return Ok(None);
        }
        let is_wanted = |key: &RecordKey| is_delivered(key) && state.selects(&key.collection);
        let changes: Vec<_> = page.changes.into_iter().filter(|change| is_wanted(&change.key)).collect();
        self.load(changes.iter().flat_map(|change| [change.key.clone(), Base::key_for(&change.key)])).await?;
        let mut report = SyncReport::default();
        for change in changes {
            report.count_taken(self.receive(change).await?);
        }
        let has_moved = page.cursor != asked.after;
        if has_moved {
            state.move_to(page.cursor, self.options.clock.now());
        }
        if state.settle_receipt(asked.receipt.as_ref()) || has_moved {
            self.save(&state)?;
        }
        Ok(Some(report))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{Epoch, Seq, Tag};

    #[test]
    fn only_the_answer_to_a_pull_must_lead_to_what_it_says_is_left() {
        let space = SpaceId::new("family").unwrap();
        let seq = |n| Seq::new(n).unwrap();
        let (epoch, tag) = (Epoch::from_bytes([1; 16]), Tag::from_bytes([2; 16]));
        let cursor = Cursor { epoch, seq: seq(5), seen: seq(5), tag };
        let token = cursor.encode(&space);
        let page = PullPage { changes: vec![], cursor: token.clone(), has_more: true, head: seq(9) };
        // Another push went into the same commit: its author gets this, and pulls.
        let asked = Asked { after: token, receipt: None };
        assert!(check(&page, &asked, &space).is_ok());
        assert_eq!(check_leads_on(&page, &asked.after, &space).unwrap_err().kind(), ErrorKind::Distrusted);
    }
}
