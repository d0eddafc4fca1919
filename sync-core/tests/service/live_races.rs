//! Following a space while everything moves: I3, I4 and I5 for those who come, go, and stop listening at any moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, Subscribe};
use sync_core::service::Actor;
use sync_core::store::MemoryStore;
use sync_core::{Collection, Mutation, RecordId, RecordKey};
use tokio::time::{Instant, sleep, timeout};

use crate::follower::{Follower, Handled, mix, settle};
use crate::world::{World, actor, create, json as content};

const N_WRITERS: u64 = 4;
const N_READERS: u64 = 6;
const N_PUSHES: u64 = 80;

/// Numbers from a seed.
struct Random(AtomicU64);

impl Random {
    fn new(seed: u64, who: u64) -> Self {
        Self(AtomicU64::new(mix(seed ^ (who << 32))))
    }

    fn below(&self, end: u64) -> u64 {
        mix(self.0.fetch_add(1, Ordering::Relaxed)) % end
    }

    fn micros(&self, end: u64) -> Duration {
        Duration::from_micros(self.below(end))
    }
}

fn collection(n: u64) -> Collection {
    Collection::new(format!("c{n}")).unwrap()
}

/// A change of one of a few records, so that many change more than once.
fn change(random: &Random) -> Mutation {
    let id = RecordId::new(random.below(40).to_string()).unwrap();
    let key = RecordKey::new(collection(random.below(3)), id);
    if random.below(4) == 0 {
        Mutation::delete(key)
    } else {
        Mutation::put(key, content(json!(random.below(1_000_000))))
    }
}

async fn write(world: &World, random: Random) {
    for n in 0..N_PUSHES {
        // Sometimes more than a frame holds.
        let n_changes = if n == N_PUSHES / 2 { 400 } else { 1 + random.below(8) };
        world.push((0..n_changes).map(|_| change(&random)).collect()).await;
        sleep(random.micros(4_000)).await;
    }
}

/// Follows until the writers have stopped, leaving and coming back, and listening now and then.
async fn read(world: &World, random: Random, is_over: &AtomicBool) -> (Follower, Option<Vec<Collection>>) {
    let collections = (random.below(2) == 0).then(|| vec![collection(random.below(3)), collection(0)]);
    let subscribe = Subscribe { collections: collections.clone(), ..Subscribe::default() };
    let mut reader = Follower::new(world, &actor("ada"), subscribe).await;
    while !is_over.load(Ordering::SeqCst) {
        match random.below(12) {
            0 => reader.again(&world.service, collections.clone()).await,
            1 => pull(world, &mut reader, &collections, &random).await,
            2 => sleep(random.micros(30_000)).await,
            3..=7 => drop(reader.next_within(random.micros(300)).await),
            _ => drop(reader.next_within(random.micros(20_000)).await),
        }
    }
    (reader, collections)
}

/// Goes on by pulling, and follows from where that leads.
async fn pull(world: &World, reader: &mut Follower, collections: &Option<Vec<Collection>>, random: &Random) {
    for _ in 0..random.below(4) {
        let limit = Some(1 + random.below(30) as usize);
        let (after, collections) = (reader.cursor.clone(), collections.clone());
        let request = PullRequest { after, limit, collections, ..PullRequest::default() };
        let PullReply::Page(page) = world.pull(request).await else { panic!("a frame's cursor was refused") };
        reader.apply(&page);
    }
    reader.again(&world.service, collections.clone()).await;
}

/// Many writers, and many readers who begin anywhere: in the end each knows what one knows who pulls from the beginning.
async fn everyone_knows_everything(world: World, seed: u64) {
    let (world, is_over) = (Arc::new(world), Arc::new(AtomicBool::new(false)));
    let readers: Vec<_> = (0..N_READERS)
        .map(|n| {
            let (world, is_over) = (Arc::clone(&world), Arc::clone(&is_over));
            tokio::spawn(async move { read(&world, Random::new(seed, 100 + n), &is_over).await })
        })
        .collect();
    let writers = (0..N_WRITERS).map(|n| {
        let world = Arc::clone(&world);
        tokio::spawn(async move { write(&world, Random::new(seed, n)).await })
    });
    for writer in join_all(writers.collect::<Vec<_>>()).await {
        writer.unwrap();
    }
    is_over.store(true, Ordering::SeqCst);
    let all = world.state().await;
    for reader in join_all(readers).await {
        let (mut reader, collections) = reader.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let mut expected = all.clone();
        expected.retain(|key, _| collections.as_ref().is_none_or(|only| only.contains(&key.collection)));
        let newest = expected.values().map(|record| record.meta.version).max().unwrap();
        reader.until(newest).await;
        assert_eq!(reader.state, expected, "seed {seed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_follows_ends_with_what_a_pull_from_the_beginning_gives() {
    for seed in 0..4 {
        everyone_knows_everything(World::new().await, seed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_where_reading_takes_its_time() {
    let store = Handled::slow(&MemoryStore::default(), 3_000);
    everyone_knows_everything(store.world(|builder| builder).await, 7).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_for_those_who_are_given_frames_of_their_own() {
    let everything = |_: &Actor, _: &RecordKey, _: &Json| true;
    everyone_knows_everything(World::with(|builder| builder.scope(everything)).await, 5).await;
}

#[tokio::test(start_paused = true)]
async fn who_stops_listening_while_a_page_is_read_is_given_it_the_next_time() {
    let everything = |_: &Actor, _: &RecordKey, _: &Json| true;
    let store = Handled::gated(&MemoryStore::default(), 2);
    let world = store.world(|builder| builder.scope(everything)).await;
    let mut reader = Follower::after(&world, None).await;
    store.step(0);
    store.step(0);
    reader.next().await;
    world.push(vec![create("a", json!(1))]).await;
    let started = Instant::now();
    assert!(reader.next_within(Duration::from_millis(5)).await.is_none(), "the page is being read");
    assert_eq!(reader.next().await.page.changes.len(), 1);
    assert!(started.elapsed() < Duration::from_secs(1), "what was heard was forgotten");
}

/// What happens next while someone joins.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The hub's first look, then its first page: to the snapshot, and beyond it.
    Hub,
    /// The reader's first page: to the snapshot, and beyond it.
    Reader,
    /// A change is committed.
    Change,
}

/// All orders of so many steps of each kind.
fn orders(left: [usize; 3]) -> Vec<Vec<Step>> {
    let mut orders = Vec::new();
    for (idx, step) in [Step::Hub, Step::Reader, Step::Change].into_iter().enumerate() {
        let mut rest = left;
        if rest[idx] > 0 {
            rest[idx] -= 1;
            orders.extend(self::orders(rest).into_iter().map(|mut order| {
                order.push(step);
                order
            }));
        }
    }
    if orders.is_empty() { vec![vec![]] } else { orders }
}

/// The reading transactions of a world in which one reader joins: the hub's first look, the reader's first page, and the hub's
/// first page.
const LOOK: usize = 0;
const FIRST: usize = 1;
const CATCH_UP: usize = 2;

async fn join_in_order(order: &[Step], has_cursor: bool) {
    let store = Handled::gated(&MemoryStore::default(), 3);
    let world = store.world(|builder| builder).await;
    // Pulled from a server of its own, as this one's reads are counted.
    let direct = world.restarted();
    direct.push(vec![create("before", json!(1))]).await;
    let after = direct.cursor().await;
    let mut reader = Follower::after(&world, has_cursor.then_some(after)).await;
    let n_expected = if has_cursor { 1 } else { 2 };
    settle().await;
    let reading = tokio::spawn(async move {
        while reader.state.len() < n_expected {
            reader.next().await;
        }
        reader
    });
    settle().await;
    let (started, mut n_hub) = (Instant::now(), 0);
    for step in order {
        match step {
            Step::Hub => {
                store.step(if n_hub < 2 { LOOK } else { CATCH_UP });
                n_hub += 1;
            }
            Step::Reader => store.step(FIRST),
            Step::Change => drop(world.push(vec![create("new", json!(2))]).await),
        }
        settle().await;
    }
    let mut reader = reading.await.unwrap();
    assert!(
        reader.next_within(Duration::from_millis(1)).await.is_none_or(|frame| frame.page.changes.is_empty())
    );
    world.push(vec![create("later", json!(3))]).await;
    while !reader.state.contains_key(&crate::world::key("later")) {
        reader.next().await;
    }
    assert!(started.elapsed() < Duration::from_secs(1), "it was found by looking, not by a hint");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_told_once_wherever_it_falls_while_someone_joins() {
    let orders = orders([4, 2, 1]);
    assert_eq!(orders.len(), 105);
    for order in orders {
        for has_cursor in [false, true] {
            let joining = tokio::spawn({
                let order = order.clone();
                async move { join_in_order(&order, has_cursor).await }
            });
            assert!(joining.await.is_ok(), "{order:?}, with a cursor: {has_cursor}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_who_come_and_go_never_hang_and_leave_nothing_behind() {
    let store = Handled::default();
    let world = Arc::new(store.world(|builder| builder).await);
    let comers = (0..4).map(|who| {
        let (world, random) = (Arc::clone(&world), Random::new(11, who));
        tokio::spawn(async move {
            let mut cursor = None;
            for n in 0..250 {
                let mut reader = Follower::after(&world, cursor.take()).await;
                match random.below(5) {
                    0 => {}
                    1 => drop(reader.next_within(Duration::ZERO).await),
                    2 => drop(world.push(vec![create(&format!("{who}-{n}"), json!(n))]).await),
                    _ => drop(reader.next().await),
                }
                cursor = reader.cursor.filter(|_| random.below(3) > 0);
            }
        })
    });
    for comer in join_all(comers.collect::<Vec<_>>()).await {
        comer.unwrap();
    }
    let gone = async {
        while store.n_listening() > 0 {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(20), gone).await.expect("a hub without readers goes on");
}
