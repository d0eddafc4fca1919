//! The history of commits, by which a cursor is checked.

use crate::conformance::{Subject, Verdict, fresh_space, put, seq, stamp_at};
use crate::error::Result;
use crate::store::{CommitInfo, Store, StoreExt};
use crate::types::{Seq, SpaceId};

/// In an empty space there is no commit anywhere.
pub async fn an_empty_space_has_no_commits(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.commit_at(Seq::ZERO).await?, None);
    assert_eq!(txn.commit_at(Seq::MAX).await?, None);
    Ok(())
}

/// Every seq of a commit finds that commit; a seq between two finds the later one; past the head there is none.
pub async fn commit_at_finds_the_commit_that_contains_a_seq(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let one = write(&*store, &space, 5, 3).await?;
    let two = write(&*store, &space, 8, 1).await?;
    let three = write(&*store, &space, 20, 4).await?;
    assert_eq!((one.last, two.last, three.last), (seq(7), seq(8), seq(23)));
    let mut txn = store.read(&space).await?;
    let cases =
        [(0, one), (1, one), (5, one), (6, one), (7, one), (8, two), (9, three), (19, three), (23, three)];
    for (at, wanted) in cases {
        assert_eq!(txn.commit_at(seq(at)).await?, Some(wanted), "at {at}");
    }
    assert_eq!(txn.commit_at(seq(24)).await?, None);
    assert_eq!(txn.commit_at(Seq::MAX).await?, None);
    Ok(())
}

/// The newest commit ends at the head and has its tag.
pub async fn the_newest_commit_is_the_head(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    for n in 1..=20 {
        let written = write(&*store, &space, n * 100, usize::try_from(n)?).await?;
        let mut txn = store.read(&space).await?;
        assert_eq!((txn.head().head, txn.head().tag), (written.last, written.tag));
        let head = txn.head().head;
        assert_eq!(txn.commit_at(head).await?, Some(written));
    }
    Ok(())
}

async fn write(store: &dyn Store, space: &SpaceId, first: i64, n: usize) -> Result<CommitInfo> {
    let mut txn = store.write(space).await?;
    let ids: Vec<String> = (0..n).map(|n| n.to_string()).collect();
    let changes = ids.iter().map(|id| put("notes", id, &first.to_string()));
    let write = stamp_at(&mut *txn, seq(first), changes).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    Ok(write.commit.expect("`stamp_at` makes a commit"))
}
