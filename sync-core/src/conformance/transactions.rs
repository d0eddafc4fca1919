//! What a transaction is: all or nothing, and refused where it is misused.

use std::future::poll_fn;
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::conformance::{
    Contents, Subject, Verdict, client_state, commit, contents, delete, everything_after, fresh_space,
    in_time, key, log_entry, put, seq, stamp, stamp_at, whole_scan,
};
use crate::error::{ErrorKind, Result};
use crate::store::{ClientQuery, Collected, CommitInfo, CommitWrite, Store, StoreExt, StoreTxn, StoreTxnExt};
use crate::types::{Seq, SpaceId, Tag};

/// A transaction that is dropped leaves no trace, whatever it wrote.
pub async fn dropped_transaction_leaves_no_trace(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.write(&space).await?;
    let write = everything(&mut *txn).await?;
    txn.apply(&write).await?;
    drop(txn);
    assert_eq!(contents(&*store, &space).await?, before);
    let mut txn = store.write(&space).await?;
    assert_eq!(txn.head(), before.head);
    txn.collect(before.head.head, 100).await?;
    drop(txn);
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// All parts of a write become visible together.
pub async fn a_commit_makes_everything_visible(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.write(&space).await?;
    let write = everything(&mut *txn).await?;
    txn.apply(&write).await?;
    txn.commit().await?;
    let after = contents(&*store, &space).await?;
    let written = write.commits[0];
    assert_eq!((after.head.head, after.head.tag), (written.last, written.tag));
    assert_eq!((after.head.epoch, after.head.floor), (before.head.epoch, before.head.floor));
    assert_eq!((after.head.log_head, after.log.first()), (2, write.log.first()));
    assert_eq!(after.commits.last(), Some(&written));
    assert_eq!(after.feed[after.feed.len() - write.records.len()..], write.records);
    assert!(after.records.iter().all(|record| record.key != key("notes", "purged")));
    assert!(after.clients.contains(&write.clients[0]));
    Ok(())
}

/// Writing in a transaction begun to read is an error of kind `Internal`, and nothing is written.
pub async fn writing_in_a_read_transaction_is_refused(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.read(&space).await?;
    let write = everything(&mut *txn).await?;
    assert_eq!(txn.apply(&write).await.err().map(|e| e.kind()), Some(ErrorKind::Internal));
    drop(txn);
    let mut txn = store.read(&space).await?;
    let collected = txn.collect(before.head.head, 100).await;
    assert_eq!(collected.err().map(|e| e.kind()), Some(ErrorKind::Internal));
    drop(txn);
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// After a method of a transaction failed, its commit fails too, and nothing is written.
pub async fn failed_transaction_cannot_commit(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.read(&space).await?;
    let write = everything(&mut *txn).await?;
    assert!(txn.apply(&write).await.is_err());
    assert!(txn.commit().await.is_err(), "a transaction was committed after apply failed in it");
    let mut txn = store.read(&space).await?;
    assert!(txn.collect(before.head.head, 100).await.is_err());
    assert!(txn.commit().await.is_err(), "a transaction was committed after collect failed in it");
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// The head of a transaction is where the space stood when it began; its own writes do not change it.
pub async fn head_does_not_move_within_its_transaction(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.write(&space).await?;
    let write = everything(&mut *txn).await?;
    txn.apply(&write).await?;
    assert_eq!(txn.head(), before.head);
    drop(txn);
    let mut txn = store.write(&space).await?;
    txn.collect(before.head.head, 100).await?;
    assert_eq!(txn.head(), before.head);
    Ok(())
}

/// A transaction that only read may be committed.
pub async fn a_transaction_that_wrote_nothing_may_be_committed(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    store.read(&space).await?.commit().await?;
    store.write(&space).await?.commit().await?;
    let mut txn = store.write(&space).await?;
    txn.apply(&CommitWrite::default()).await?;
    txn.commit().await?;
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// A write without changes of records leaves head and tag where they are.
pub async fn a_write_without_records_does_not_move_the_head(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let clients = vec![client_state("replica-2", 1)];
    let log = vec![log_entry(2, before.head.head)];
    let mut txn = store.write(&space).await?;
    txn.apply(&CommitWrite { clients, log, ..CommitWrite::default() }).await?;
    txn.commit().await?;
    let after = contents(&*store, &space).await?;
    assert_eq!(
        (after.head.head, after.head.tag, after.head.log_head),
        (before.head.head, before.head.tag, 2)
    );
    assert_eq!((after.commits, after.feed), (before.commits, before.feed));
    assert_eq!((after.clients.len(), after.log.len()), (2, 2));
    Ok(())
}

/// The seqs of a commit may leave a gap after the ones before it; the head is the last seq of the commit even where no
/// record has it.
pub async fn the_head_is_the_last_seq_of_the_newest_commit(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.write(&space).await?;
    let mut write = stamp_at(&mut *txn, seq(100), [put("notes", "1", "1")]).await?;
    write.commits[0].last = seq(120);
    txn.apply(&write).await?;
    txn.commit().await?;
    let found = contents(&*store, &space).await?;
    assert_eq!((found.head.head, found.commits), (seq(120), write.commits));
    assert_eq!(found.feed, write.records);
    Ok(())
}

/// A transaction sees what it wrote itself, in every way of reading.
pub async fn a_transaction_sees_what_it_wrote_itself(subject: &dyn Subject) -> Verdict {
    let (store, space, before) = filled(subject).await?;
    let mut txn = store.write(&space).await?;
    let write = everything(&mut *txn).await?;
    txn.apply(&write).await?;
    let keys: Vec<_> = write.records.iter().map(|record| record.key.clone()).collect();
    assert!(txn.records(&keys).await?.into_iter().flatten().eq(write.records.iter().cloned()));
    assert_eq!(txn.records(&write.purges).await?, [None]);
    assert_eq!(everything_after(&mut *txn, before.head.head).await?, write.records);
    let mut wanted = write.records.clone();
    wanted.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    assert_eq!(whole_scan(&mut *txn).await?, wanted);
    assert_eq!(txn.clients(ClientQuery::After(None, 10)).await?, write.clients);
    assert_eq!(txn.client(&write.clients[0].client).await?.as_ref(), Some(&write.clients[0]));
    assert_eq!(txn.commit_at(Seq::MAX).await?, None);
    assert_eq!(txn.commit_at(write.commits[0].first).await?, write.head());
    Ok(())
}

/// Several writes of one transaction go on from each other: of two states of a record or a replica the later one stays,
/// and they become visible together or not at all.
pub async fn later_writes_go_on_from_earlier_ones(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let empty = contents(&*store, &space).await?;
    let changes = ["first", "purged", "second", "first", "third"].map(|id| put("notes", id, "1"));
    let records = stamp(&mut *store.read(&space).await?, changes).await?.records;
    let writes =
        [(0..2, 1), (2..3, 2), (3..5, 3)].map(|(part, n): (std::ops::Range<usize>, i64)| CommitWrite {
            records: records[part.clone()].to_vec(),
            purges: if n == 2 { vec![key("notes", "purged")] } else { Vec::new() },
            clients: vec![client_state("replica-1", n), client_state(&format!("replica-1{n}"), n)],
            log: vec![log_entry(n, records[part.end - 1].meta.version)],
            commits: vec![CommitInfo {
                first: records[part.start].meta.version,
                last: records[part.end - 1].meta.version,
                tag: Tag::from_bytes([part.end.to_be_bytes()[7]; 16]),
            }],
            ..CommitWrite::default()
        });
    for ends_well in [false, true] {
        let mut txn = store.write(&space).await?;
        for write in &writes {
            txn.apply(write).await?;
        }
        if !ends_well {
            drop(txn);
            assert_eq!(contents(&*store, &space).await?, empty);
            continue;
        }
        txn.commit().await?;
    }
    let found = contents(&*store, &space).await?;
    let newest = writes[2].commits[0];
    assert_eq!((found.head.head, found.head.tag, found.head.log_head), (newest.last, newest.tag, 3));
    assert!(found.commits.into_iter().eq(writes.iter().flat_map(|write| write.commits.clone())));
    assert!(found.log.into_iter().rev().eq(writes.iter().flat_map(|write| write.log.clone())));
    assert_eq!(found.feed, records[2..]);
    let clients: Vec<_> =
        found.clients.iter().map(|state| (state.client.as_str(), state.last.get())).collect();
    assert_eq!(clients, [("replica-1", 3), ("replica-11", 1), ("replica-12", 2), ("replica-13", 3)]);
    Ok(())
}

/// Writing and collecting may take turns in one transaction: each goes on from what the one before it left.
pub async fn writing_and_collecting_take_turns(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.write(&space).await?;
    txn.apply(&CommitWrite { log: vec![log_entry(7, Seq::ZERO)], ..CommitWrite::default() }).await?;
    assert_eq!(txn.collect(seq(2), 10).await?, Collected { n_removed: 1, more: false });
    let changes = [delete("notes", "1"), delete("notes", "2"), put("notes", "3", "3"), delete("notes", "4")];
    let mut write = stamp(&mut *txn, changes).await?;
    write.log = vec![log_entry(8, seq(4))];
    txn.apply(&write).await?;
    assert_eq!(txn.collect(seq(2), 0).await?, Collected { n_removed: 0, more: true });
    assert_eq!(txn.collect(seq(2), 1).await?, Collected { n_removed: 1, more: true });
    txn.commit().await?;
    let found = contents(&*store, &space).await?;
    assert_eq!(found.feed, write.records[1..]);
    let head = found.head;
    let stands = (head.head, head.floor, head.log_head);
    assert_eq!(stands, (seq(4), seq(2), 8), "head, floor and log_head of the store, and what they should be");
    assert_eq!(
        (found.commits, found.log),
        (write.commits, write.log),
        "commits and log of the store, and as written"
    );
    Ok(())
}

/// The future of any method may be dropped at any point: what it was doing happened wholly or not at all, and the
/// store goes on.
pub async fn futures_may_be_dropped_at_any_point(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut n_seen = 0;
    for n_polls in 0..60 {
        give_up(&mut work(&*store, &space).boxed(), n_polls).await;
        in_time(subject, "a commit after an abandoned one", commit(&*store, &space, [put("a", "1", "1")]))
            .await?;
        let found = contents(&*store, &space).await?;
        let n_here = found.feed.iter().filter(|record| record.key.collection.as_str() == "work").count();
        assert!(n_here >= n_seen && n_here % 3 == 0, "{n_here} of 3 records are there after {n_polls} polls");
        assert_eq!(found.log.len(), n_here / 3, "the log and the records of a commit parted");
        n_seen = n_here;
    }
    Ok(())
}

/// One commit of three records and a log entry, reading on the way.
async fn work(store: &dyn Store, space: &SpaceId) -> Result<()> {
    let mut txn = store.write(space).await?;
    let entry = txn.head().log_head + 1;
    let ids = [0, 1, 2].map(|n| format!("{entry}-{n}"));
    let mut write = stamp(&mut *txn, ids.iter().map(|id| put("work", id, "1"))).await?;
    write.log = vec![log_entry(entry, txn.head().head)];
    txn.apply(&write).await?;
    txn.commit().await
}

/// Polls `future` as often as it asks for, and leaves it where it has to wait for the `n_polls`th time.
async fn give_up(future: &mut BoxFuture<'_, Result<()>>, mut n_polls: usize) {
    poll_fn(|cx| {
        if n_polls == 0 {
            return Poll::Ready(());
        }
        n_polls -= 1;
        let ended = future.poll_unpin(cx).map(drop);
        if n_polls == 0 { Poll::Ready(()) } else { ended }
    })
    .await;
}

/// A space with two records, a tombstone, a replica and a log entry.
async fn filled(subject: &dyn Subject) -> Result<(std::sync::Arc<dyn Store>, SpaceId, Contents)> {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), put("notes", "purged", "1"), put("notes", "gone", "1")])
        .await?;
    let mut txn = store.write(&space).await?;
    let mut write = stamp(&mut *txn, [delete("notes", "gone")]).await?;
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(1, write.head().map_or(Seq::ZERO, |commit| commit.last))];
    txn.apply(&write).await?;
    txn.commit().await?;
    let before = contents(&*store, &space).await?;
    Ok((store, space, before))
}

/// A write that does a bit of everything to a [`filled`] space.
async fn everything(txn: &mut dyn StoreTxn) -> Result<CommitWrite> {
    let changes = [put("notes", "1", "2"), delete("notes", "2"), put("notes", "gone", "\"back\"")];
    let mut write = stamp(txn, changes).await?;
    write.purges = vec![key("notes", "purged")];
    write.clients = vec![client_state("replica-1", 2)];
    write.log = vec![log_entry(2, txn.head().head)];
    Ok(write)
}
