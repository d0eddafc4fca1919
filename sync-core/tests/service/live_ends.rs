//! Following a space that cannot be followed any further, or not right now.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::protocol::{PushReply, PushRequest, ResyncReason, Subscribe, code};
use sync_core::service::Live;
use sync_core::store::{Fault, FaultyStore, MemoryStore};
use sync_core::{Collection, CursorToken, ErrorKind, Mutation, SpaceId};
use tokio::time::Instant;

use crate::follower::{Follower, Handled, settle};
use crate::world::{World, actor, batch, create, key};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long nobody notices what no hint tells of.
const UNNOTICED_MAX: u64 = 20;

/// What a server gave that went on from here and was given up then.
async fn lost_receipt(world: &World) -> Option<CursorToken> {
    world.restored().done(batch(2, vec![create("lost", json!(1))])).await.receipt
}

/// A reader who is up to date.
async fn joined(world: &World) -> Follower {
    let mut reader = Follower::after(world, None).await;
    reader.next().await;
    reader
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_at_once() {
    let world = World::new().await;
    let other = SpaceId::new("other").unwrap();
    world.service.create_space(&other).await.unwrap();
    let cursor = world.cursor().await;
    let elsewhere = Subscribe { after: Some(cursor), ..Subscribe::default() };
    let malformed = Subscribe { after: Some(CursorToken::new("x")), ..Subscribe::default() };
    let receipt = Subscribe { receipt: Some(CursorToken::new("x")), ..Subscribe::default() };
    for (space, subscribe) in [(&other, elsewhere), (&world.space, malformed), (&world.space, receipt)] {
        let error = world.service.subscribe(&actor("ada"), space, subscribe).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some(code::INVALID_CURSOR)));
    }
    let names = (0..101).map(|n| Collection::new(format!("c{n}")).unwrap()).collect();
    let many = Subscribe { collections: Some(names), ..Subscribe::default() };
    let error = world.service.subscribe(&actor("ada"), &world.space, many).await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Invalid, Some("/collections")));
}

#[tokio::test(start_paused = true)]
async fn a_space_that_is_not_there_is_not_found_and_may_come() {
    let mut world = World::new().await;
    world.space = SpaceId::new("nowhere").unwrap();
    let mut reader = Follower::after(&world, None).await;
    for _ in 0..3 {
        assert_eq!(reader.error().await.kind(), ErrorKind::NotFound);
    }
    world.service.create_space(&world.space).await.unwrap();
    reader.next().await;
    let (frame, _) = tokio::join!(reader.next(), world.one(create("a", json!(1))));
    assert_eq!(frame.page.changes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_space_that_is_deleted_is_told() {
    let store = Handled::default();
    let world = store.world(|builder| builder).await;
    let mut reader = joined(&world).await;
    world.one(create("a", json!(1))).await;
    reader.next().await;
    assert!(world.service.delete_space(&world.space).await.unwrap());
    let started = Instant::now();
    assert_eq!(reader.error().await.kind(), ErrorKind::NotFound);
    assert!(started.elapsed().as_secs() <= UNNOTICED_MAX);
    drop(reader);
    settle().await;
    assert_eq!(store.n_listening(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_follows_a_space_that_was_made_anew_must_load_it_anew() {
    for is_written in [true, false] {
        let world = World::new().await;
        let mut reader = joined(&world).await;
        world.one(create("a", json!(1))).await;
        reader.next().await;
        world.service.delete_space(&world.space).await.unwrap();
        world.service.create_space(&world.space).await.unwrap();
        let started = Instant::now();
        if is_written {
            world.clock.advance(Duration::from_secs(1));
            world.one(create("b", json!(1))).await;
        }
        assert_eq!(reader.resync().await, ResyncReason::EpochChanged);
        let waited = started.elapsed().as_secs();
        assert!(if is_written { waited == 0 } else { waited <= UNNOTICED_MAX });
        // And so must whoever comes back later.
        let mut late = Follower::after(&world, reader.cursor.clone()).await;
        assert_eq!(late.resync().await, ResyncReason::EpochChanged);
        assert!(joined(&world).await.state.contains_key(&key("b")) == is_written);
    }
}

#[tokio::test(start_paused = true)]
async fn who_joins_a_space_that_was_made_anew_is_told_nothing_of_the_one_before() {
    let world = World::new().await;
    // Someone follows the space in its first life, from its beginning.
    let mut before = joined(&world).await;
    world.one(create("secret", json!(1))).await;
    before.next().await;
    let deleted_at = before.live.head();
    world.service.delete_space(&world.space).await.unwrap();
    world.service.create_space(&world.space).await.unwrap();
    // Someone else, in its second.
    let mut after = joined(&world).await;
    assert!(after.live.head() < deleted_at);
    assert!(after.next_within(Duration::from_secs(1)).await.is_none(), "told of a space that is gone");
    assert!(after.state.is_empty());
    // Who came before hears of it at the same moment, and the second life goes on for whoever is in it.
    let started = Instant::now();
    assert_eq!(before.resync().await, ResyncReason::EpochChanged);
    assert_eq!(started.elapsed(), Duration::ZERO);
    let (frame, _) = tokio::join!(after.next(), world.one(create("a", json!(1))));
    assert_eq!(frame.page.changes.len(), 1);
}

// In real time: a loop without a pause would leave a paused clock where it is.
#[tokio::test]
async fn nobody_reads_the_same_place_again_and_again_for_a_ring_of_another_history() {
    for is_made_anew in [true, false] {
        let store = Handled::default();
        let mut world = store.world(|builder| builder).await;
        world.one(create("a", json!(1))).await;
        // What `restored` copies.
        world.store = store.store();
        let backup = world.restored();
        // The ring begins after what the other history has.
        world.one(create("b", json!(1))).await;
        let mut before = joined(&world).await;
        world.one(create("c", json!(1))).await;
        before.next().await;
        if is_made_anew {
            world.service.delete_space(&world.space).await.unwrap();
            world.service.create_space(&world.space).await.unwrap();
        } else {
            store.exchange(backup.store.clone());
        }
        let mut after = joined(&world).await;
        let n_reads = store.n_reads();
        assert!(after.next_within(Duration::from_millis(300)).await.is_none());
        let n_reads = store.n_reads() - n_reads;
        assert!(n_reads < 5, "{n_reads} reads in a moment in which nothing happened");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_was_restored_is_noticed_by_all_who_follow() {
    let store = Handled::default();
    let mut world = store.world(|builder| builder).await;
    let mut reader = joined(&world).await;
    world.one(create("a", json!(1))).await;
    reader.next().await;
    // What `restored` copies.
    world.store = store.store();
    let backup = world.restored();
    world.clock.advance(Duration::from_secs(10));
    world.one(create("b", json!(1))).await;
    reader.next().await;
    for n in 0..2 {
        let mut late = Follower::after(&backup, reader.cursor.clone()).await;
        assert_eq!(late.resync().await, ResyncReason::HistoryDiverged, "after {n} commits there");
        backup.clock.advance(Duration::from_secs(20));
        backup.one(create(&format!("c{n}"), json!(1))).await;
    }
    // Restored under a server that runs.
    store.exchange(backup.store.clone());
    let started = Instant::now();
    assert_eq!(reader.resync().await, ResyncReason::HistoryDiverged);
    assert!(started.elapsed().as_secs() <= UNNOTICED_MAX);
    let mut anew = joined(&world).await;
    assert_eq!(anew.state, backup.state().await);
    let (frame, _) = tokio::join!(anew.next(), world.one(create("d", json!(1))));
    assert_eq!(frame.page.changes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_below_the_floor_must_load_anew() {
    let world = World::new().await;
    world.one(create("a", json!(1))).await;
    let old = world.cursor().await;
    let base = world.state().await[&key("a")].meta.version;
    world.one(Mutation::delete(key("a")).based_on(base)).await;
    world.clock.advance(YEAR);
    world.one(create("b", json!(1))).await;
    world.clock.advance(YEAR);
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(Follower::after(&world, Some(old)).await.resync().await, ResyncReason::Horizon);
    assert_eq!(joined(&world).await.state, world.state().await);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_know_what_it_answered_is_noticed() {
    let world = World::new().await;
    let mut first = joined(&world).await;
    let kept = world.done(batch(1, vec![create("a", json!(1))])).await.receipt;
    first.next().await;
    for (receipt, is_known) in [(kept, true), (lost_receipt(&world).await, false)] {
        // Also with a cursor that needs no judging.
        for after in [None, first.cursor.clone()] {
            let subscribe = Subscribe { after, receipt: receipt.clone(), ..Subscribe::default() };
            let mut reader = Follower::new(&world, &actor("ada"), subscribe).await;
            match reader.try_next().await.unwrap() {
                Live::Frame(_) => assert!(is_known),
                Live::Resync(resync) => {
                    assert_eq!((is_known, resync.reason), (false, ResyncReason::HistoryDiverged));
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_is_asked_about_until_the_first_page_was_read() {
    let world = World::new().await;
    let kept = world.done(batch(1, vec![create("a", json!(1))])).await.receipt;
    for (receipt, is_known) in [(kept, true), (lost_receipt(&world).await, false)] {
        let wish = Subscribe { receipt, ..Subscribe::default() };
        let before = Follower::new(&world, &actor("ada"), wish.clone()).await;
        // Their role changes before they are told anything.
        assert_eq!(before.live.resume(), wish);
        let mut reader = Follower::new(&world, &actor("ada"), before.live.resume()).await;
        assert_eq!(matches!(reader.try_next().await.unwrap(), Live::Frame(_)), is_known);
        assert_eq!(reader.live.resume().receipt.is_some(), !is_known);
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_who_leaves_ends_the_hub_and_the_next_begins_another() {
    let store = Handled::default();
    let world = store.world(|builder| builder).await;
    for round in 0..3 {
        let (first, mut second) = (joined(&world).await, joined(&world).await);
        assert_eq!(store.n_listening(), 1, "one reads for all");
        drop(first);
        settle().await;
        world.one(create(&round.to_string(), json!(1))).await;
        assert_eq!(second.next().await.page.changes.len(), 1);
        drop(second);
        settle().await;
        assert_eq!(store.n_listening(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_delays_what_is_told_and_loses_nothing() {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    let mut reader = joined(&world).await;
    let direct = world.restarted();
    for n in 1..=8 {
        front.fail_at(front.n_calls() + n, Fault::Error(ErrorKind::Unavailable));
    }
    for n in 0..5 {
        direct.one(create(&n.to_string(), json!(n))).await;
        assert!(reader.next_within(Duration::from_secs(1)).await.is_none(), "the store does not answer");
    }
    reader.until(direct.page(None, None).await.head).await;
    assert_eq!(reader.state, direct.state().await);
}

/// A push that is repeated until it is answered.
async fn insist(world: &World, push: PushRequest) {
    for _ in 0..3 {
        match world.service.push(&actor("ada"), &world.space, push.clone()).await {
            Ok(PushReply::Done(_)) => return,
            Ok(reply) => panic!("{reply:?}"),
            Err(_) => settle().await,
        }
    }
    panic!("one fault was planted");
}

/// Frames until there are so many records, asking again after an error.
async fn until(reader: &mut Follower, n_records: usize) {
    let mut n_errors = 0;
    while reader.state.len() < n_records {
        if let Err(error) = reader.try_take().await {
            n_errors += 1;
            assert!(n_errors < 3, "one fault was planted: {error}");
        }
    }
}

/// Someone joins, is told, leaves, and comes back. Says how many calls of the store that took.
async fn script(fault: Option<(u64, Fault)>) -> u64 {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    let before = front.n_calls();
    if let Some((n, fault)) = fault {
        front.fail_at(before + n, fault);
    }
    let mut reader = Follower::after(&world, None).await;
    for n in 1..=3 {
        insist(&world, batch(n, vec![create(&n.to_string(), json!(n))])).await;
        until(&mut reader, usize::try_from(n).unwrap()).await;
    }
    drop(reader.live);
    settle().await;
    insist(&world, batch(4, vec![create("4", json!(4))])).await;
    let mut back = Follower::after(&world, reader.cursor.clone()).await;
    back.state = reader.state;
    until(&mut back, 4).await;
    insist(&world, batch(5, vec![create("5", json!(5))])).await;
    until(&mut back, 5).await;
    let n_calls = front.n_calls() - before;
    assert_eq!(back.state, world.restarted().state().await);
    n_calls
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_and_however_nobody_misses_anything() {
    let n_calls = script(None).await;
    assert!(n_calls > 20, "{n_calls}");
    for fault in [Fault::Error(ErrorKind::Unavailable), Fault::Error(ErrorKind::Corrupt), Fault::Panic] {
        for n in 1..=n_calls {
            let run = tokio::spawn(script(Some((n, fault))));
            assert!(run.await.is_ok(), "{fault:?} at call {n}");
        }
    }
}
