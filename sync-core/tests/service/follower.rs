//! Someone who follows a space and believes nothing, and a store that a test has its hands in.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use sync_core::protocol::{LiveFrame, PullPage, ResyncReason, Subscribe};
use sync_core::service::{Actor, Live, Service, ServiceBuilder, Subscription};
use sync_core::store::{LogEntry, MemoryStore, Mode, SpaceStats, Store, StoreTxn};
use sync_core::{Collection, Cursor, CursorToken, Epoch, Error, Record, RecordKey, Result, Seq, SpaceId};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::world::{World, actor};

/// After this long a subscription has got stuck: three times as long as the feed goes without being looked at.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// A reader, and what they have made of what they were given.
pub(crate) struct Follower {
    pub(crate) live: Subscription,
    /// The cursor they hold.
    pub(crate) cursor: Option<CursorToken>,
    /// All they know.
    pub(crate) state: BTreeMap<RecordKey, Record>,
    space: SpaceId,
}

impl Follower {
    /// Follows from a cursor, with nothing in hand.
    pub(crate) async fn after(world: &World, after: Option<CursorToken>) -> Self {
        Self::new(world, &actor("ada"), Subscribe { after, ..Subscribe::default() }).await
    }

    pub(crate) async fn new(world: &World, who: &Actor, subscribe: Subscribe) -> Self {
        let cursor = subscribe.after.clone();
        let live = world.service.subscribe(who, &world.space, subscribe).await.unwrap();
        Self { live, cursor, state: BTreeMap::new(), space: world.space.clone() }
    }

    /// Leaves, and comes back with the cursor they hold.
    pub(crate) async fn again(&mut self, service: &Service, collections: Option<Vec<Collection>>) {
        let subscribe = Subscribe { after: self.cursor.clone(), collections, receipt: None };
        self.live = service.subscribe(&actor("ada"), &self.space, subscribe).await.unwrap();
    }

    /// What comes next, whatever it is.
    pub(crate) async fn try_next(&mut self) -> Result<Live> {
        timeout(STUCK_AFTER, self.live.next()).await.expect("a subscription has got stuck")
    }

    /// The next frame, taken in.
    pub(crate) async fn next(&mut self) -> Arc<LiveFrame> {
        self.try_take().await.unwrap()
    }

    /// The next frame, taken in, unless there is an error.
    pub(crate) async fn try_take(&mut self) -> Result<Arc<LiveFrame>> {
        match self.try_next().await? {
            Live::Frame(frame) => Ok(self.take(frame)),
            Live::Resync(resync) => panic!("must load anew: {resync:?}"),
        }
    }

    /// The next frame, unless it takes so long; then what is on its way is dropped.
    pub(crate) async fn next_within(&mut self, wait: Duration) -> Option<Arc<LiveFrame>> {
        let Live::Frame(frame) = timeout(wait, self.live.next()).await.ok()?.unwrap() else { panic!() };
        Some(self.take(frame))
    }

    /// Frames until they know a version.
    pub(crate) async fn until(&mut self, version: Seq) {
        while self.newest() < version {
            self.next().await;
        }
    }

    /// Why they must load anew.
    pub(crate) async fn resync(&mut self) -> ResyncReason {
        match self.try_next().await.unwrap() {
            Live::Resync(resync) => resync.reason,
            Live::Frame(frame) => panic!("not told to load anew: {frame:?}"),
        }
    }

    /// What was reported instead of a frame.
    pub(crate) async fn error(&mut self) -> Error {
        self.try_next().await.expect_err("there should be nothing to tell")
    }

    pub(crate) fn newest(&self) -> Seq {
        self.state.values().map(|record| record.meta.version).max().unwrap_or(Seq::ZERO)
    }

    /// Takes a frame in: it begins where they stand, is in order, and is about what they do not know yet.
    fn take(&mut self, frame: Arc<LiveFrame>) -> Arc<LiveFrame> {
        assert_eq!((&frame.from, &frame.space), (&self.cursor, &self.space), "begins somewhere else");
        self.apply(&frame.page);
        assert_eq!(self.live.cursor(), self.cursor.as_ref());
        frame
    }

    /// Takes in what follows the cursor they hold.
    pub(crate) fn apply(&mut self, page: &PullPage) {
        let place = |token: &CursorToken| Cursor::decode(token, &self.space).unwrap();
        let from = self.cursor.as_ref().map(place);
        let (begin, to) = (from.map_or(Seq::ZERO, |from| from.seq), place(&page.cursor));
        assert!(begin <= to.seq && from.is_none_or(|from| from.seen <= to.seen), "{from:?} to {to:?}");
        assert!(page.head >= to.seq && (page.has_more || page.head == to.seq), "{page:?}");
        let mut last = begin;
        for record in &page.changes {
            let version = record.meta.version;
            assert!(last < version && version <= to.seq, "{version} after {last}");
            last = version;
            self.state.insert(record.key.clone(), record.clone());
        }
        self.cursor = Some(page.cursor.clone());
    }
}

/// Until everyone has done what there is to do at this moment.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A memory store that can be slowed down, stopped, made deaf, and exchanged while it is in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handled(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    store: Mutex<MemoryStore>,
    /// For the reading transactions, in the order in which they begin: what each needs before its snapshot, and after it.
    gates: Vec<Semaphore>,
    n_reads: AtomicUsize,
    /// Random waits of up to so many microseconds before and after each snapshot; 0 for none.
    delay_max: u64,
    random: AtomicU64,
    is_deaf: AtomicBool,
    /// Held by everyone who listens for hints.
    listening: Arc<()>,
}

impl Handled {
    /// The first `n` reading transactions wait for [`step`](Self::step).
    pub(crate) fn gated(store: &MemoryStore, n: usize) -> Self {
        let gates = (0..n).map(|_| Semaphore::new(0)).collect();
        Self(Arc::new(Hands { store: Mutex::new(store.clone()), gates, ..Hands::default() }))
    }

    /// Reading takes a random time.
    pub(crate) fn slow(store: &MemoryStore, delay_max: u64) -> Self {
        Self(Arc::new(Hands { store: Mutex::new(store.clone()), delay_max, ..Hands::default() }))
    }

    /// A world over it.
    pub(crate) async fn world(&self, set_up: impl FnOnce(ServiceBuilder) -> ServiceBuilder) -> World {
        let world = World::over(self.store(), Arc::new(self.clone()), set_up);
        world.service.create_space(&world.space).await.unwrap();
        world
    }

    /// Lets the `n`-th reading transaction get on: to its snapshot, and the second time beyond it.
    pub(crate) fn step(&self, n: usize) {
        self.0.gates[n].add_permits(1);
    }

    /// From now on it stands on other data: a backup that was restored under a running server.
    pub(crate) fn exchange(&self, store: MemoryStore) {
        *self.0.store.lock().unwrap() = store;
    }

    /// Whether those who listen from now on hear nothing.
    pub(crate) fn set_deaf(&self, is_deaf: bool) {
        self.0.is_deaf.store(is_deaf, Ordering::SeqCst);
    }

    /// How many listen for hints.
    pub(crate) fn n_listening(&self) -> usize {
        Arc::strong_count(&self.0.listening) - 1
    }

    /// How many reading transactions were begun.
    pub(crate) fn n_reads(&self) -> usize {
        self.0.n_reads.load(Ordering::SeqCst)
    }

    /// What it stands on now.
    pub(crate) fn store(&self) -> MemoryStore {
        self.0.store.lock().unwrap().clone()
    }

    async fn pause(&self, n: usize) {
        if let Some(gate) = self.0.gates.get(n) {
            gate.acquire().await.unwrap().forget();
        }
        if self.0.delay_max > 0 {
            let seed = self.0.random.fetch_add(1, Ordering::Relaxed);
            let micros = mix(seed) % self.0.delay_max;
            tokio::time::sleep(Duration::from_micros(micros)).await;
        }
    }
}

/// A random number from its place in a row of them (splitmix64).
pub(crate) fn mix(n: u64) -> u64 {
    let mut mixed = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[async_trait]
impl Store for Handled {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.store().create_space(space, epoch).await
    }

    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.store().delete_space(space).await
    }

    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.store().spaces(after, limit).await
    }

    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        if mode == Mode::Write {
            return self.store().begin(space, mode).await;
        }
        let n = self.0.n_reads.fetch_add(1, Ordering::SeqCst);
        self.pause(n).await;
        let txn = self.store().begin(space, mode).await;
        self.pause(n).await;
        txn
    }

    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.store().stats(space).await
    }

    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.store().log(space, before, limit).await
    }

    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        let listening = Arc::clone(&self.0.listening);
        if self.0.is_deaf.load(Ordering::SeqCst) {
            return futures_util::stream::pending().boxed();
        }
        let hints = self.store().hints(space);
        let held = move |head| {
            let _ = &listening;
            head
        };
        hints.map(held).boxed()
    }
}
