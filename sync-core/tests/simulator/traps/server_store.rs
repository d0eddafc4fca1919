//! Traps between a server and its disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use sync_core::simulator::{Dice, Hooks, Place, Process};
use sync_core::store::{
    ClientQuery, ClientState, Collected, CommitWrite, FeedQuery, Mode, Page, ScanQuery, Store,
};
use sync_core::{
    Clock, Error, ErrorKind, Outcome, Record, RecordKey, Result, Runtime, Seq, SpaceId, Version,
};

use super::store::{At, StoreTrap, TrappedStore};

/// How long a trap takes where others have to come in between.
const MEANWHILE: Duration = Duration::from_millis(200);

/// Hooks that put a trap before the disk of each server.
pub(super) fn before_the_disk<T: StoreTrap>(trap: impl Fn(&Place) -> T + Send + Sync + 'static) -> Hooks {
    Hooks::default().server_store(move |store, place| TrappedStore::front(store, trap(place)))
}

/// T1: rows become visible a moment after the head that counts them.
#[derive(Debug)]
pub(super) struct RowsAfterHead {
    process: Process,
    written: Arc<Mutex<BTreeMap<(RecordKey, Version), Duration>>>,
}

impl RowsAfterHead {
    const LAG: Duration = Duration::from_millis(20);

    pub(super) fn hooks() -> Hooks {
        let written = Arc::default();
        before_the_disk(move |place| Self { process: place.process.clone(), written: Arc::clone(&written) })
    }
}

#[async_trait]
impl StoreTrap for RowsAfterHead {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        let mut page = at.txn.feed(query).await?;
        let (now, written) = (self.process.elapsed(), self.written.lock().unwrap());
        page.records.retain(|record| {
            let written = written.get(&(record.key.clone(), record.meta.version));
            written.is_none_or(|written| now >= *written + Self::LAG)
        });
        Ok(page)
    }

    fn committed(&self, _space: &SpaceId, written: &[CommitWrite]) {
        let now = self.process.elapsed();
        let rows = written.iter().flat_map(|write| &write.records);
        let rows = rows.map(|record| ((record.key.clone(), record.meta.version), now));
        self.written.lock().unwrap().extend(rows);
    }
}

/// T2: head, floor and commits are of one moment, and the rows of a page of a later one.
#[derive(Debug)]
pub(super) struct SeveralMoments {
    process: Process,
    dice: Dice,
}

impl SeveralMoments {
    /// How many of a thousand pages take so long that tombstones can be collected meanwhile.
    const SLOW_PER_MILLE: u32 = 150;
    const LONG: Duration = Duration::from_millis(2500);

    pub(super) fn hooks() -> Hooks {
        before_the_disk(|place| Self { process: place.process.clone(), dice: place.dice.fork() })
    }
}

#[async_trait]
impl StoreTrap for SeveralMoments {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        if self.dice.chance(Self::SLOW_PER_MILLE) {
            self.process.sleep(Self::LONG).await;
        }
        at.store.begin(&at.space, Mode::Read).await?.feed(query).await
    }
}

/// T3: the feed goes on after the whole commit in which a cursor lies, as if its changes had one stamp.
#[derive(Debug)]
pub(super) struct OneStampPerCommit;

#[async_trait]
impl StoreTrap for OneStampPerCommit {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        let mut query = query.clone();
        let commit = at.txn.commits(query.after, 1).await?.pop();
        if let Some(commit) = commit.filter(|commit| commit.first <= query.after) {
            query.after = commit.last;
        }
        at.txn.feed(&query).await
    }
}

/// T4: changes are stamped with what the clock shows, also when it shows less than the head.
#[derive(Debug)]
pub(super) struct StampedByTheClock(Process);

impl StampedByTheClock {
    pub(super) fn hooks() -> Hooks {
        before_the_disk(|place| Self(place.process.clone()))
    }
}

#[async_trait]
impl StoreTrap for StampedByTheClock {
    async fn begin(&self, store: &Arc<dyn Store>, space: &SpaceId, mode: Mode) -> Result<At> {
        let mut at = At::begin(store, space, mode).await?;
        if mode == Mode::Write {
            let now = Seq::new(self.0.now().as_micros() - 1).unwrap_or_default();
            at.head.head = at.head.head.min(now);
        }
        Ok(at)
    }
}

/// T9: stored answers are read as if everything had gone well.
#[derive(Debug)]
pub(super) struct AllIsWell;

fn is_well(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Merged { version, .. } | Outcome::Conflict { version, .. } => {
            Outcome::Applied { version, revision: 1 }
        }
        outcome => outcome,
    }
}

#[async_trait]
impl StoreTrap for AllIsWell {
    async fn clients(&self, at: &mut At, query: ClientQuery<'_>) -> Result<Vec<ClientState>> {
        let mut clients = at.txn.clients(query).await?;
        for client in &mut clients {
            let stored: Vec<Outcome> = serde_json::from_str(&client.answer).unwrap();
            let told: Vec<Outcome> = stored.into_iter().map(is_well).collect();
            client.answer = serde_json::to_string(&told).unwrap();
        }
        Ok(clients)
    }
}

/// T13: a writer looks for rows before it has the lock. There is nothing to lock where there is no row yet.
#[derive(Debug)]
pub(super) struct LooksBeforeItLocks(Process);

impl LooksBeforeItLocks {
    pub(super) fn hooks() -> Hooks {
        before_the_disk(|place| Self(place.process.clone()))
    }
}

#[async_trait]
impl StoreTrap for LooksBeforeItLocks {
    async fn begin(&self, store: &Arc<dyn Store>, space: &SpaceId, mode: Mode) -> Result<At> {
        if mode == Mode::Read {
            return At::begin(store, space, mode).await;
        }
        let earlier = store.begin(space, Mode::Read).await?;
        self.0.sleep(MEANWHILE).await;
        Ok(At { earlier: Some(earlier), ..At::begin(store, space, mode).await? })
    }

    async fn records(&self, at: &mut At, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        let now = at.txn.records(keys).await?;
        let Some(earlier) = &mut at.earlier else { return Ok(now) };
        let earlier = earlier.records(keys).await?;
        Ok(earlier.into_iter().zip(now).map(|(earlier, now)| earlier.and(now)).collect())
    }
}

/// T15: tombstones go, and the floor stays where it was.
#[derive(Debug)]
pub(super) struct FloorStays;

#[async_trait]
impl StoreTrap for FloorStays {
    async fn collect(&self, at: &mut At, floor: Seq, limit: usize) -> Result<Collected> {
        let query = FeedQuery {
            after: Seq::ZERO,
            up_to: floor,
            collections: None,
            rows_max: usize::MAX,
            bytes_max: usize::MAX,
        };
        let old = at.txn.feed(&query).await?.records.into_iter().filter(Record::is_deleted);
        let purges: Vec<RecordKey> = old.map(|record| record.key).take(limit).collect();
        let (n_removed, more) = (purges.len(), purges.len() == limit);
        at.txn.apply(&CommitWrite { purges, ..CommitWrite::default() }).await?;
        Ok(Collected { n_removed, more })
    }
}

/// T19: the feed is a log of all changes, of which none ever goes.
#[derive(Debug)]
pub(super) struct LogOfAllChanges(Arc<Mutex<BTreeMap<(SpaceId, Seq), Record>>>);

impl LogOfAllChanges {
    pub(super) fn hooks() -> Hooks {
        let log = Arc::default();
        before_the_disk(move |_place| Self(Arc::clone(&log)))
    }
}

#[async_trait]
impl StoreTrap for LogOfAllChanges {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        // What was committed a moment ago may not be in the log yet.
        let now = at.txn.feed(query).await?;
        let to = now.records.last().filter(|_| now.more).map_or(query.up_to, |record| record.meta.version);
        let from = query.after.checked_add(1).unwrap_or(Seq::MAX);
        let log = self.0.lock().unwrap();
        let then = log.range((at.space.clone(), from)..=(at.space.clone(), to));
        let is_asked = |record: &Record| {
            query.collections.as_ref().is_none_or(|names| names.contains(&record.key.collection))
        };
        let mut records: BTreeMap<Seq, Record> = then
            .filter(|(_, record)| is_asked(record))
            .map(|((_, seq), record)| (*seq, record.clone()))
            .collect();
        records.extend(now.records.into_iter().map(|record| (record.meta.version, record)));
        let mut page = Page::cut(records.into_values().collect(), query.rows_max, query.bytes_max);
        page.more |= now.more;
        Ok(page)
    }

    fn committed(&self, space: &SpaceId, written: &[CommitWrite]) {
        let rows = written.iter().flat_map(|write| &write.records);
        let rows = rows.map(|record| ((space.clone(), record.meta.version), record.clone()));
        self.0.lock().unwrap().extend(rows);
    }
}

/// T29: one record cannot be read any more, and with it nothing that it is read with.
#[derive(Debug)]
pub(super) struct OneIsDamaged;

impl OneIsDamaged {
    /// From this revision on: by then everyone has read it, and has to read it again.
    const FROM: i64 = 3;

    fn readable(page: Page) -> Result<Page> {
        let is_damaged = |record: &Record| {
            let Record { key, meta, .. } = record;
            (key.collection.as_str(), key.id.as_str()) == ("counters", "c0") && meta.revision >= Self::FROM
        };
        match page.records.iter().any(is_damaged) {
            true => Err(Error::new(ErrorKind::Corrupt, "the content of a record cannot be read")),
            false => Ok(page),
        }
    }
}

#[async_trait]
impl StoreTrap for OneIsDamaged {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        Self::readable(at.txn.feed(query).await?)
    }

    async fn scan(&self, at: &mut At, query: &ScanQuery) -> Result<Page> {
        Self::readable(at.txn.scan(query).await?)
    }
}

/// T31: a page begins after as many rows as were read before it, not after the last one.
#[derive(Debug)]
pub(super) struct PagesByOffset(Arc<Mutex<BTreeMap<(SpaceId, Seq), usize>>>);

impl PagesByOffset {
    pub(super) fn hooks() -> Hooks {
        let offsets = Arc::default();
        before_the_disk(move |_place| Self(Arc::clone(&offsets)))
    }
}

#[async_trait]
impl StoreTrap for PagesByOffset {
    async fn feed(&self, at: &mut At, query: &FeedQuery) -> Result<Page> {
        let all =
            FeedQuery { after: Seq::ZERO, rows_max: usize::MAX, bytes_max: usize::MAX, ..query.clone() };
        let all = at.txn.feed(&all).await?.records;
        let n_passed = all.iter().filter(|record| record.meta.version <= query.after).count();
        let mut offsets = self.0.lock().unwrap();
        let offset = offsets.get(&(at.space.clone(), query.after)).copied().unwrap_or(n_passed);
        let rest = all.into_iter().skip(offset.max(n_passed)).collect();
        let page = Page::cut(rest, query.rows_max, query.bytes_max);
        if let Some(last) = page.records.last().filter(|_| page.more) {
            offsets.insert((at.space.clone(), last.meta.version), offset + page.records.len());
        }
        Ok(page)
    }
}
