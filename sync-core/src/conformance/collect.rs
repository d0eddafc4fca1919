//! Collecting what lies below the floor.

use crate::conformance::{
    Subject, Verdict, client_state, commit, commit_write, contents, delete, fresh_space, key, log_entry, put,
    seq,
};
use crate::error::Result;
use crate::store::{Collected, CommitWrite, Store, StoreExt, StoreTxnExt};
use crate::types::{Record, Seq, SpaceId};

/// The floor rises to what it is told, also where there is nothing to remove, and never falls.
pub async fn the_floor_rises_and_never_falls(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, (0..9).map(|n| put("notes", &n.to_string(), "1"))).await?;
    for (told, wanted) in [(3, 3), (3, 3), (2, 3), (0, 3), (7, 7), (6, 7), (9, 9)] {
        collect(&*store, &space, told, 100).await?;
        let head = store.read(&space).await?.head();
        assert_eq!((head.floor, head.head), (seq(wanted), seq(9)), "told {told}");
    }
    Ok(())
}

/// Tombstones at or below the floor go; those above it stay, and so does everything that lives.
pub async fn tombstones_at_or_below_the_floor_go_and_live_records_stay(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    // Live records have odd versions, tombstones even ones.
    let changes = (1..=10).map(|n: i64| match n % 2 {
        0 => delete("notes", &n.to_string()),
        _ => put("notes", &n.to_string(), "1"),
    });
    let written = commit(&*store, &space, changes).await?.records;
    assert_eq!(collect(&*store, &space, 6, 100).await?, Collected { n_removed: 3, more: false });
    let stays = |record: &&Record| !record.is_deleted() || record.meta.version > seq(6);
    let wanted: Vec<Record> = written.iter().filter(stays).cloned().collect();
    let found = contents(&*store, &space).await?;
    assert_eq!(found.feed, wanted);
    assert_eq!((found.stats.collections[0].n_records, found.stats.collections[0].n_tombstones), (5, 2));
    assert_eq!(store.read(&space).await?.records(&[key("notes", "6")]).await?, [None]);
    Ok(())
}

/// A record that came back to life after its deletion stays.
pub async fn a_record_that_came_back_stays(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [delete("notes", "1")]).await?;
    let back = commit(&*store, &space, [put("notes", "1", "1")]).await?;
    assert_eq!(collect(&*store, &space, 2, 100).await?, Collected { n_removed: 0, more: false });
    assert_eq!(contents(&*store, &space).await?.feed, back.records);
    Ok(())
}

/// One call removes at most `limit` tombstones and says whether more remain; the floor is raised by the first.
pub async fn collecting_is_bounded_and_says_whether_more_remains(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, (0..10).map(|n| delete("notes", &n.to_string()))).await?;
    let mut calls = Vec::new();
    loop {
        let collected = collect(&*store, &space, 9, 3).await?;
        let found = contents(&*store, &space).await?;
        assert_eq!(found.head.floor, seq(9));
        calls.push((collected.n_removed, collected.more, found.feed.len()));
        if !collected.more {
            break;
        }
    }
    assert_eq!(calls, [(3, true, 7), (3, true, 4), (3, false, 1)]);
    Ok(())
}

/// At most `limit` log entries go in one call too, oldest first, and what remains is said to be more.
pub async fn collecting_the_log_is_bounded(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    logged_commits(&*store, &space, 10).await?;
    assert_eq!(collect(&*store, &space, 8, 5).await?, Collected { n_removed: 5, more: true });
    let log = store.log(&space, None, 100).await?;
    assert!(log.iter().map(|entry| entry.entry).eq([10, 9, 8, 7, 6]));
    assert_eq!(collect(&*store, &space, 8, 5).await?, Collected { n_removed: 3, more: false });
    Ok(())
}

/// At most `limit` commits go in one call as well, and what remains is said to be more.
pub async fn collecting_commits_is_bounded(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    for n in 0..6 {
        commit(&*store, &space, [put("notes", "1", &n.to_string())]).await?;
    }
    let mut left = Vec::new();
    for _ in 0..3 {
        let collected = collect(&*store, &space, 6, 2).await?;
        left.push((contents(&*store, &space).await?.commits.len(), collected.more));
    }
    assert_eq!(
        left,
        [(4, true), (2, true), (1, false)],
        "commits left, and whether the store has more to remove"
    );
    Ok(())
}

/// Log entries of commits at or below the floor go, later ones stay, and numbers are never used again.
pub async fn log_entries_at_or_below_the_floor_go(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    logged_commits(&*store, &space, 6).await?;
    collect(&*store, &space, 4, 100).await?;
    assert!(store.log(&space, None, 100).await?.iter().map(|entry| entry.entry).eq([6, 5]));
    collect(&*store, &space, 6, 100).await?;
    assert_eq!(store.log(&space, None, 100).await?, []);
    assert_eq!(store.read(&space).await?.head().log_head, 6);
    Ok(())
}

/// Commits that end below the floor go; the one that contains it, or ends at it, stays, so that a cursor at the floor
/// can still be checked.
pub async fn the_commit_at_the_floor_stays(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    for _ in 0..5 {
        commit(&*store, &space, ["1", "2", "3"].map(|id| put("notes", id, "1"))).await?;
    }
    let all = contents(&*store, &space).await?.commits;
    assert_eq!(all.len(), 5);
    // Commit number n, counted from zero, has the seqs 3n + 1 to 3n + 3.
    for (floor, n_gone) in [(2, 0), (3, 0), (4, 1), (6, 1), (7, 2), (15, 4)] {
        collect(&*store, &space, floor, 100).await?;
        let found = contents(&*store, &space).await?;
        assert_eq!(found.commits, all[n_gone..], "with the floor at {floor}");
        assert_eq!(store.read(&space).await?.commit_at(seq(floor)).await?, Some(all[n_gone]));
    }
    Ok(())
}

/// Collecting changes neither the head nor the tag nor what is known of replicas, and wakes no version.
pub async fn collecting_leaves_the_head_where_it_is(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let written = commit(&*store, &space, [put("notes", "1", "1"), delete("notes", "2")]).await?;
    // One that has everything, and one that is behind the floor.
    let clients = vec![client_state("replica-1", 2), client_state("replica-2", 1)];
    commit_write(&*store, &space, &CommitWrite { clients, ..CommitWrite::default() }).await?;
    let before = contents(&*store, &space).await?;
    collect(&*store, &space, 2, 100).await?;
    let after = contents(&*store, &space).await?;
    assert_eq!((after.head.head, after.head.tag, after.head.epoch), {
        let head = before.head;
        (head.head, head.tag, head.epoch)
    });
    assert_eq!((after.clients, after.feed), (before.clients, written.records[..1].to_vec()));
    Ok(())
}

/// A collection in which nothing is left is no longer counted.
pub async fn an_empty_collection_is_not_counted(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [delete("gone", "1"), put("kept", "1", "1")]).await?;
    collect(&*store, &space, 2, usize::MAX).await?;
    let names: Vec<_> =
        store.stats(&space).await?.collections.into_iter().map(|of| of.collection.to_string()).collect();
    assert_eq!(names, ["kept"]);
    Ok(())
}

async fn collect(store: &dyn Store, space: &SpaceId, floor: i64, limit: usize) -> Result<Collected> {
    let mut txn = store.write(space).await?;
    let collected = txn.collect(seq(floor), limit).await?;
    txn.commit().await?;
    Ok(collected)
}

/// `n` commits of one record each, with seqs and log entries 1 to `n`.
async fn logged_commits(store: &dyn Store, space: &SpaceId, n: i64) -> Result<()> {
    for n in 1..=n {
        let head = commit(store, space, [put("notes", "1", &n.to_string())]).await?.head();
        let log = vec![log_entry(n, head.map_or(Seq::ZERO, |commit| commit.last))];
        commit_write(store, space, &CommitWrite { log, ..CommitWrite::default() }).await?;
    }
    Ok(())
}
