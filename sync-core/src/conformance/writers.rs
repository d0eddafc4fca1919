//! One writer at a time: who waits, for whom, and who is let in next.

use crate::conformance::tasks::too_early;
use crate::conformance::{
    Subject, Verdict, commit, contents, fresh_space, in_time, is_contended, put, seq, stamp,
};
use crate::error::Result;
use crate::store::{StoreExt, StoreTxn};

/// While a write transaction is open a second one waits (or gives up with an error that says so), and then sees what
/// the first one committed.
pub async fn a_second_writer_waits_for_the_first(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut first = store.write(&space).await?;
    let mut waiting = store.write(&space);
    let early = too_early(subject, &mut waiting).await;
    assert_not_let_in(&early);
    let write = stamp(&mut *first, [put("notes", "1", "1")]).await?;
    first.apply(&write).await?;
    first.commit().await?;
    let second = match early {
        None => in_time(subject, "the second writer after the first", waiting).await?,
        Some(_) => store.write(&space).await?,
    };
    assert_eq!(second.head().head, seq(1), "the second writer does not see what the first one committed");
    Ok(())
}

/// A writer that is dropped lets the next one in, which sees nothing of it.
pub async fn a_dropped_writer_lets_the_next_one_in(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut first = store.write(&space).await?;
    let write = stamp(&mut *first, [put("notes", "1", "1")]).await?;
    first.apply(&write).await?;
    let mut waiting = store.write(&space);
    let early = too_early(subject, &mut waiting).await;
    assert_not_let_in(&early);
    drop(first);
    let mut second = match early {
        None => in_time(subject, "the writer after a dropped one", waiting).await?,
        Some(_) => in_time(subject, "the writer after a dropped one", store.write(&space)).await?,
    };
    assert_eq!(second.head().head, seq(0));
    assert_eq!(second.records(&[write.records[0].key.clone()]).await?, [None]);
    Ok(())
}

/// A writer whose transaction failed lets the next one in.
pub async fn a_failed_writer_lets_the_next_one_in(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let mut reader = store.read(&space).await?;
    let write = stamp(&mut *reader, [put("notes", "1", "1")]).await?;
    assert!(reader.apply(&write).await.is_err(), "a transaction begun for reading has written");
    assert!(reader.commit().await.is_err(), "a transaction that failed has committed");
    in_time(subject, "a commit after a failed one", commit(&*store, &space, [put("notes", "2", "2")]))
        .await?;
    assert_eq!(contents(&*store, &space).await?.records.len(), 1);
    Ok(())
}

/// A writer that gave up waiting blocks no one after it.
pub async fn a_writer_that_gave_up_waiting_blocks_no_one(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let first = store.write(&space).await?;
    for _ in 0..5 {
        let mut waiting = store.write(&space);
        assert_not_let_in(&too_early(subject, &mut waiting).await);
    }
    first.commit().await?;
    in_time(subject, "a commit after some gave up", commit(&*store, &space, [put("notes", "1", "1")]))
        .await?;
    Ok(())
}

fn assert_not_let_in(early: &Option<Result<Box<dyn StoreTxn>>>) {
    match early {
        None => {}
        Some(Ok(_)) => panic!("two write transactions are open on one space"),
        Some(Err(error)) => assert!(is_contended(error), "waiting failed with {:?}: {error}", error.kind()),
    }
}
