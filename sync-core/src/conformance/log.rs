//! The audit log: numbered without a gap, read newest first.

use crate::conformance::{Subject, Verdict, commit_write, fresh_space, log_entry, seq};
use crate::error::Result;
use crate::store::{CommitWrite, LogEntry, Store, StoreExt};
use crate::types::SpaceId;

/// `log_head` is the number of the newest entry, from zero on.
pub async fn log_head_is_the_number_of_the_newest_entry(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    assert_eq!(store.read(&space).await?.head().log_head, 0);
    write_log(&*store, &space, 1..=1).await?;
    assert_eq!(store.read(&space).await?.head().log_head, 1);
    write_log(&*store, &space, 2..=30).await?;
    assert_eq!(store.write(&space).await?.head().log_head, 30);
    Ok(())
}

/// Entries come newest first, below any number, at most as many as asked for.
pub async fn entries_come_newest_first(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    write_log(&*store, &space, 1..=10).await?;
    write_log(&*store, &space, 11..=12).await?;
    assert_eq!(numbers(&*store, &space, None, 3).await?, [12, 11, 10]);
    assert_eq!(numbers(&*store, &space, Some(3), 10).await?, [2, 1]);
    assert_eq!(numbers(&*store, &space, Some(12), 2).await?, [11, 10]);
    assert_eq!(numbers(&*store, &space, Some(i64::MAX), 1).await?, [12]);
    assert_eq!(numbers(&*store, &space, Some(1), 10).await?, [0; 0]);
    assert_eq!(numbers(&*store, &space, Some(i64::MIN), 10).await?, [0; 0]);
    assert_eq!(numbers(&*store, &space, None, 0).await?, [0; 0]);
    assert_eq!(numbers(&*store, &space, None, usize::MAX).await?.len(), 12);
    Ok(())
}

/// Pages of the log chained by number yield every entry once, as it was written.
pub async fn pages_of_the_log_are_gap_free(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let written = write_log(&*store, &space, 1..=25).await?;
    for limit in [1, 2, 7, 25, 26] {
        let (mut all, mut before): (Vec<LogEntry>, _) = (Vec::new(), None);
        while let page = store.log(&space, before, limit).await?
            && !page.is_empty()
        {
            before = page.last().map(|entry| entry.entry);
            all.extend(page);
        }
        all.reverse();
        assert_eq!(all, written, "with pages of {limit}");
    }
    Ok(())
}

async fn write_log(
    store: &dyn Store,
    space: &SpaceId,
    entries: std::ops::RangeInclusive<i64>,
) -> Result<Vec<LogEntry>> {
    let log: Vec<LogEntry> = entries.map(|n| log_entry(n, seq(n / 2))).collect();
    commit_write(store, space, &CommitWrite { log: log.clone(), ..CommitWrite::default() }).await?;
    Ok(log)
}

async fn numbers(store: &dyn Store, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<i64>> {
    Ok(store.log(space, before, limit).await?.into_iter().map(|entry| entry.entry).collect())
}
