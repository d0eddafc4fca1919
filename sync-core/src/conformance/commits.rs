//! The history of commits, by which a cursor is checked.

use crate::conformance::hints::until;
use crate::conformance::{
    Subject, Verdict, all_commits, commit_write, contents, fresh_space, put, seq, stamp_at,
};
use crate::error::Result;
use crate::store::{CommitInfo, CommitWrite, Store, StoreExt, StoreTxnExt};
use crate::types::{Seq, SpaceId, Tag};

/// In an empty space there is no commit anywhere.
pub async fn an_empty_space_has_no_commits(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.commits(Seq::ZERO, 10).await?, []);
    assert_eq!(txn.commits(Seq::MAX, 10).await?, []);
    Ok(())
}

/// Commits are listed ascending from a seq on, at most as many as asked for. Every seq of a commit lists it first; a seq
/// between two lists the later one first; past the head there is none.
pub async fn commits_are_listed_from_the_one_that_contains_a_seq(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let one = write(&*store, &space, 5, 3).await?;
    let two = write(&*store, &space, 8, 1).await?;
    let three = write(&*store, &space, 20, 4).await?;
    assert_eq!((one.last, two.last, three.last), (seq(7), seq(8), seq(23)));
    let all = [one, two, three];
    let mut txn = store.read(&space).await?;
    let cases = [(0, 0), (1, 0), (5, 0), (6, 0), (7, 0), (8, 1), (9, 2), (19, 2), (23, 2), (24, 3), (99, 3)];
    for (from, n_before) in cases {
        let from = seq(from);
        for limit in [0, 1, 2, 3, usize::MAX] {
            let wanted: Vec<_> = all[n_before..].iter().take(limit).copied().collect();
            assert_eq!(txn.commits(from, limit).await?, wanted, "from {from}, at most {limit}");
        }
        assert_eq!(txn.commit_at(from).await?, all.get(n_before).copied(), "at {from}");
    }
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

/// One write may carry many commits: all of them are there, the last one is the head, and a hint tells of it.
pub async fn a_write_of_many_commits_leaves_the_head_at_the_last(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let info = |n: u16| {
        let first = i64::from(n) * 10;
        CommitInfo { first: seq(first), last: seq(first + 3), tag: Tag::from_bytes([n.to_be_bytes()[1]; 16]) }
    };
    let mut hints = store.hints(&space);
    let commits: Vec<CommitInfo> = (1..=2_500).map(info).collect();
    commit_write(&*store, &space, &CommitWrite { commits: commits.clone(), ..CommitWrite::default() })
        .await?;
    let newest = info(2_500);
    let head = contents(&*store, &space).await?.head;
    assert_eq!((head.head, head.tag), (newest.last, newest.tag));
    assert!(all_commits(&mut *store.read(&space).await?).await? == commits, "commits were lost or changed");
    assert_eq!(until(subject, &mut hints, newest.last).await, newest.last);
    Ok(())
}

async fn write(store: &dyn Store, space: &SpaceId, first: i64, n: usize) -> Result<CommitInfo> {
    let mut txn = store.write(space).await?;
    let ids: Vec<String> = (0..n).map(|n| n.to_string()).collect();
    let changes = ids.iter().map(|id| put("notes", id, &first.to_string()));
    let write = stamp_at(&mut *txn, seq(first), changes).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    Ok(write.head().expect("`stamp_at` makes a commit"))
}
