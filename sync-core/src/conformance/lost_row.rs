//! The race that loses rows, and the gate against it.
//!
//! ```text
//! writer A   begin, stamp 100 ─────────────── stalls ─────────────── commit 100
//! writer B              begin, stamp 101, commit 101
//! reader                                     reads 101, stands at 101 ─────── asks after 101: 100 is never seen
//! ```
//! A store in which B is let in while A is open, or in which A is stamped before it holds the space, skips rows now and
//! then and for ever. Here many writers run beside one that stalls, while readers page through the feed as clients do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::clock::{Clock, SystemClock};
use crate::conformance::look::whole_feed;
use crate::conformance::races::patiently;
use crate::conformance::{
    Change, Dice, Subject, Verdict, delete, fresh_space, in_parallel, put, stamp_at, whole_scan,
};
use crate::error::Result;
use crate::runtime::Runtime;
use crate::store::{FeedQuery, Page, Store, StoreExt};
use crate::types::{RecordKey, Seq, SpaceId};

const N_WRITERS: usize = 4;
const N_READERS: usize = 4;
/// Commits of each writer at least, unless `SYNC_RACE_ROUNDS` says otherwise: a lost row shows within a few, many make
/// sure.
const ROUNDS: usize = 60;
/// How many times as many commits a writer makes at most while another one still stalls.
const MORE: usize = 4;
/// How long the stalling writer keeps its transaction open at least: time for many commits where nothing makes them wait.
const STALL: Duration = Duration::from_millis(10);
/// How often every reader asks while the stalling writer stalls, however busy the machine is: once for what was there
/// before, and more for what should not be there.
const LAPS: usize = 3;
/// Pauses for which the stalling writer waits for that at most. 2,000: a second, for a store in which readers stand still.
const PAUSES_MAX: usize = 2000;
/// How long a reader that has everything waits before it asks again.
const PAUSE: Duration = Duration::from_micros(500);
/// The largest page of a reader. Small pages put many positions between the commits.
const PAGE_ROWS_MAX: usize = 7;

/// Every committed change, or a later one of the same record, reaches every reader that pages from the beginning;
/// positions only grow, and none ever passes a change that is not committed yet.
pub async fn no_committed_change_is_ever_skipped(subject: &dyn Subject) -> Verdict {
    let (store, space) = fresh_space(subject).await?;
    let rounds = std::env::var("SYNC_RACE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let race = Arc::new(Race::new(store, space, subject.runtime()));
    let writers = (0..N_WRITERS).map(|n| {
        // One writer stalls, and has a tenth of the work so that it does not decide how long the race takes.
        match n {
            0 => Box::pin(stall(Stalling(Writing(race.clone())), rounds.div_ceil(10)))
                as BoxFuture<'static, Result<Seen>>,
            _ => Box::pin(write(Writing(race.clone()), n, rounds)),
        }
    });
    let readers = (0..N_READERS).map(|n| Box::pin(read(race.clone(), n)) as BoxFuture<'static, Result<Seen>>);
    let ended = in_parallel(subject, writers.chain(readers)).await;
    for (n, seen) in ended.into_iter().skip(N_WRITERS).enumerate() {
        race.nothing_was_skipped(n, &seen?).await?;
    }
    Ok(())
}

/// The newest version of each record that someone has seen.
type Seen = BTreeMap<RecordKey, Seq>;

struct Race {
    store: Arc<dyn Store>,
    space: SpaceId,
    runtime: Arc<dyn Runtime>,
    /// Where each reader stands.
    positions: [AtomicI64; N_READERS],
    /// How often each reader has asked.
    laps: [AtomicUsize; N_READERS],
    /// Whether the stalling writer has ended: the others go on beside it.
    has_stalled: AtomicBool,
    /// How many writers are still at it.
    n_writing: AtomicUsize,
    committed: Mutex<Vec<(RecordKey, Seq)>>,
}

/// A writer at work; counted out when it ends, also by a panic.
struct Writing(Arc<Race>);

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.n_writing.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The one that stalls; the others need not go on when it ends.
struct Stalling(Writing);

impl Drop for Stalling {
    fn drop(&mut self) {
        self.0.0.has_stalled.store(true, Ordering::SeqCst);
    }
}

impl Race {
    fn new(store: Arc<dyn Store>, space: SpaceId, runtime: Arc<dyn Runtime>) -> Self {
        Self {
            store,
            space,
            runtime,
            positions: Default::default(),
            laps: Default::default(),
            has_stalled: AtomicBool::new(false),
            n_writing: AtomicUsize::new(N_WRITERS),
            committed: Mutex::default(),
        }
    }

    fn committed(&self) -> MutexGuard<'_, Vec<(RecordKey, Seq)>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called with changes stamped and not committed.
    fn no_reader_has_passed(&self, first: Seq) {
        for (n, position) in self.positions.iter().enumerate() {
            let position = position.load(Ordering::SeqCst);
            assert!(position < first.get(), "reader {n} stands at {position}, past the uncommitted {first}");
        }
    }

    /// Takes its time, and more where others get little.
    async fn stall(&self) {
        let laps = || self.laps.each_ref().map(|laps| laps.load(Ordering::SeqCst));
        let before = laps();
        self.runtime.sleep(STALL).await;
        for _ in 0..PAUSES_MAX {
            if laps().iter().zip(before).all(|(now, before)| *now >= before + LAPS) {
                return;
            }
            self.runtime.sleep(PAUSE).await;
        }
    }

    async fn nothing_was_skipped(&self, n: usize, seen: &Seen) -> Result<()> {
        for (key, version) in self.committed().iter() {
            let newest = seen.get(key);
            assert!(
                newest.is_some_and(|newest| newest >= version),
                "reader {n} never saw {key} at {version}, only {newest:?}"
            );
        }
        let mut txn = self.store.read(&self.space).await?;
        let there: Seen = whole_scan(&mut *txn)
            .await?
            .into_iter()
            .map(|record| (record.key, record.meta.version))
            .collect();
        assert!(*seen == there, "reader {n} ended with other versions than the store has");
        Ok(())
    }
}

/// Holds transactions open while the others are at work.
async fn stall(writing: Stalling, n_commits: usize) -> Result<Seen> {
    let dice = Dice::new(0);
    for round in 0..n_commits {
        let changes = changes(&dice, 0, round);
        patiently(|| write_once(&writing.0.0, changes.clone(), true)).await?;
    }
    Ok(Seen::new())
}

async fn write(writing: Writing, n: usize, n_commits: usize) -> Result<Seen> {
    let dice = Dice::new(u64::try_from(n).unwrap_or(0));
    for round in 0..n_commits * MORE {
        if round >= n_commits {
            // Only so that the one that stalls is not left alone.
            if writing.0.has_stalled.load(Ordering::SeqCst) {
                break;
            }
            writing.0.runtime.sleep(PAUSE).await;
        }
        let changes = changes(&dice, n, round);
        patiently(|| write_once(&writing.0, changes.clone(), false)).await?;
    }
    Ok(Seen::new())
}

async fn write_once(race: &Race, changes: Vec<Change>, stalls: bool) -> Result<()> {
    let mut txn = race.store.write(&race.space).await?;
    // What a service does: the clock where it is ahead, else the next number.
    let next = txn.head().head.checked_add(1).unwrap_or(Seq::MAX);
    let first = Seq::new(SystemClock.now().as_micros()).map_or(next, |now| now.max(next));
    let write = stamp_at(&mut *txn, first, changes).await?;
    txn.apply(&write).await?;
    if stalls {
        race.stall().await;
    }
    race.no_reader_has_passed(first);
    txn.commit().await?;
    race.committed().extend(write.records.into_iter().map(|record| (record.key, record.meta.version)));
    Ok(())
}

/// A record of its own, and one or two that all writers fight for.
fn changes(dice: &Dice, writer: usize, round: usize) -> Vec<Change> {
    let own = put("own", &format!("{writer}-{round}"), "1");
    let shared = (0..1 + dice.below(2)).map(|idx| {
        let id = (2 * dice.below(8) + idx).to_string();
        if dice.below(4) == 0 { delete("shared", &id) } else { put("shared", &id, &round.to_string()) }
    });
    shared.chain([own]).collect()
}

async fn read(race: Arc<Race>, n: usize) -> Result<Seen> {
    let (dice, mut position, mut seen) = (Dice::new(u64::try_from(n).unwrap_or(0)), Seq::ZERO, Seen::new());
    loop {
        // Asked before the head is read: if it holds, that head is the last one.
        let was_last = race.n_writing.load(Ordering::SeqCst) == 0;
        let mut txn = race.store.read(&race.space).await?;
        let head = txn.head().head;
        let rows_max = 1 + dice.below(PAGE_ROWS_MAX);
        let page = txn.feed(&FeedQuery { after: position, up_to: head, rows_max, ..whole_feed() }).await?;
        drop(txn);
        let more = page.more;
        position = take(&mut seen, page, position, head);
        race.positions[n].store(position.get(), Ordering::SeqCst);
        race.laps[n].fetch_add(1, Ordering::SeqCst);
        match (more, was_last) {
            (true, _) => {}
            (false, true) => return Ok(seen),
            (false, false) => race.runtime.sleep(PAUSE).await,
        }
    }
}

/// Takes a page over, as a replica does, and says where it leads.
fn take(seen: &mut Seen, page: Page, mut position: Seq, head: Seq) -> Seq {
    assert!(head >= position, "the head fell back from {position} to {head}");
    for record in page.records {
        let version = record.meta.version;
        assert!(
            version > position && version <= head,
            "{version} does not lie between {position} and {head}"
        );
        position = version;
        seen.insert(record.key, version);
    }
    if page.more { position } else { head }
}
