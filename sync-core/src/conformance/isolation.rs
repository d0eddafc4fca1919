//! What readers see: one moment, and nothing that is not committed.

use futures_util::FutureExt;

use crate::conformance::look::whole_feed;
use crate::conformance::tasks::too_early;
use crate::conformance::{
    Contents, Subject, Verdict, client_id, client_state, commit, contents, delete, everything_after,
    fresh_space, in_time, key, log_entry, put, seq, stamp, stamp_at, whole_scan,
};
use crate::error::Result;
use crate::store::{CommitWrite, FeedQuery, Store, StoreExt, StoreTxn, StoreTxnExt};
use crate::types::{Seq, SpaceId};

/// A reader that began before a commit sees nothing of it: not in its head, records, feed, scan, replicas or commits.
pub async fn reads_come_from_one_moment(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), put("notes", "2", "2"), put("notes", "3", "3")]).await?;
    let before = contents(&*store, &space).await?;
    let mut reader = store.read(&space).await?;
    change_everything(&*store, &space).await?;
    assert_ne!(contents(&*store, &space).await?, before);
    still_sees(&mut *reader, &before).await?;
    reader.commit().await?;
    Ok(())
}

/// A reader that has read already still sees the same after a collection: its tombstones and commits stay.
pub async fn a_collection_takes_nothing_from_an_open_reader(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), delete("notes", "2")]).await?;
    commit(&*store, &space, [put("notes", "3", "1")]).await?;
    let before = contents(&*store, &space).await?;
    let mut reader = store.read(&space).await?;
    still_sees(&mut *reader, &before).await?;
    let mut txn = store.write(&space).await?;
    txn.collect(before.head.head, 100).await?;
    txn.commit().await?;
    still_sees(&mut *reader, &before).await?;
    Ok(())
}

/// What an open write transaction wrote is seen by no one else.
pub async fn uncommitted_writes_are_seen_by_no_one(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1"), put("notes", "2", "2")]).await?;
    let before = contents(&*store, &space).await?;
    let mut txn = store.write(&space).await?;
    let mut write = stamp(&mut *txn, [put("notes", "1", "2"), put("notes", "3", "3")]).await?;
    write.purges = vec![key("notes", "2")];
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(1, seq(1))];
    txn.apply(&write).await?;
    let seen = in_time(subject, "reading beside an open writer", contents(&*store, &space)).await?;
    assert_eq!(seen, before);
    txn.commit().await?;
    assert_ne!(contents(&*store, &space).await?, before);
    Ok(())
}

/// Whoever begins after a commit returned sees it.
pub async fn a_commit_is_seen_by_whoever_begins_after_it(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    for n in 1..=50 {
        let written = commit(&*store, &space, [put("notes", "1", &n.to_string())]).await?;
        let mut reader = store.read(&space).await?;
        assert_eq!(Some(reader.head().head), written.head().map(|commit| commit.last));
        assert_eq!(reader.records(&[key("notes", "1")]).await?, [written.records.first().cloned()]);
    }
    Ok(())
}

/// Beginning to read, and reading, never waits for an open writer.
pub async fn a_reader_never_waits_for_a_writer(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    let mut writer = store.write(&space).await?;
    let mut reader = in_time(subject, "beginning to read beside an open writer", store.read(&space)).await?;
    let write = stamp(&mut *writer, [put("notes", "1", "2")]).await?;
    writer.apply(&write).await?;
    let found =
        in_time(subject, "reading beside an open writer", reader.records(&[key("notes", "1")])).await?;
    assert_eq!(found[0].as_ref().map(|record| record.meta.version), Some(seq(1)));
    in_time(subject, "counting beside an open writer", store.stats(&space)).await?;
    Ok(())
}

/// A writer does not wait for readers either: it commits beside one that is open.
pub async fn an_open_reader_does_not_stop_a_writer(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut reader = store.read(&space).await?;
    assert_eq!(everything_after(&mut *reader, Seq::ZERO).await?, []);
    in_time(subject, "a commit beside an open reader", commit(&*store, &space, [put("notes", "1", "1")]))
        .await?;
    assert_eq!(everything_after(&mut *reader, Seq::ZERO).await?, []);
    Ok(())
}

/// While a writer is open, no position a reader can reach lies at or past the seqs it will commit; afterwards the
/// reader gets them.
pub async fn no_reader_passes_an_open_writer(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    let mut writer = store.write(&space).await?;
    let write = stamp_at(&mut *writer, seq(1_000), [put("notes", "2", "2")]).await?;
    writer.apply(&write).await?;
    // Where a second writer is let in, it commits here and moves the head past the first one.
    let mut overtaking = overtake(&*store, &space).boxed();
    too_early(subject, &mut overtaking).await;
    drop(overtaking);
    let mut reader = store.read(&space).await?;
    let position = reader.head().head;
    assert!(position < seq(1_000), "the head stands at {position}, past an open writer");
    let page = reader.feed(&FeedQuery { up_to: seq(2_000), ..whole_feed() }).await?;
    assert!(page.records.iter().all(|record| record.meta.version < seq(1_000)));
    drop(reader);
    writer.commit().await?;
    let mut reader = store.read(&space).await?;
    assert_eq!(everything_after(&mut *reader, position).await?, write.records);
    Ok(())
}

async fn overtake(store: &dyn Store, space: &SpaceId) -> Result<()> {
    let mut txn = store.write(space).await?;
    let write = stamp_at(&mut *txn, seq(2_000), [put("notes", "3", "3")]).await?;
    txn.apply(&write).await?;
    txn.commit().await
}

async fn still_sees(reader: &mut dyn StoreTxn, before: &Contents) -> Result<()> {
    assert_eq!(reader.head(), before.head);
    let keys: Vec<_> = before.records.iter().map(|record| record.key.clone()).collect();
    let records: Vec<_> = reader.records(&keys).await?.into_iter().flatten().collect();
    assert_eq!(records, before.records);
    assert_eq!(everything_after(reader, Seq::ZERO).await?, before.feed);
    assert_eq!(whole_scan(reader).await?, before.records);
    assert_eq!(reader.records(&[key("notes", "new")]).await?, [None]);
    assert_eq!(reader.client(&client_id("replica-1")).await?, None);
    assert_eq!(reader.commit_at(before.head.head).await?, before.commits.last().copied());
    let beyond = before.head.head.checked_add(1).unwrap_or(Seq::MAX);
    assert_eq!(reader.commit_at(beyond).await?, None);
    Ok(())
}

async fn change_everything(store: &dyn Store, space: &SpaceId) -> Result<()> {
    let mut txn = store.write(space).await?;
    let changes = [put("notes", "1", "9"), delete("notes", "2"), put("notes", "new", "9")];
    let mut write: CommitWrite = stamp(&mut *txn, changes).await?;
    write.purges = vec![key("notes", "3")];
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(1, seq(6))];
    txn.apply(&write).await?;
    txn.commit().await
}
