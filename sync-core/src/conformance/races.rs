//! Many tasks at once, and a count at the end.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::conformance::{
    Change, Subject, Verdict, commit_write, contents, epoch, everything_after, fresh_space, in_parallel,
    is_contended, key, put, space_id, stamp,
};
use crate::error::Result;
use crate::runtime::Runtime;
use crate::store::{Store, StoreExt, StoreTxnExt};
use crate::types::{Seq, SpaceId};

/// How often a writer that is in the way of others tries again.
const TRIES_MAX: usize = 1_000;

/// Many tasks read a number and write it back one higher, each under its own write transaction: none is lost.
pub async fn no_increment_is_ever_lost(subject: &dyn Subject) -> Verdict {
    const N_TASKS: usize = 8;
    const N_ROUNDS: usize = 25;
    let (store, space) = fresh_space(subject).await?;
    let count = |_| {
        let (store, space, runtime) = (store.clone(), space.clone(), subject.runtime());
        async move {
            for _ in 0..N_ROUNDS {
                patiently(|| increment(&*store, &space, &*runtime)).await?;
            }
            Ok::<_, crate::Error>(())
        }
    };
    for ended in in_parallel(subject, (0..N_TASKS).map(count)).await {
        ended?;
    }
    let found = contents(&*store, &space).await?;
    let total = (N_TASKS * N_ROUNDS).to_string();
    assert_eq!(found.records[0].data.as_ref().map(|data| data.as_str()), Some(&*total));
    assert_eq!(found.records[0].meta.revision.to_string(), total);
    assert_eq!((found.head.head.to_string(), found.commits.len().to_string()), (total.clone(), total));
    Ok(())
}

async fn increment(store: &dyn Store, space: &SpaceId, runtime: &dyn Runtime) -> Result<()> {
    let mut txn = store.write(space).await?;
    let found = txn.records(&[key("counters", "1")]).await?;
    let number =
        found[0].as_ref().and_then(|record| record.data.as_ref()?.as_str().parse().ok()).unwrap_or(0);
    if number % 8 == 0 {
        // Gives the others time to read the same number, where nothing makes them wait.
        runtime.sleep(Duration::from_millis(1)).await;
    }
    let write = stamp(&mut *txn, [put("counters", "1", &i64::to_string(&(number + 1)))]).await?;
    txn.apply(&write).await?;
    txn.commit().await
}

/// Readers beside a writer that writes the same number into twelve records at a time never see two numbers.
pub async fn no_reader_ever_sees_half_a_commit(subject: &dyn Subject) -> Verdict {
    const N_COMMITS: usize = 60;
    let (store, space) = fresh_space(subject).await?;
    let done = Arc::new(AtomicBool::new(false));
    let writer: BoxFuture<'static, Result<()>> = {
        let (store, space, done) = (store.clone(), space.clone(), Done(done.clone()));
        Box::pin(async move {
            let _done = done;
            for n in 0..N_COMMITS {
                patiently(|| write_dozen(&*store, &space, n)).await?;
            }
            Ok(())
        })
    };
    let reader = |_| -> BoxFuture<'static, Result<()>> {
        let (store, space, done, runtime) = (store.clone(), space.clone(), done.clone(), subject.runtime());
        Box::pin(async move {
            while !done.load(Ordering::SeqCst) {
                sees_one_commit(&*store, &space).await?;
                runtime.sleep(Duration::from_micros(200)).await;
            }
            Ok(())
        })
    };
    for ended in in_parallel(subject, (0..4).map(reader).chain([writer])).await {
        ended?;
    }
    sees_one_commit(&*store, &space).await?;
    Ok(())
}

async fn write_dozen(store: &dyn Store, space: &SpaceId, n: usize) -> Result<()> {
    let mut txn = store.write(space).await?;
    let ids: Vec<String> = (0..12).map(|id| id.to_string()).collect();
    let write = stamp(&mut *txn, ids.iter().map(|id| put("notes", id, &n.to_string()))).await?;
    txn.apply(&write).await?;
    txn.commit().await
}

async fn sees_one_commit(store: &dyn Store, space: &SpaceId) -> Result<()> {
    let mut txn = store.read(space).await?;
    let head = txn.head();
    let found = everything_after(&mut *txn, Seq::ZERO).await?;
    let commit = txn.commit_at(head.head).await?;
    assert!(matches!(found.len(), 0 | 12), "{} of 12 records of a commit are there", found.len());
    assert!(found.iter().all(|record| record.data == found[0].data), "two commits are seen mixed");
    assert_eq!(found.last().map_or(Seq::ZERO, |record| record.meta.version), head.head);
    assert_eq!(commit.map_or(Seq::ZERO, |commit| commit.last), head.head);
    assert!(commit.is_none_or(|commit| commit.tag == head.tag));
    Ok(())
}

/// Writers of different spaces at the same time end up with their own content, and all of it.
pub async fn writers_of_different_spaces_do_not_disturb_each_other(subject: &dyn Subject) -> Verdict {
    const N_COMMITS: usize = 20;
    let store = subject.store();
    let spaces: Vec<SpaceId> = (0..6).map(|n| space_id(&format!("s{n}"))).collect();
    for (n, space) in (1..).zip(&spaces) {
        store.create_space(space, epoch(n)).await?;
    }
    let write = |space: &SpaceId| {
        let (store, space) = (store.clone(), space.clone());
        async move {
            for n in 0..N_COMMITS {
                patiently(|| write_own(&*store, &space, n)).await?;
            }
            Ok::<_, crate::Error>(())
        }
    };
    for ended in in_parallel(subject, spaces.iter().map(write)).await {
        ended?;
    }
    for space in &spaces {
        let found = contents(&*store, space).await?;
        assert_eq!((found.feed.len(), found.commits.len()), (N_COMMITS, N_COMMITS));
        let own = format!("\"{space}\"");
        assert!(
            found.feed.iter().all(|record| record.data.as_ref().is_some_and(|data| data.as_str() == own))
        );
    }
    Ok(())
}

async fn write_own(store: &dyn Store, space: &SpaceId, n: usize) -> Result<()> {
    let change: Change = put("notes", &n.to_string(), &format!("\"{space}\""));
    let mut txn = store.read(space).await?;
    let write = stamp(&mut *txn, [change]).await?;
    drop(txn);
    commit_write(store, space, &write).await
}

/// Tries again while another writer is in the way.
pub(super) async fn patiently<T, F: Future<Output = Result<T>>>(mut attempt: impl FnMut() -> F) -> Result<T> {
    for _ in 1..TRIES_MAX {
        match attempt().await {
            Err(error) if is_contended(&error) => {}
            ended => return ended,
        }
    }
    attempt().await
}

/// Says that a task is done, also when it panics.
struct Done(Arc<AtomicBool>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
