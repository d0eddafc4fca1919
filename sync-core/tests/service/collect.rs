//! Collection takes what nobody needs, a bounded part at a time, and never what someone does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::conformance::{client_state, commit_write};
use sync_core::merge::{Clash, CollectionPolicy, UpdatePolicy};
use sync_core::protocol::PushRequest;
use sync_core::service::Status;
use sync_core::store::{Call, ClientState, CommitWrite, FaultyStore, MemoryStore};
use sync_core::{Clock, ConflictState, Mutation, Policies, Seq};

use crate::world::{World, actor, batch, create, key, limits, put};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Creates and deletes records.
async fn tombstones(world: &World, n: usize) {
    for idx in 0..n {
        let version = world.set(&format!("gone-{idx}"), json!(1)).await;
        world.one(Mutation::delete(key(&format!("gone-{idx}"))).based_on(version)).await;
    }
}

async fn n_tombstones(world: &World) -> usize {
    world.state().await.values().filter(|record| record.is_deleted()).count()
}

#[tokio::test]
async fn tombstones_stay_for_the_retention_and_go_after_it() {
    let world = World::new().await;
    tombstones(&world, 5).await;
    let live = world.set("live", json!(1)).await;
    world.clock.advance(29 * DAY);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!((report.n_removed, n_tombstones(&world).await), (0, 5));
    world.clock.advance(2 * DAY);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!((report.floor, n_tombstones(&world).await), (live, 0), "the floor never passes the head");
    assert_eq!((report.n_removed, world.value("live").await), (5 + 11, Some(json!(1))));
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, None).await.unwrap(), []);
    // Numbers of the log go on where they were.
    world.set("live", json!(2)).await;
    assert_eq!(world.service.log(&actor("ada"), &world.space, None, None).await.unwrap()[0].entry, 12);
}

#[tokio::test]
async fn a_dry_run_says_the_floor_and_changes_nothing() {
    let world = World::new().await;
    tombstones(&world, 3).await;
    world.clock.advance(40 * DAY);
    let (state, before) =
        (world.state().await, world.service.status(&actor("ada"), &world.space, true).await.unwrap());
    let report = world.service.collect(&world.space, true).await.unwrap();
    assert_eq!((report.floor, report.n_removed), (before.head, 0));
    assert_eq!(world.state().await, state);
    assert_eq!(world.service.status(&actor("ada"), &world.space, true).await.unwrap(), before);
}

/// States of `n` replicas that are up to date, the last of them by name without the newest change.
async fn replicas(world: &World, n: usize, newest: Seq, before: Seq) {
    let state = |idx: usize| ClientState {
        acked: if idx + 1 < n { newest } else { before },
        seen_at: world.clock.now(),
        ..client_state(&format!("replica-{idx:06}"), 1)
    };
    let clients = (0..n).map(state).collect();
    commit_write(&world.store, &world.space, &CommitWrite { clients, ..CommitWrite::default() })
        .await
        .unwrap();
}

#[tokio::test]
async fn the_last_of_many_live_replicas_holds_the_floor_too() {
    let world = World::new().await;
    let (before, newest) = (world.set("1", json!(1)).await, world.set("1", json!(2)).await);
    world.clock.advance(40 * DAY);
    replicas(&world, 250, newest, before).await;
    assert_eq!(world.service.collect(&world.space, true).await.unwrap().floor, before);
}

#[tokio::test]
async fn a_status_lists_the_first_replicas_by_name_up_to_a_limit() {
    let world = World::new().await;
    let head = world.set("1", json!(1)).await;
    for (n, n_listed) in [(250, 250), (Status::REPLICAS_MAX + 1, Status::REPLICAS_MAX)] {
        replicas(&world, n, head, Seq::ZERO).await;
        let replicas = world.service.status(&actor("ada"), &world.space, false).await.unwrap().replicas;
        assert_eq!(replicas.len(), n_listed);
        assert!(
            replicas.iter().enumerate().all(|(idx, r)| r.client_id.as_str() == format!("replica-{idx:06}"))
        );
        let is_last = |idx: usize| idx + 1 == n;
        assert!(replicas.iter().enumerate().all(|(idx, r)| (r.lag_us == 0) != is_last(idx)));
    }
}

#[tokio::test]
async fn a_live_replica_holds_the_floor_where_it_is_and_a_silent_one_does_not() {
    let world = World::new().await;
    world.set("a", json!(1)).await;
    let cursor = world.cursor().await;
    let acked = world.page(None, None).await.head;
    tombstones(&world, 3).await;
    world.clock.advance(40 * DAY);
    let push = PushRequest { after: Some(cursor), ..batch(1, vec![create("x", json!(1))]) };
    world.done(push).await;
    let head = world.page(None, None).await.head;
    world.clock.advance(13 * DAY);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!((report.floor, n_tombstones(&world).await), (acked, 3));
    // Its next batch says that it has all of that.
    world.clock.advance(20 * DAY);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!((report.floor, n_tombstones(&world).await), (head, 0));
}

#[tokio::test]
async fn a_replica_that_never_said_how_far_it_is_holds_nothing() {
    let world = World::new().await;
    tombstones(&world, 3).await;
    world.clock.advance(40 * DAY);
    world.done(batch(1, vec![create("x", json!(1))])).await;
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(n_tombstones(&world).await, 0);
}

#[tokio::test]
async fn a_clock_that_went_back_collects_nothing_too_early() {
    let world = World::new().await;
    tombstones(&world, 3).await;
    world.clock.advance(40 * DAY);
    let floor = world.service.collect(&world.space, false).await.unwrap().floor;
    tombstones(&world, 3).await;
    world.clock.set(sync_core::Timestamp::from_micros(5).unwrap());
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!((report.floor, report.n_removed, n_tombstones(&world).await), (floor, 0, 3));
}

#[tokio::test]
async fn settled_conflicts_go_and_open_ones_stay_however_many_there_are() {
    let manual = Policies::default();
    let settling = CollectionPolicy::default().with_update(UpdatePolicy::Fields(Clash::ClientWins));
    let other = sync_core::Collection::new("settling").unwrap();
    let policies = manual.with(other.clone(), settling);
    let small = limits(|limits| limits.collect_max = 2);
    let world = World::with(|builder| builder.policies(policies).limits(small)).await;
    for collection in [crate::world::notes(), other] {
        let key = sync_core::RecordKey::new(collection, key("r").id);
        let of = |value: i64| Mutation { key: key.clone(), ..put("r", json!(value)) };
        let old = world.one(of(1).based_on(Seq::ZERO)).await.version().unwrap();
        world.one(of(2).based_on(old)).await;
        for n in 0..5 {
            world.one(of(10 + n).based_on(old)).await;
        }
    }
    let states = |all: Vec<sync_core::Conflict>| {
        let n_open = all.iter().filter(|conflict| conflict.body.state == ConflictState::Open).count();
        (n_open, all.len() - n_open)
    };
    assert_eq!(
        states(world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0),
        (5, 5)
    );
    world.clock.advance(40 * DAY);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(report.n_conflicts, 5);
    assert_eq!(
        states(world.service.conflicts(&actor("ada"), &world.space, None, true).await.unwrap().0),
        (5, 0)
    );
    // They left tombstones, by which replicas learn of it.
    assert_eq!(n_tombstones(&world).await, 5);
    world.clock.advance(40 * DAY);
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(n_tombstones(&world).await, 0);
}

#[tokio::test]
async fn each_transaction_takes_a_bounded_part() {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let small = limits(|limits| limits.collect_max = 10);
    let world = World::over(store, Arc::new(front.clone()), |builder| builder.limits(small));
    world.service.create_space(&world.space).await.unwrap();
    world.push((0..95).map(|n| create(&n.to_string(), json!(n))).collect()).await;
    let keys: Vec<_> = world.state().await.into_values().collect();
    let delete =
        |record: &sync_core::Record| Mutation::delete(record.key.clone()).based_on(record.meta.version);
    world.push(keys.iter().map(delete).collect()).await;
    world.clock.advance(40 * DAY);
    let before = front.n_calls_of(Call::Commit);
    let report = world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(report.n_removed, 95 + 2);
    assert_eq!(front.n_calls_of(Call::Commit) - before, 10);
}
