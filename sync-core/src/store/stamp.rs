//! Stamping: how changes get their seqs, on a server and on a replica alike.

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::store::{CommitInfo, CommitWrite, SpaceHead};
use crate::types::{Cursor, Record, Seq};

/// Hands out the seqs of one commit: consecutive from `max(now, head + 1)`.
///
/// Under the space's write transaction this makes the order of seqs the order of commits, whatever the clock does: when
/// it jumps back, seqs count on from the head.
///
/// ```
/// use sync_core::store::{SpaceHead, Stamper};
/// use sync_core::{Epoch, Seq, Tag, Timestamp};
/// let (zero, epoch) = (Seq::ZERO, Epoch::from_bytes([1; 16]));
/// let head = SpaceHead { epoch, head: Seq::new(50)?, tag: Tag::ZERO, floor: zero, log_head: 0 };
/// let mut late = Stamper::new(head, Timestamp::ZERO);
/// assert_eq!((late.next_seq()?.get(), late.next_seq()?.get()), (51, 52));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stamper {
    head: SpaceHead,
    first: Seq,
    n_used: usize,
}

impl Stamper {
    /// For a commit on top of `head`, at `now`.
    pub fn new(head: SpaceHead, now: Timestamp) -> Self {
        let now = Seq::new(now.as_micros()).unwrap_or(Seq::MAX);
        let next = head.head.checked_add(1).unwrap_or(Seq::MAX);
        // A clock at the very end of its range would use up the space; such a time is not believed.
        let first = if now < Seq::MAX { next.max(now) } else { next };
        Self { head, first, n_used: 0 }
    }

    /// The next seq.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) with code `version_exhausted` at the end of the range.
    pub fn next_seq(&mut self) -> Result<Seq> {
        let exhausted = || {
            Error::new(ErrorKind::Invalid, "the space has used up its seqs").with_code("version_exhausted")
        };
        let seq =
            self.first.checked_add(self.n_used).filter(|seq| *seq > self.head.head).ok_or_else(exhausted)?;
        self.n_used += 1;
        Ok(seq)
    }

    /// The newest seq that was handed out, or the head if none was.
    pub fn last(&self) -> Seq {
        match self.n_used {
            0 => self.head.head,
            n => self.first.checked_add(n - 1).unwrap_or(self.head.head),
        }
    }

    /// A commit of these records, which carry seqs of this stamper: sorts them by version and adds the new head and tag.
    pub fn commit(&self, mut records: Vec<Record>) -> CommitWrite {
        records.sort_unstable_by_key(|record| record.meta.version);
        let commit = (!records.is_empty()).then(|| {
            let last = self.last();
            CommitInfo { first: self.first, last, tag: self.head.tag.after(self.first, last, &records) }
        });
        CommitWrite { records, commits: commit.into_iter().collect(), ..CommitWrite::default() }
    }

    /// The position after a commit this stamper made, or where the space stood if it made none.
    pub fn cursor(&self, seq: Seq, commit: Option<CommitInfo>) -> Cursor {
        let tag = commit.map_or(self.head.tag, |commit| commit.tag);
        Cursor { epoch: self.head.epoch, seq, seen: commit.map_or(self.head.head, |commit| commit.last), tag }
    }
}
