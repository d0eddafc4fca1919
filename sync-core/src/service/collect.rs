//! Collection of what nobody needs any more: tombstones, old log entries, settled conflicts, commit tags.

use crate::clock::Timestamp;
use crate::conflict::{Conflict, ConflictState};
use crate::error::Result;
use crate::service::stage::{Author, Stage};
use crate::service::{Inner, Limits, Service};
use crate::store::{ClientState, Mode, ScanQuery, StoreTxn};
use crate::types::{ActorId, Collection, RecordKey, Seq, SpaceId};

/// What a collection did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectReport {
    /// The floor after it.
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
        let name = space.clone();
        report.n_conflicts =
            self.run(move |inner| async move { drop_settled(&inner, &name, floor).await }).await?;
        loop {
            let name = space.clone();
            let collected = self
                .run(move |inner| async move {
                    let mut txn = inner.store.begin(&name, Mode::Write).await?;
                    let collected = txn.collect(floor, inner.limits.collect_max).await?;
                    txn.commit().await?;
                    Ok(collected)
                })
                .await?;
            report.n_removed += collected.n_removed;
            if !collected.more {
                return Ok(report);
            }
        }
    }
}

async fn next_floor(inner: &Inner, space: &SpaceId) -> Result<Seq> {
    let stats = inner.store.stats(space).await?;
    let head = inner.store.begin(space, Mode::Read).await?.head();
    let floor = floor_for(inner.clock.now(), &inner.limits, &stats.clients).min(head.head);
    Ok(floor.max(head.floor))
}

/// How far the floor may rise: seqs are microsecond stamps, so an age is a position.
fn floor_for(now: Timestamp, limits: &Limits, clients: &[ClientState]) -> Seq {
    let position = |at: Timestamp| Seq::new(at.as_micros()).unwrap_or(Seq::ZERO);
    let live_since = now.saturating_sub(limits.lease);
    let live = clients.iter().filter(|client| client.seen_at >= live_since);
    let acked = live.map(|client| client.acked).min();
    let by_age = position(now.saturating_sub(limits.retention));
    acked.map_or(by_age, |acked| acked.min(by_age))
}

/// Deletes conflicts that a policy had settled before the floor; their tombstones go with a later collection.
async fn drop_settled(inner: &Inner, space: &SpaceId, floor: Seq) -> Result<usize> {
    let mut txn = inner.store.begin(space, Mode::Write).await?;
    let keys = settled_before(txn.as_mut(), floor, inner.limits.collect_max).await?;
    if keys.is_empty() {
        return Ok(0);
    }
    let now = inner.clock.now();
    let records = txn.records(&keys).await?;
    let mut stage = Stage::new(txn.head(), now);
    stage.load(keys.clone(), records);
    let actor = ActorId::new("system").expect("a plain word is a valid actor");
    let author = Author { actor, client: None, now };
    for key in &keys {
        stage.write(key, None, now, &author)?;
    }
    txn.apply(&stage.into_commit()).await?;
    txn.commit().await?;
    Ok(keys.len())
}

async fn settled_before(txn: &mut dyn StoreTxn, floor: Seq, limit: usize) -> Result<Vec<RecordKey>> {
    let query = ScanQuery {
        collection: Some(Collection::system(Collection::CONFLICTS)),
        after: None,
        tombstones: false,
        rows_max: limit,
        bytes_max: 8 << 20,
    };
    let mut keys = Vec::new();
    for record in txn.scan(&query).await?.records {
        let settled =
            Conflict::from_record(&record)?.is_some_and(|it| it.body.state == ConflictState::Settled);
        if settled && record.meta.version <= floor {
            keys.push(record.key);
        }
    }
    Ok(keys)
}
