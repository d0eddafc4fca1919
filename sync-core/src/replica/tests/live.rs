//! Replicas that follow a live stream, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use proptest::prelude::*;
use tokio::time::{Instant, sleep, timeout};

use super::air::{Air, FATES, Fate};
use super::weather::VirtualClock;
use super::world::*;
use crate::clock::{ManualClock, Timestamp};
use crate::error::ErrorKind;
use crate::protocol::{PushRequest, Subscribe};
use crate::replica::{Event, Origin, Replica, SyncState};
use crate::service::{Actor, Limits};
use crate::store::{MemoryStore, ScanQuery, StoreExt};
use crate::transport::{LiveNews, Loopback, Transport};
use crate::types::{Collection, Cursor, RecordKey, Version};

/// Within this time after the last fault everything is in sync.
const HEALED_WITHIN: Duration = Duration::from_secs(30);
/// What is heard at once takes no time but that of the tasks.
const AT_ONCE: Duration = Duration::from_millis(20);

async fn open(world: &World) -> Replica {
    let mut options = world.options();
    options.clock = Arc::new(VirtualClock::new());
    Replica::open(Arc::new(MemoryStore::default()), space(), options).await.unwrap()
}

/// A replica that runs and has come to rest.
async fn running(world: &World, air: &Air) -> Replica {
    let replica = open(world).await;
    let (running, air) = (replica.clone(), air.clone());
    tokio::spawn(async move { running.run(&air).await });
    sleep(Duration::from_secs(3)).await;
    replica
}

/// Someone else changes a record.
async fn put(world: &World, id: &str, data: u64) {
    let body = format!(r#"{{"mutations":[{{"op":"put","collection":"notes","id":"{id}","data":{data}}}]}}"#);
    world.service.push(&ada(), &space(), PushRequest::from_json(body.as_bytes()).unwrap()).await.unwrap();
}

/// How long it takes until the replica has this record.
async fn until(replica: &Replica, id: &str) -> Duration {
    let began = Instant::now();
    let arrived = async {
        while value(replica, id).await.is_none() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(3600), arrived).await.expect("it never arrives");
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_watcher_hears_of_a_push_elsewhere_at_once_and_nothing_is_pulled_for_it() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    let mut watch = replica.watch(&["notes"]).unwrap();
    let n_pulls = air.n_pulls.load(Ordering::SeqCst);
    for round in 0..50u64 {
        put(&world, &round.to_string(), round).await;
        let event = timeout(AT_ONCE, watch.next()).await.expect("at once").unwrap();
        assert!(matches!(&event, Event::Changed(change) if change.origin == Origin::Remote), "{event:?}");
        sleep(Duration::from_secs(7)).await;
    }
    assert_eq!(air.n_pulls.load(Ordering::SeqCst), n_pulls);
    assert_eq!(air.n_live.load(Ordering::SeqCst), 1, "one stream for all of it");
    world.assert_converged(&[&replica]).await;
}

#[tokio::test(start_paused = true)]
async fn after_own_edits_it_follows_from_where_they_led_it() {
    let world = World::new().await;
    let airs = [Air::over(world.loopback()), Air::over(world.loopback())];
    let (one, two) = (running(&world, &airs[0]).await, running(&world, &airs[1]).await);
    for round in 0..20u64 {
        one.put("notes", &format!("one{round}"), &round).await.unwrap();
        two.put("notes", &format!("two{round}"), &round).await.unwrap();
        assert!(until(&two, &format!("one{round}")).await < Duration::from_secs(1));
        assert!(until(&one, &format!("two{round}")).await < Duration::from_secs(1));
        sleep(Duration::from_millis(900)).await;
    }
    world.assert_converged(&[&one, &two]).await;
    assert_eq!(airs[0].n_held.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn edits_and_frames_that_cross_each_other_lose_nothing() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    for n in 0..300u64 {
        put(&world, &format!("theirs{}", n % 7), n).await;
        replica.put("notes", &format!("ours{}", n % 5), &n).await.unwrap();
        replica.put("notes", &format!("theirs{}", n % 3), &n).await.unwrap();
        sleep(Duration::from_millis(n % 41)).await;
    }
    sleep(Duration::from_secs(5)).await;
    world.assert_converged(&[&replica]).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_half_open_is_noticed_and_healed() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    air.will([Fate::Silence]);
    put(&world, "lost", 1).await;
    assert!(until(&replica, "lost").await < HEALED_WITHIN);
    put(&world, "next", 1).await;
    assert!(until(&replica, "next").await < AT_ONCE, "it follows again");
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_was_lost_without_another_one_after_it_is_missed() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    air.will([Fate::Lose]);
    put(&world, "lost", 1).await;
    // Two signs of life tell of a head that does not come.
    assert!(until(&replica, "lost").await <= Duration::from_secs(41));
    assert_eq!(replica.sync_state(), SyncState::Idle);
}

#[tokio::test(start_paused = true)]
async fn signs_of_life_alone_make_no_requests() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    put(&world, "a", 1).await;
    until(&replica, "a").await;
    let n_pulls = air.n_pulls.load(Ordering::SeqCst);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(air.n_pulls.load(Ordering::SeqCst), n_pulls);
    assert_eq!(air.n_live.load(Ordering::SeqCst), 1);
    let heard = replica.status().last_contact.unwrap();
    assert!(replica.0.options.clock.now().since(heard) <= Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_such_way_requests_are_held_and_where_it_ends_too() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    air.will([Fate::Vanish, Fate::Vanish, Fate::Vanish]);
    let replica = running(&world, &air).await;
    assert_eq!(air.n_held.load(Ordering::SeqCst), 1, "a held request takes its place at once");
    assert_eq!(replica.sync_state(), SyncState::Idle, "and nobody is told that something failed");
    put(&world, "a", 1).await;
    assert!(until(&replica, "a").await < AT_ONCE);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_lies_moves_nothing() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let replica = running(&world, &air).await;
    let before = replica.state().await.unwrap().cursor;
    air.will([Fate::Foreign]);
    put(&world, "a", 1).await;
    sleep(Duration::from_millis(1)).await;
    let state = replica.sync_state();
    assert!(matches!(state, SyncState::Offline { why: ErrorKind::Distrusted, .. }), "{state:?}");
    assert_eq!((replica.state().await.unwrap().cursor, value(&replica, "a").await), (before, None));
    assert!(until(&replica, "a").await < Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn clocks_that_jump_change_nothing() {
    let world = World::new().await;
    let air = Air::over(world.loopback());
    let clock = Arc::new(ManualClock::at(Timestamp::from_micros(1 << 50).unwrap()));
    let mut options = world.options();
    options.clock = clock.clone();
    let replica = Replica::open(Arc::new(MemoryStore::default()), space(), options).await.unwrap();
    let (running, way) = (replica.clone(), air.clone());
    tokio::spawn(async move { running.run(&way).await });
    sleep(Duration::from_secs(3)).await;
    for (round, shown) in [0, 1 << 52, 1, 1 << 51, 1 << 40].into_iter().enumerate() {
        clock.set(Timestamp::from_micros(shown).unwrap());
        put(&world, &round.to_string(), 1).await;
        assert!(until(&replica, &round.to_string()).await < AT_ONCE);
        sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(air.n_live.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_not_settled_yet_is_not_overtaken_and_not_asked_about_all_the_time() {
    let world = World::new().await;
    let reader = Actor { role: crate::accounts::Role::Viewer, ..ada() };
    let air = Air::over(Loopback::new(world.service.clone(), reader));
    let replica = open(&world).await;
    replica.sync(&world.loopback()).await.unwrap();
    replica.put("notes", "mine", &1).await.unwrap();
    // Here nobody knows what became of the batch, and the right to write is gone: whoever sends it again is told no more.
    let line = Line::with(world.loopback(), [super::world::Fate::DropRequest]);
    replica.sync(&line).await.unwrap_err();
    let (running, way) = (replica.clone(), air.clone());
    tokio::spawn(async move { running.run(&way).await });
    sleep(Duration::from_secs(3)).await;
    put(&world, "theirs", 1).await;
    sleep(Duration::from_secs(600)).await;
    let n = air.n_live.load(Ordering::SeqCst) + air.n_pulls.load(Ordering::SeqCst);
    assert!(n < 100, "{n} subscriptions and pulls in ten minutes");
    assert_eq!(value(&replica, "theirs").await, None);
}

#[tokio::test(start_paused = true)]
async fn those_whom_a_server_loses_come_back_spread_out() {
    let world = World::with(Default::default(), Limits::default()).await;
    let airs: Vec<Air> = (0..200).map(|_| Air::over(world.loopback())).collect();
    let mut replicas = Vec::new();
    for air in &airs {
        let replica = open(&world).await;
        let (running, way) = (replica.clone(), air.clone());
        tokio::spawn(async move { running.run(&way).await });
        replicas.push(replica);
    }
    sleep(Duration::from_secs(10)).await;
    let n_asked = || airs.iter().map(|air| air.n_pulls.load(Ordering::SeqCst)).sum::<u64>();
    airs.iter().for_each(|air| air.will([Fate::Cut]));
    let before = n_asked();
    put(&world, "a", 1).await;
    let mut most = 0;
    let mut last = before;
    for _ in 0..250 {
        sleep(Duration::from_millis(10)).await;
        most = most.max(n_asked() - std::mem::replace(&mut last, n_asked()));
    }
    assert!(most <= 10, "{most} of 200 within 10 ms, and 1 would be even");
    world.assert_converged(&replicas.iter().collect::<Vec<_>>()).await;
}

/// What the server has up to where the replica stands must be there: a cursor is never kept without its changes.
async fn assert_nothing_is_missing(world: &World, replica: &Replica) {
    let Some(cursor) = replica.state().await.unwrap().cursor else { return };
    let here = Cursor::decode(&cursor, &space()).unwrap().seq;
    let query = ScanQuery {
        collection: Some(Collection::new("notes").unwrap()),
        after: None,
        descending: false,
        tombstones: false,
        rows_max: 1000,
        bytes_max: usize::MAX,
    };
    let page = world.store.read(&space()).await.unwrap().scan(&query).await.unwrap();
    let theirs: BTreeMap<RecordKey, Version> =
        page.records.into_iter().map(|record| (record.key, record.meta.version)).collect();
    for (key, version) in theirs.into_iter().filter(|(_, version)| *version <= here) {
        let id = key.id.as_str();
        assert!(value(replica, id).await.is_some(), "{id} of {version:?} is missing at {here:?}");
    }
}

fn fates() -> impl Strategy<Value = Vec<(Fate, u64)>> {
    // Single fates of each kind among frames that arrive.
    let fate = prop_oneof![3 => Just(Fate::Deliver), 2 => prop::sample::select(FATES.to_vec())];
    prop::collection::vec((fate, 0..4u64), 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn whatever_becomes_of_frames_no_change_is_missed_and_all_is_in_sync_soon(fates in fates()) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let air = Air::over(world.loopback());
            let replica = running(&world, &air).await;
            air.will(fates.iter().map(|(fate, _)| *fate));
            for (n, (_, pause)) in fates.iter().enumerate() {
                put(&world, &n.to_string(), n as u64).await;
                if pause % 2 == 0 {
                    replica.put("notes", &format!("own{n}"), &n).await.unwrap();
                }
                sleep(Duration::from_millis(pause * 700)).await;
                assert_nothing_is_missing(&world, &replica).await;
            }
            air.will([]);
            // The last frame may have been lost: two signs of life tell.
            sleep(HEALED_WITHIN + Duration::from_secs(12)).await;
            world.assert_converged(&[&replica]).await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_loopback_says_that_it_lives_and_ends_with_what_nothing_follows() {
    let world = World::new().await;
    let mut live = world.loopback().live(&space(), &Subscribe::default()).unwrap();
    let Some(Ok(LiveNews::Frame(first))) = live.next().await else { panic!("no frame") };
    assert!(first.from.is_none() && first.page.changes.is_empty());
    put(&world, "a", 1).await;
    let Some(Ok(LiveNews::Frame(next))) = live.next().await else { panic!("no frame") };
    assert_eq!(next.from.as_ref(), Some(&first.page.cursor));
    let began = Instant::now();
    let Some(Ok(LiveNews::Alive(head))) = live.next().await else { panic!("no sign of life") };
    assert_eq!((began.elapsed().as_secs(), head), (20, Some(next.page.head)));
    let nowhere = crate::types::SpaceId::new("nowhere").unwrap();
    let mut live = world.loopback().live(&nowhere, &Subscribe::default()).unwrap();
    let error = live.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(live.next().await.is_none());
}
