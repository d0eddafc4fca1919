//! What is left after closing and opening again, and after damage.

use std::sync::Arc;

use crate::conformance::{
    Contents, Subject, Verdict, client_state, commit, commit_write, contents, epoch, everything_after,
    fresh_space, key, log_entry, put, sample, seq, space_id, stamp, whole_scan,
};
use crate::error::{ErrorKind, Result};
use crate::store::{CommitWrite, Store, StoreExt};
use crate::types::{Seq, SpaceId};

/// Everything that was committed is there after closing and opening again, to the last byte, and the space goes on
/// from where it stood.
pub async fn everything_survives_reopening(subject: &mut dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    sample(&*store, &space, 50, 9).await?;
    let (clients, log) =
        (vec![client_state("replica-1", 3)], (1..=5).map(|n| log_entry(n, seq(n))).collect());
    commit_write(&*store, &space, &CommitWrite { clients, log, ..CommitWrite::default() }).await?;
    let mut txn = store.write(&space).await?;
    txn.collect(seq(10), 100).await?;
    txn.commit().await?;
    let before = contents(&*store, &space).await?;
    assert_eq!(before.head.floor, seq(10));
    let Some(store) = reopened(subject, store).await? else { return Ok(()) };
    assert_eq!(contents(&*store, &space).await?, before);
    let written = commit(&*store, &space, [put("notes", "1", "\"after\"")]).await?;
    assert_eq!(written.head().map(|commit| commit.first), before.head.head.checked_add(1));
    Ok(())
}

/// Every space is there after closing and opening again, and the deleted ones are not.
pub async fn the_list_of_spaces_survives_reopening(subject: &mut dyn Subject) -> Verdict {
    let store = subject.store();
    let names: Vec<SpaceId> = (10..40).map(|n| space_id(&format!("s{n}"))).collect();
    for (n, name) in (0..).zip(&names) {
        store.create_space(name, epoch(n)).await?;
    }
    let (kept, deleted) = names.split_at(20);
    for name in deleted {
        assert!(store.delete_space(name).await?);
    }
    let Some(store) = reopened(subject, store).await? else { return Ok(()) };
    assert_eq!(store.spaces(None, 100).await?, kept);
    for (n, name) in (0..).zip(kept) {
        assert_eq!(store.read(name).await?.head().epoch, epoch(n));
    }
    assert!(!store.has_space(&deleted[0]).await?);
    Ok(())
}

/// A transaction that was open when the store closed left nothing.
pub async fn an_unfinished_transaction_does_not_survive_reopening(subject: &mut dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    let before = contents(&*store, &space).await?;
    let mut txn = store.write(&space).await?;
    let write = stamp(&mut *txn, [put("notes", "1", "2"), put("notes", "2", "2")]).await?;
    txn.apply(&write).await?;
    drop(txn);
    let Some(store) = reopened(subject, store).await? else { return Ok(()) };
    assert_eq!(contents(&*store, &space).await?, before);
    Ok(())
}

/// Seqs, tags and log numbers are the same after any number of openings: nothing is counted anew.
pub async fn a_space_goes_on_over_many_openings(subject: &mut dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut store = store;
    for n in 1..=4 {
        commit(&*store, &space, [put("notes", &n.to_string(), "1")]).await?;
        let before: Contents = contents(&*store, &space).await?;
        assert_eq!(before.head.head, seq(n));
        let Some(opened) = reopened(subject, store).await? else { return Ok(()) };
        assert_eq!(contents(&*opened, &space).await?, before);
        store = opened;
    }
    Ok(())
}

/// A damaged record is an error of kind `Corrupt` by every way of reading it, and never data; the others can still be
/// read, and a transaction that met it cannot commit.
pub async fn a_damaged_record_is_an_error_and_never_data(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let changes = [put("notes", "1", "\"sound\""), put("notes", "2", "\"to be damaged\"")];
    let written = commit(&*store, &space, changes).await?.records;
    if !subject.damage(&space, &key("notes", "2")).await? {
        return Ok(());
    }
    let store = subject.store();
    let corrupt = Some(ErrorKind::Corrupt);
    let mut txn = store.read(&space).await?;
    assert_eq!(everything_after(&mut *txn, Seq::ZERO).await.err().map(|e| e.kind()), corrupt);
    let mut txn = store.read(&space).await?;
    assert_eq!(whole_scan(&mut *txn).await.err().map(|e| e.kind()), corrupt);
    let mut txn = store.read(&space).await?;
    assert_eq!(txn.records(&[key("notes", "1")]).await?, [Some(written[0].clone())]);
    let mut txn = store.write(&space).await?;
    let met = txn.records(&[key("notes", "1"), key("notes", "2")]).await;
    assert_eq!(met.err().map(|e| e.kind()), corrupt);
    assert!(txn.commit().await.is_err(), "a transaction that met damage was committed");
    Ok(())
}

/// Closes and opens again, after letting go of the old store; `None` where nothing survives that.
async fn reopened(subject: &mut dyn Subject, old: Arc<dyn Store>) -> Result<Option<Arc<dyn Store>>> {
    drop(old);
    Ok(subject.reopen().await?.then(|| subject.store()))
}
