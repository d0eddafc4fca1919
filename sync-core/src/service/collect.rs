//! Collection of what nobody needs any more: tombstones, old log entries, settled conflicts, commit tags.

use crate::clock::Timestamp;
use crate::conflict::{Conflict, ConflictState};
use crate::error::Result;
use crate::service::stage::{Author, Stage};
use crate::service::{Inner, Service};
use crate::store::{CLIENTS_PAGE, ClientQuery, Collected, Mode, ScanQuery, StoreTxn};
use crate::types::{ActorId, Collection, Record, RecordKey, Seq, SpaceId};

/// What a collection did. One that only looked says how far the floor may rise, and counts nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// How far the floor has risen, or may rise.
    pub floor: Seq,
    /// Tombstones and log entries that went.
    pub n_removed: usize,
    /// Conflicts that had been settled by a policy and went.
    pub n_conflicts: usize,
}

impl Service {
    /// Raises the floor as far as the retention allows, and removes what lies below it, a bounded part at a time.
    ///
    /// The floor rises to the older of two positions: what was written before the retention began, and what every
    /// replica with a live lease has. It never passes the head. Replicas that were silent for longer are told to load a
    /// snapshot when they come back, and lose nothing. With `dry_run` nothing changes.
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) for a space that is not there, and what the store reports.
    pub async fn collect(&self, space: &SpaceId, dry_run: bool) -> Result<CollectReport> {
        let name = space.clone();
        let floor = self.run(move |inner| async move { next_floor(&inner, &name).await }).await?;
        let mut report = CollectReport { floor, ..CollectReport::default() };
        if dry_run {
            return Ok(report);
        }
        let mut after = None;
        loop {
            let (name, from) = (space.clone(), after.take());
            let dropped = self
                .run(move |inner| async move {
                    inner.retried(|| drop_settled(&inner, &name, floor, from.clone())).await
                })
                .await?;
            report.n_conflicts += dropped.n;
            match dropped.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        loop {
            let name = space.clone();
            let collected = self
                .run(move |inner| async move { inner.retried(|| collect_part(&inner, &name, floor)).await })
                .await?;
            report.n_removed += collected.n_removed;
            if !collected.more {
                return Ok(report);
            }
        }
    }
}

async fn collect_part(inner: &Inner, space: &SpaceId, floor: Seq) -> Result<Collected> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    let collected = txn.collect(floor, inner.limits.collect_max).await?;
    txn.commit().await?;
    Ok(collected)
}

/// How far the floor may rise: seqs are microsecond stamps, so an age is a position.
async fn next_floor(inner: &Inner, space: &SpaceId) -> Result<Seq> {
    let (now, limits) = (inner.clock.now(), &inner.limits);
    let mut txn = inner.store.begin(space, Mode::Read).await?;
    let head = txn.head();
    let by_age = Seq::new(now.saturating_sub(limits.retention).as_micros()).unwrap_or(Seq::ZERO);
    let acked = oldest_acked(txn.as_mut(), now.saturating_sub(limits.lease)).await?;
    let floor = acked.map_or(by_age, |acked| acked.min(by_age));
    Ok(floor.min(head.head).max(head.floor))
}

/// What every replica has that was heard of since `live_since`.
async fn oldest_acked(txn: &mut dyn StoreTxn, live_since: Timestamp) -> Result<Option<Seq>> {
    let (mut oldest, mut last) = (None, None);
    loop {
        let page = txn.clients(ClientQuery::After(last.as_ref(), CLIENTS_PAGE)).await?;
        // A replica that never said how far it is, and pulls without pushing, is served by the retention alone.
        let live = page.iter().filter(|client| client.seen_at >= live_since && client.acked > Seq::ZERO);
        oldest = live.map(|client| client.acked).chain(oldest).min();
        if page.len() < CLIENTS_PAGE {
            return Ok(oldest);
        }
        last = page.into_iter().next_back().map(|client| client.client);
    }
}

/// What became of a part of the conflicts.
struct Dropped {
    n: usize,
    /// Where the next part begins.
    next: Option<RecordKey>,
}

/// Deletes those of the conflicts after `after` that a policy had settled before the floor, a part at a time; their
/// tombstones go with a later collection.
async fn drop_settled(
    inner: &Inner,
    space: &SpaceId,
    floor: Seq,
    after: Option<RecordKey>,
) -> Result<Dropped> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    let query = ScanQuery {
        collection: Some(Collection::system(Collection::CONFLICTS)),
        after,
        descending: false,
        tombstones: false,
        rows_max: inner.limits.collect_max,
        bytes_max: inner.limits.page_bytes_max,
    };
    let page = txn.scan(&query).await?;
    let next = page.records.last().filter(|_| page.more).map(|record| record.key.clone());
    let settled =
        page.records.into_iter().filter(|record| is_settled(record) && record.meta.version <= floor);
    let (keys, records): (Vec<_>, Vec<_>) = settled.map(|record| (record.key.clone(), Some(record))).unzip();
    if keys.is_empty() {
        return Ok(Dropped { n: 0, next });
    }
    let now = inner.clock.now();
    let mut stage = Stage::new(txn.head(), now);
    stage.load(keys.clone(), records);
    let actor = ActorId::new("system").expect("a plain word is a valid actor");
    let author = Author { actor, client: None, now };
    for key in &keys {
        stage.write(key, None, now, &author)?;
    }
    txn.apply(&stage.into_commit()).await?;
    txn.commit().await?;
    Ok(Dropped { n: keys.len(), next })
}

/// Whether a record is a conflict that nobody has to decide. One that cannot be read stays for someone to look at.
fn is_settled(record: &Record) -> bool {
    let conflict = Conflict::from_record(record).ok().flatten();
    conflict.is_some_and(|conflict| conflict.body.state == ConflictState::Settled)
}
