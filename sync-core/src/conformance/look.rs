//! Reads everything there is in a space, so that two moments can be compared whole.

use crate::error::Result;
use crate::store::{
    ClientQuery, ClientState, CommitInfo, FeedQuery, LogEntry, ScanQuery, SpaceHead, SpaceStats, Store,
    StoreExt, StoreTxn,
};
use crate::types::{Record, Seq, SpaceId};

/// Rows per page of these helpers: small enough that every test that looks at a space also pages.
const PAGE_ROWS: usize = 500;

/// All that a store says of one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Where it stands.
    pub head: SpaceHead,
    /// Its records and tombstones in the order of their keys.
    pub records: Vec<Record>,
    /// The same in the order of their versions.
    pub feed: Vec<Record>,
    /// Its commits, oldest first.
    pub commits: Vec<CommitInfo>,
    /// What is known of its replicas, by name.
    pub clients: Vec<ClientState>,
    /// Its counts.
    pub stats: SpaceStats,
    /// Its audit log, newest first.
    pub log: Vec<LogEntry>,
}

/// Reads a whole space in which nothing moves.
///
/// # Errors
///
/// Those of the store.
pub async fn contents(store: &dyn Store, space: &SpaceId) -> Result<Contents> {
    let mut txn = store.read(space).await?;
    let head = txn.head();
    let records = whole_scan(&mut *txn).await?;
    let feed = everything_after(&mut *txn, Seq::ZERO).await?;
    let commits = all_commits(&mut *txn).await?;
    let clients = all_clients(&mut *txn).await?;
    txn.commit().await?;
    let (stats, log) = (store.stats(space).await?, store.log(space, None, usize::MAX).await?);
    Ok(Contents { head, records, feed, commits, clients, stats, log })
}

/// A query for the whole feed in one page.
pub(super) fn whole_feed() -> FeedQuery {
    FeedQuery {
        after: Seq::ZERO,
        up_to: Seq::MAX,
        collections: None,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

/// A query for all records and tombstones in one page.
pub(super) fn all_records() -> ScanQuery {
    ScanQuery {
        collection: None,
        after: None,
        descending: false,
        tombstones: true,
        rows_max: usize::MAX,
        bytes_max: usize::MAX,
    }
}

/// The feed after `after` to its end, page by page.
///
/// # Errors
///
/// Those of the store.
///
/// # Panics
///
/// When a page says that there is more and is empty.
pub async fn everything_after(txn: &mut dyn StoreTxn, after: Seq) -> Result<Vec<Record>> {
    let mut query = FeedQuery { after, rows_max: PAGE_ROWS, ..whole_feed() };
    let mut all: Vec<Record> = Vec::new();
    loop {
        let page = txn.feed(&query).await?;
        all.extend(page.records);
        if !page.more {
            return Ok(all);
        }
        query.after = next_after(all.last().map(|record| record.meta.version), query.after);
    }
}

fn next_after(last: Option<Seq>, before: Seq) -> Seq {
    match last {
        Some(last) if last > before => last,
        _ => panic!("the feed after {before} says there is more and does not get on"),
    }
}

/// All records and tombstones in the order of their keys, page by page.
///
/// # Errors
///
/// Those of the store.
///
/// # Panics
///
/// When a page says that there is more and is empty.
pub async fn whole_scan(txn: &mut dyn StoreTxn) -> Result<Vec<Record>> {
    let mut query = ScanQuery { rows_max: PAGE_ROWS, ..all_records() };
    let mut all: Vec<Record> = Vec::new();
    loop {
        let page = txn.scan(&query).await?;
        all.extend(page.records);
        if !page.more {
            return Ok(all);
        }
        let last = all.last().map(|record| record.key.clone());
        assert!(
            last > query.after,
            "the scan after {:?} says there is more and does not get on",
            query.after
        );
        query.after = last;
    }
}

/// All commits, oldest first, page by page.
///
/// # Errors
///
/// Those of the store.
///
/// # Panics
///
/// When a page begins before where it was asked to.
pub async fn all_commits(txn: &mut dyn StoreTxn) -> Result<Vec<CommitInfo>> {
    let mut all: Vec<CommitInfo> = Vec::new();
    let mut next = Some(Seq::ZERO);
    while let Some(from) = next {
        let page = txn.commits(from, PAGE_ROWS).await?;
        assert!(
            page.first().is_none_or(|first| first.last >= from),
            "a commit from {from} on ends before it"
        );
        next =
            if page.len() < PAGE_ROWS { None } else { page.last().and_then(|last| last.last.checked_add(1)) };
        all.extend(page);
    }
    Ok(all)
}

async fn all_clients(txn: &mut dyn StoreTxn) -> Result<Vec<ClientState>> {
    let mut all: Vec<ClientState> = Vec::new();
    loop {
        let after = all.last().map(|last| &last.client);
        let page = txn.clients(ClientQuery::After(after, PAGE_ROWS)).await?;
        assert!(
            page.first().is_none_or(|first| Some(&first.client) > after),
            "replicas after {after:?} begin before it"
        );
        let is_last = page.len() < PAGE_ROWS;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
