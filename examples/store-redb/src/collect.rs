//! What lies below the floor and goes: always the oldest first, so each loop looks at the first row and stops.

use redb::ReadableTable;
use sync_core::store::Collected;
use sync_core::{Record, Seq};

use crate::error::{Job, corrupt};
use crate::tables::{COMMITS, LOG};
use crate::view::View;
use crate::write::Records;

pub(crate) fn collect(view: &mut View, floor: Seq, limit: usize) -> Job<Collected> {
    view.head.floor = view.head.floor.max(floor);
    let floor = view.head.floor.get();
    let (n_tombstones, more_tombstones) = collect_tombstones(view, floor, limit)?;
    let (n_entries, more_entries) = collect_log(view, floor, limit)?;
    let more_commits = collect_commits(view, floor, limit)?;
    view.store_head()?;
    Ok(Collected {
        n_removed: n_tombstones + n_entries,
        more: more_tombstones || more_entries || more_commits,
    })
}

/// How many went, and whether more would.
fn collect_tombstones(view: &View, floor: i64, limit: usize) -> Job<(usize, bool)> {
    let mut records = Records::open(view)?;
    let mut n = 0;
    while let Some((version, key)) = records.oldest_tombstone()?.filter(|(version, _)| *version <= floor) {
        if n == limit {
            return Ok((n, true));
        }
        // A live record must not go, and an entry that stays would be the oldest for ever.
        let is_it = |old: Record| old.is_deleted() && old.meta.version.get() == version;
        if !records.remove(&key)?.is_some_and(is_it) {
            return Err(corrupt(format!("record {key} is not the tombstone that it is listed as")).into());
        }
        n += 1;
    }
    Ok((n, false))
}

fn collect_log(view: &View, floor: i64, limit: usize) -> Job<(usize, bool)> {
    let mut log = view.table_mut(LOG)?;
    let mut n = 0;
    while log.first()?.is_some_and(|(_, entry)| entry.value().0 <= floor) {
        if n == limit {
            return Ok((n, true));
        }
        log.pop_first()?;
        n += 1;
    }
    Ok((n, false))
}

/// The commit that ends at the floor stays: a cursor there is compared with its tag.
fn collect_commits(view: &View, floor: i64, limit: usize) -> Job<bool> {
    let mut commits = view.table_mut(COMMITS)?;
    let mut n = 0;
    while commits.first()?.is_some_and(|(last, _)| last.value() < floor) {
        if n == limit {
            return Ok(true);
        }
        commits.pop_first()?;
        n += 1;
    }
    Ok(false)
}
