//! Hints: who waits for a space is woken when it moves, and never told of what is not committed.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::conformance::{
    Subject, Verdict, commit, epoch, fresh_space, in_parallel, in_time, put, seq, space_id, stamp_at,
};
use crate::store::StoreExt;
use crate::types::Seq;

/// After a commit that moved the head, everyone who follows the space is woken with a head at or after it.
pub async fn a_commit_wakes_whoever_follows_its_space(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut followers = [store.hints(&space), store.hints(&space), store.hints(&space)];
    for n in 1..=5 {
        commit(&*store, &space, [put("notes", "1", "1")]).await?;
        for follower in &mut followers {
            assert_eq!(until(subject, follower, seq(n)).await, seq(n));
        }
    }
    Ok(())
}

/// Hints that were not looked at arrive later, if only as the newest one.
pub async fn moves_nobody_looked_at_arrive_as_the_newest(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut follower = store.hints(&space);
    for _ in 0..100 {
        commit(&*store, &space, [put("notes", "1", "1")]).await?;
    }
    assert_eq!(until(subject, &mut follower, seq(100)).await, seq(100));
    Ok(())
}

/// Nobody is told of a head that was not committed: not while its transaction is open, not after it was dropped.
pub async fn no_hint_tells_of_what_is_not_committed(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut follower = store.hints(&space);
    let mut txn = store.write(&space).await?;
    let write = stamp_at(&mut *txn, seq(1_000), [put("notes", "1", "1")]).await?;
    txn.apply(&write).await?;
    drop(txn);
    commit(&*store, &space, [put("notes", "2", "2")]).await?;
    // The commit is the newest thing there is, so whatever else was announced has arrived with it or before it.
    assert_eq!(until(subject, &mut follower, seq(1)).await, seq(1));
    Ok(())
}

/// Commits of other spaces wake no one.
pub async fn hints_of_spaces_never_meet(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let other = space_id("familie");
    store.create_space(&other, epoch(2)).await?;
    let mut follower = store.hints(&space);
    for _ in 0..10 {
        commit(&*store, &other, [put("notes", "1", "1")]).await?;
    }
    commit(&*store, &space, [put("notes", "1", "1")]).await?;
    assert_eq!(until(subject, &mut follower, seq(1)).await, seq(1));
    Ok(())
}

/// Whoever is woken with a head and begins to read sees that head, or a later one.
pub async fn a_hint_comes_after_its_commit(subject: &dyn Subject) -> Verdict {
    const N_COMMITS: i64 = 50;
    let (store, space) = fresh_space(subject).await?;
    let mut follower = store.hints(&space);
    let follow = {
        let (store, space) = (store.clone(), space.clone());
        async move {
            while let Some(hint) = follower.next().await {
                let head = store.read(&space).await?.head().head;
                assert!(head >= hint, "woken with {hint}, but the head is {head}");
                if hint >= seq(N_COMMITS) {
                    break;
                }
            }
            Ok::<_, crate::Error>(())
        }
    };
    let write = async move {
        for _ in 0..N_COMMITS {
            commit(&*store, &space, [put("notes", "1", "1")]).await?;
        }
        Ok(())
    };
    let tasks: [futures_util::future::BoxFuture<'static, _>; 2] = [Box::pin(follow), Box::pin(write)];
    for ended in in_parallel(subject, tasks).await {
        ended?;
    }
    Ok(())
}

/// The first hint at or after `head`; earlier ones that were not read yet are passed over.
pub(super) async fn until(subject: &dyn Subject, hints: &mut BoxStream<'static, Seq>, head: Seq) -> Seq {
    loop {
        let hint = in_time(subject, "waiting for a hint", hints.next()).await;
        let hint = hint.expect("hints end only with their store");
        if hint >= head {
            return hint;
        }
    }
}
