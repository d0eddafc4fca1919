//! Spaces come and go: creating, deleting, listing, and sharing nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;

use crate::conformance::look::all_records;
use crate::conformance::races::patiently;
use crate::conformance::tasks::too_early;
use crate::conformance::{
    Model, Subject, Verdict, client_id, client_state, commit, commit_write, contents, delete, epoch,
    fresh_space, in_parallel, in_time, is_contended, key, log_entry, put, sample, space_id, stamp,
    whole_scan,
};
use crate::error::{ErrorKind, Result};
use crate::store::{CommitWrite, Mode, SpaceHead, SpaceStats, Store, StoreExt, StoreTxnExt};
use crate::types::{Seq, SpaceId, Tag};

/// A new space has the epoch it was given, stands at zero and holds nothing.
pub async fn a_new_space_is_empty_and_stands_at_zero(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let found = contents(&*store, &space).await?;
    let zero = SpaceHead { epoch: epoch(1), head: Seq::ZERO, tag: Tag::ZERO, floor: Seq::ZERO, log_head: 0 };
    assert_eq!(found.head, zero);
    assert_eq!((found.records, found.feed, found.commits), (vec![], vec![], vec![]));
    assert_eq!((found.stats, found.log), (SpaceStats::default(), vec![]));
    Ok(())
}

/// A store that serves says so when it is asked, with and without a space in it.
pub async fn a_store_that_serves_says_that_it_can(subject: &dyn Subject) -> Verdict {
    let store = subject.store();
    store.check().await?;
    store.create_space(&space_id("family"), epoch(1)).await?;
    store.check().await?;
    Ok(())
}

/// Creating a space that is there is refused and changes nothing of it.
pub async fn a_space_is_created_only_once(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    let before = contents(&*store, &space).await?;
    let refused = store.create_space(&space, epoch(2)).await.map_err(|error| error.kind());
    assert_eq!(refused, Err(ErrorKind::AlreadyExists));
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// Of many who create the same space at once, one succeeds, and the space has the epoch of that one.
pub async fn of_many_creators_at_once_one_succeeds(subject: &dyn Subject) -> Verdict {
    let space = space_id("family");
    let create = |n: u8| {
        let (store, space) = (subject.store(), space.clone());
        async move { store.create_space(&space, epoch(n)).await.map(|()| epoch(n)) }
    };
    let (created, refused): (Vec<_>, Vec<_>) =
        in_parallel(subject, (1..=8).map(create)).await.into_iter().partition(Result::is_ok);
    assert_eq!((created.len(), refused.len()), (1, 7));
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }
    let head = subject.store().read(&space).await?.head();
    assert!(created.into_iter().flatten().eq([head.epoch]));
    Ok(())
}

/// A space that was never created is not found by any method, and deleting it says so.
pub async fn a_missing_space_is_not_found(subject: &dyn Subject) -> Verdict {
    let (store, _) = fresh_space(subject).await?;
    let missing = space_id("familie");
    for mode in [Mode::Read, Mode::Write] {
        assert_eq!(store.begin(&missing, mode).await.err().map(|e| e.kind()), Some(ErrorKind::NotFound));
    }
    assert_eq!(store.stats(&missing).await.err().map(|e| e.kind()), Some(ErrorKind::NotFound));
    assert_eq!(store.log(&missing, None, 1).await.err().map(|e| e.kind()), Some(ErrorKind::NotFound));
    assert!(!store.has_space(&missing).await?);
    assert!(!store.delete_space(&missing).await?);
    Ok(())
}

/// Deleting removes the space and says that there was one; the second time it says that there was none.
pub async fn deleting_says_whether_there_was_a_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    assert!(store.delete_space(&space).await?);
    assert!(!store.has_space(&space).await?);
    assert_eq!(store.stats(&space).await.err().map(|e| e.kind()), Some(ErrorKind::NotFound));
    assert_eq!(store.spaces(None, 10).await?, []);
    assert!(!store.delete_space(&space).await?);
    Ok(())
}

/// Of many who delete the same space at once, one is told that there was one.
pub async fn of_many_deleters_at_once_one_is_told_so(subject: &dyn Subject) -> Verdict {
    let (_, space) = fresh_space(subject).await?;
    let delete = |_| {
        let (store, space) = (subject.store(), space.clone());
        async move { store.delete_space(&space).await }
    };
    let mut n_deleted = 0;
    for deleted in in_parallel(subject, (0..8).map(delete)).await {
        n_deleted += u8::from(deleted?);
    }
    assert_eq!(n_deleted, 1);
    Ok(())
}

/// A space created under the name of a deleted one has another epoch and nothing of the old content.
pub async fn a_space_created_again_shares_nothing_with_the_old_one(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    fill(&*store, &space, "old").await?;
    store.delete_space(&space).await?;
    store.create_space(&space, epoch(2)).await?;
    let found = contents(&*store, &space).await?;
    let zero = SpaceHead { epoch: epoch(2), head: Seq::ZERO, tag: Tag::ZERO, floor: Seq::ZERO, log_head: 0 };
    assert_eq!(found.head, zero);
    assert_eq!((found.records, found.commits), (vec![], vec![]), "records and commits the store still has");
    assert_eq!((found.log, found.clients), (vec![], vec![]), "log entries and replicas the store still has");
    assert_eq!(found.stats, SpaceStats::default(), "what the store still counts");
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.records(&[key("notes", "1"), key("notes", "2")]).await?, [None, None]);
    assert_eq!(txn.client(&client_id("replica-1")).await?, None);
    Ok(())
}

/// Deleting waits for the open write transaction of the space, whose commit still succeeds.
pub async fn deleting_waits_for_the_open_writer(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut txn = store.write(&space).await?;
    let write = stamp(&mut *txn, [put("notes", "1", "1")]).await?;
    txn.apply(&write).await?;
    let mut deleting = store.delete_space(&space);
    let early = too_early(subject, &mut deleting).await;
    assert!(!matches!(early, Some(Ok(_))), "the space was deleted under an open write transaction");
    txn.commit().await?;
    let deleted = match early {
        None => in_time(subject, "deleting after the writer", deleting).await?,
        Some(_) => store.delete_space(&space).await?,
    };
    assert!(deleted);
    assert!(!store.has_space(&space).await?);
    Ok(())
}

/// A writer that waits while its space is deleted is told so, or is let in before the deletion, which then waits for it.
pub async fn a_writer_never_gets_into_a_deleted_space(subject: &dyn Subject) -> Verdict {
    let store = subject.store();
    for round in 0..10 {
        let (space, deleted) = (space_id(&format!("s{round}")), Arc::new(AtomicBool::new(false)));
        store.create_space(&space, epoch(1)).await?;
        let open = store.write(&space).await?;
        let delete = delete_and_say_so(store.clone(), space.clone(), deleted.clone());
        let write = write_unless(store.clone(), space.clone(), deleted);
        let release = async move {
            drop(open);
            Ok(())
        };
        let tasks: [BoxFuture<'static, Result<()>>; 3] =
            [Box::pin(delete), Box::pin(write), Box::pin(release)];
        for ended in in_parallel(subject, tasks).await {
            ended?;
        }
        assert!(!store.has_space(&space).await?);
    }
    Ok(())
}

async fn delete_and_say_so(store: Arc<dyn Store>, space: SpaceId, deleted: Arc<AtomicBool>) -> Result<()> {
    while let Err(error) = store.delete_space(&space).await {
        if !is_contended(&error) {
            return Err(error);
        }
    }
    deleted.store(true, Ordering::SeqCst);
    Ok(())
}

async fn write_unless(store: Arc<dyn Store>, space: SpaceId, deleted: Arc<AtomicBool>) -> Result<()> {
    match patiently(|| store.write(&space)).await {
        Ok(mut txn) => {
            let write = stamp(&mut *txn, [put("notes", "1", "1")]).await?;
            txn.apply(&write).await?;
            assert!(!deleted.load(Ordering::SeqCst), "a writer got into a deleted space");
            txn.commit().await
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// A reader that began before its space was deleted sees all of it, or an error; never a part.
pub async fn a_reader_of_a_deleted_space_sees_all_of_it_or_an_error(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let model = sample(&*store, &space, 20, 1).await?;
    let mut reader = store.read(&space).await?;
    store.delete_space(&space).await?;
    store.create_space(&space, epoch(2)).await?;
    commit(&*store, &space, [put("notes", "1", "\"new\"")]).await?;
    if let Ok(found) = whole_scan(&mut *reader).await {
        assert_eq!(found, model.scan(&all_records()).records);
    }
    Ok(())
}

/// Spaces are listed ascending by the bytes of their names, after any name, at most as many as asked for.
pub async fn spaces_are_listed_ascending_by_bytes_page_by_page(subject: &dyn Subject) -> Verdict {
    let store = subject.store();
    let names = ["a_1", "a", "aa", "a-1", "b", "0", "a1", "10", "2", "z9", "a-", "a_", "ab"];
    for (n, name) in (1..).zip(names) {
        store.create_space(&space_id(name), epoch(n)).await?;
    }
    let mut sorted: Vec<SpaceId> = names.map(space_id).into();
    sorted.sort_unstable();
    for limit in [1, 2, 5, names.len(), usize::MAX] {
        let mut listed: Vec<SpaceId> = Vec::new();
        while let page = store.spaces(listed.last(), limit).await?
            && !page.is_empty()
        {
            assert!(page.len() <= limit);
            listed.extend(page);
        }
        assert_eq!(listed, sorted, "with pages of {limit}");
    }
    assert_eq!(store.spaces(Some(&space_id("a0")), 2).await?, [space_id("a1"), space_id("a_")]);
    assert_eq!(store.spaces(None, 0).await?, []);
    Ok(())
}

/// The same keys, replicas and log numbers in two spaces do not know of each other.
pub async fn spaces_never_meet(subject: &dyn Subject) -> Verdict {
    let store = subject.store();
    let spaces = [space_id("a"), space_id("a-b")];
    for (n, space) in (1..).zip(&spaces) {
        store.create_space(space, epoch(n)).await?;
        fill(&*store, space, space.as_str()).await?;
    }
    let before = contents(&*store, &spaces[0]).await?;
    assert_eq!((before.records.len(), before.clients.len(), before.log.len()), (2, 1, 1));
    assert_eq!(before.records[0].data.as_ref().map(|data| data.as_str()), Some("\"a\""));
    churn(&*store, &spaces[1]).await?;
    assert_eq!(contents(&*store, &spaces[0]).await?, before);
    assert!(store.delete_space(&spaces[1]).await?);
    assert_eq!(contents(&*store, &spaces[0]).await?, before);
    Ok(())
}

/// Changes, purges and collects everything in a space.
async fn churn(store: &dyn Store, space: &SpaceId) -> Verdict {
    let written = commit(store, space, [delete("notes", "1"), put("notes", "3", "3")]).await?;
    let purges = vec![key("notes", "2")];
    let clients = vec![client_state("replica-1", 9)];
    commit_write(store, space, &CommitWrite { purges, clients, ..CommitWrite::default() }).await?;
    let mut txn = store.write(space).await?;
    txn.collect(written.head().map_or(Seq::ZERO, |commit| commit.last), 100).await?;
    txn.commit().await?;
    Ok(())
}

/// Puts something of every kind into a space.
async fn fill(store: &dyn Store, space: &SpaceId, word: &str) -> Verdict {
    let mut txn = store.write(space).await?;
    let changes = [put("notes", "1", &format!("\"{word}\"")), delete("notes", "2")];
    let mut write = stamp(&mut *txn, changes).await?;
    let head = write.head().map_or(Seq::ZERO, |commit| commit.last);
    write.clients = vec![client_state("replica-1", 1)];
    write.log = vec![log_entry(1, head)];
    txn.apply(&write).await?;
    txn.commit().await?;
    let mut model = Model::default();
    model.apply(&write);
    assert_eq!(model.keys().len(), 2);
    Ok(())
}
