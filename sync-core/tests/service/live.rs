//! What a reader who follows a space is given, and what that costs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, Subscribe};
use sync_core::service::Actor;
use sync_core::store::{Call, FaultyStore, MemoryStore};
use sync_core::{
    Collection, CursorToken, ErrorKind, Mutation, Outcome, Record, RecordId, RecordKey, Role, Seq,
};
use tokio::time::Instant;

use crate::follower::{Follower, Handled};
use crate::world::{World, actor, create, json as content, key, limits};

/// A world that counts what is read.
async fn counted() -> (World, FaultyStore) {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    (world, front)
}

/// One commit of so many new records.
async fn commit(world: &World, name: &str, n: usize) -> Seq {
    let outcomes = world.push((0..n).map(|idx| create(&format!("{name}{idx}"), json!(idx))).collect()).await;
    outcomes.last().and_then(Outcome::version).unwrap()
}

/// A commit of one record of so many bytes.
async fn large(world: &World, name: &str, n_bytes: usize) -> Seq {
    world.one(create(name, json!("x".repeat(n_bytes)))).await.version().unwrap()
}

/// Until everyone has done what there is to do at this moment.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn other() -> Option<Vec<Collection>> {
    Some(vec![Collection::new("other").unwrap()])
}

fn in_other(id: &str) -> Mutation {
    let collection = Collection::new("other").unwrap();
    Mutation::put(RecordKey::new(collection, RecordId::new(id).unwrap()), content(json!(1)))
}

fn ids(changes: &[Record]) -> Vec<&str> {
    changes.iter().map(|record| record.key.id.as_str()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_frame_comes_at_once_and_the_others_when_something_happens() {
    let world = World::new().await;
    let started = Instant::now();
    let mut reader = Follower::after(&world, None).await;
    let first = reader.next().await;
    assert_eq!((first.from.as_ref(), first.page.changes.len(), first.page.has_more), (None, 0, false));
    assert!(reader.next_within(Duration::from_secs(100)).await.is_none(), "nothing has happened");
    let (next, head) = tokio::join!(reader.next(), commit(&world, "a", 3));
    assert_eq!((ids(&next.page.changes), next.page.head), (vec!["a0", "a1", "a2"], head));
    assert_eq!((reader.live.head(), started.elapsed().as_secs()), (head, 100));
}

#[tokio::test(start_paused = true)]
async fn the_feed_is_read_and_written_once_for_everyone() {
    let (world, front) = counted().await;
    let mut readers = join_all((0..100).map(|_| Follower::after(&world, None))).await;
    join_all(readers.iter_mut().map(Follower::next)).await;
    for n in 0..3 {
        let before = front.n_calls_of(Call::Feed);
        commit(&world, &format!("{n}-"), 10).await;
        let frames = join_all(readers.iter_mut().map(Follower::next)).await;
        assert_eq!(front.n_calls_of(Call::Feed), before + 1);
        let text = frames[0].text();
        assert_eq!(frames[0].page.changes.len(), 10);
        assert!(frames.iter().all(|frame| frame.text().as_ptr() == text.as_ptr()), "written more than once");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_behind_by_less_than_the_ring_costs_no_read_and_others_are_given_fewer_frames() {
    for (n_commits, n_reads, n_frames) in [(64, 0, 64), (65, 1, 1), (300, 2, 2)] {
        let (world, front) = counted().await;
        let mut reader = Follower::after(&world, None).await;
        reader.next().await;
        for n in 0..n_commits {
            commit(&world, &n.to_string(), 1).await;
            settle().await;
        }
        let before = front.n_calls_of(Call::Feed);
        for _ in 0..n_frames {
            reader.next().await;
        }
        assert_eq!(reader.state, world.state().await, "{n_commits} commits");
        let n_own = world.state().await.len().div_ceil(1000) * 2;
        assert_eq!(front.n_calls_of(Call::Feed) - before, n_reads + n_own as u64, "{n_commits} commits");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ring_of_large_frames_is_bounded_too() {
    // 20 of 40 kB are more than 512 KiB; 10 are less.
    for (n_commits, is_read) in [(10, false), (20, true)] {
        let (world, front) = counted().await;
        let mut reader = Follower::after(&world, None).await;
        reader.next().await;
        let mut head = Seq::ZERO;
        for n in 0..n_commits {
            head = large(&world, &n.to_string(), 40_000).await;
            settle().await;
        }
        let before = front.n_calls_of(Call::Feed);
        reader.until(head).await;
        assert_eq!(front.n_calls_of(Call::Feed) > before, is_read, "{n_commits} commits");
        assert_eq!(reader.state, world.state().await);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_larger_than_a_ring_travels_alone() {
    let world = World::new().await;
    let mut reader = Follower::after(&world, None).await;
    reader.next().await;
    for name in ["a", "b"] {
        let head = large(&world, name, 900_000).await;
        settle().await;
        assert_eq!(ids(&reader.next().await.page.changes), [name]);
        assert_eq!(reader.live.head(), head);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_ring_holds_is_let_go_when_nothing_happens() {
    let (world, front) = counted().await;
    let mut reader = Follower::after(&world, None).await;
    reader.next().await;
    commit(&world, "a", 1).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    let before = front.n_calls_of(Call::Feed);
    assert_eq!(reader.next().await.page.changes.len(), 1);
    assert_eq!(front.n_calls_of(Call::Feed), before + 1, "it was still held");
}

/// The cursor of someone who has read the first `n` changes.
async fn behind(world: &World, n: usize) -> CursorToken {
    world.page(None, Some(n)).await.cursor
}

#[tokio::test(start_paused = true)]
async fn who_stands_within_a_frame_is_given_the_rest_of_it() {
    let (world, front) = counted().await;
    let mut first = Follower::after(&world, None).await;
    first.next().await;
    // To everyone in frames of 250.
    let head = commit(&world, "a", 600).await;
    first.until(head).await;
    let mut reader = Follower::after(&world, Some(behind(&world, 100).await)).await;
    assert_eq!(reader.next().await.page.changes.len(), 250, "a page of their own");
    let before = front.n_calls();
    let frames = [reader.next().await, reader.next().await];
    assert_eq!(frames.map(|frame| frame.page.changes.len()), [150, 100]);
    assert_eq!(front.n_calls(), before, "the rest was at hand");
    assert_eq!(reader.newest(), head);
}

#[tokio::test(start_paused = true)]
async fn a_frame_that_is_older_than_what_a_reader_has_seen_is_not_for_them() {
    let world = World::new().await;
    let mut first = Follower::after(&world, None).await;
    first.next().await;
    commit(&world, "a", 600).await;
    settle().await;
    // Read after this, so the reader's cursor stands for it; the frames of the ring do not know of it.
    let head = world.set("a300", json!("changed")).await;
    settle().await;
    let mut reader = Follower::after(&world, Some(behind(&world, 100).await)).await;
    reader.until(head).await;
    first.until(head).await;
    let n_known = reader.state.len();
    assert_eq!(n_known, 500);
    assert!(reader.state.iter().all(|(key, record)| first.state[key] == *record));
}

#[tokio::test(start_paused = true)]
async fn who_comes_back_with_the_newest_cursor_asks_nothing_of_the_store() {
    let (world, front) = counted().await;
    let mut first = Follower::after(&world, None).await;
    let mut cursors = BTreeSet::new();
    first.next().await;
    for n in 0..5 {
        cursors.insert(first.cursor.as_ref().unwrap().as_str().to_owned());
        commit(&world, &n.to_string(), 1).await;
        first.next().await;
    }
    let before = front.n_calls();
    for _ in 0..100 {
        let mut back = Follower::after(&world, first.cursor.clone()).await;
        let frame = back.next().await;
        assert_eq!((frame.page.changes.len(), frame.page.has_more), (0, false));
        assert!(back.next_within(Duration::from_millis(1)).await.is_none());
    }
    // Nor do those who missed a little.
    for cursor in cursors {
        let mut back = Follower::after(&world, Some(CursorToken::new(cursor))).await;
        assert!(!back.next().await.page.changes.is_empty());
        back.until(first.newest()).await;
    }
    assert_eq!(front.n_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn a_filter_is_told_after_a_while_where_it_stands() {
    let world = World::new().await;
    let subscribe = Subscribe { collections: other(), ..Subscribe::default() };
    let mut reader = Follower::new(&world, &actor("ada"), subscribe).await;
    reader.next().await;
    let started = Instant::now();
    for n in 0..3 {
        commit(&world, &n.to_string(), 1).await;
        assert!(reader.next_within(Duration::from_secs(1)).await.is_none(), "not for them");
    }
    let frame = reader.next().await;
    assert_eq!((frame.page.changes.len(), started.elapsed().as_secs()), (0, 5));
    assert_eq!(reader.cursor, Some(world.cursor().await), "a cursor like any other");
    assert!(reader.next_within(Duration::from_secs(100)).await.is_none(), "they know it");
    world.push(vec![in_other("x")]).await;
    assert_eq!(ids(&reader.next().await.page.changes), ["x"]);
    // What is for them is told with the place at which it was found, and the clock begins anew.
    commit(&world, "a", 1).await;
    assert!(reader.next_within(Duration::from_secs(3)).await.is_none());
    world.push(vec![in_other("y")]).await;
    assert_eq!(ids(&reader.next().await.page.changes), ["y"]);
    assert!(reader.next_within(Duration::from_secs(100)).await.is_none());
}

/// Everyone reads what names them as its owner, and owners of the space read everything.
fn own(actor: &Actor, _: &RecordKey, data: &Json) -> bool {
    actor.role == Role::Owner || data.to_value()["owner"] == actor.id.as_str()
}

async fn push_as_root(world: &World, mutations: Vec<Mutation>) {
    let root = Actor::new(actor("root").id, Role::Owner);
    let push = PushRequest { batch: None, mutations, after: None };
    let reply = world.service.push(&root, &world.space, push).await.unwrap();
    let PushReply::Done(done) = reply else { panic!("{reply:?}") };
    assert!(done.outcomes.iter().all(|outcome| outcome.version().is_some()));
}

fn of(owner: &str) -> Value {
    json!({ "owner": owner })
}

async fn follow_as(world: &World, who: &Actor) -> Follower {
    Follower::new(world, who, Subscribe::default()).await
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_everything_is_given_frames_of_their_own() {
    let world = World::with(|builder| builder.scope(own)).await;
    let (ada, bob) = (actor("ada"), actor("bob"));
    let mut readers = [follow_as(&world, &ada).await, follow_as(&world, &bob).await];
    for reader in &mut readers {
        reader.next().await;
    }
    push_as_root(&world, vec![create("a", of("ada")), create("b", of("bob")), create("c", of("eve"))]).await;
    for (reader, expected) in readers.iter_mut().zip(["a", "b"]) {
        let frame = reader.next().await;
        assert_eq!(ids(&frame.page.changes), [expected]);
        assert!(!String::from_utf8_lossy(&frame.text()).contains("eve"));
    }
    // Taken from one and given to the other: gone for the one.
    let base = readers[0].state[&key("a")].meta.version;
    let moved = Mutation::put(key("a"), content(of("bob"))).based_on(base);
    push_as_root(&world, vec![moved]).await;
    let [first, second] = &mut readers;
    assert!(first.next().await.page.changes[0].is_deleted());
    assert_eq!(ids(&second.next().await.page.changes), ["a"]);
    for (reader, who) in readers.iter().zip([&ada, &bob]) {
        // What was pulled from the beginning is the same, and their cursor is good for a pull.
        for (after, n_expected) in [(None, reader.state.len()), (reader.cursor.clone(), 0)] {
            let pull = PullRequest { after, ..PullRequest::default() };
            let PullReply::Page(page) = world.service.pull(who, &world.space, pull).await.unwrap() else {
                panic!()
            };
            assert_eq!(page.changes.len(), n_expected);
            assert!(page.changes.iter().all(|record| reader.state[&record.key] == *record));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_everything_is_told_after_a_while_where_they_stand() {
    let world = World::with(|builder| builder.scope(own)).await;
    let mut reader = follow_as(&world, &actor("ada")).await;
    reader.next().await;
    let started = Instant::now();
    push_as_root(&world, vec![create("b", of("bob"))]).await;
    assert_eq!((reader.next().await.page.changes.len(), started.elapsed().as_secs()), (0, 5));
    assert!(reader.next_within(Duration::from_secs(100)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn who_is_far_behind_is_given_frame_after_frame_without_waiting() {
    for is_scoped in [false, true] {
        let world = World::with(|builder| if is_scoped { builder.scope(own) } else { builder }).await;
        let records = (0..600).map(|n| create(&n.to_string(), of("ada"))).collect();
        world.push(records).await;
        let started = Instant::now();
        let mut reader = Follower::after(&world, None).await;
        let frames = [reader.next().await, reader.next().await, reader.next().await];
        assert_eq!(frames.map(|frame| frame.page.changes.len()), [250, 250, 100]);
        assert_eq!(started.elapsed().as_secs(), 0, "scoped: {is_scoped}");
        assert_eq!(reader.state, world.state().await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_feed_is_looked_at_now_and_then_even_if_nobody_says_that_it_moved() {
    for is_scoped in [false, true] {
        let store = Handled::default();
        let world = store.world(|builder| if is_scoped { builder.scope(own) } else { builder }).await;
        store.set_deaf(true);
        let mut reader = Follower::after(&world, None).await;
        reader.next().await;
        for round in 0..3 {
            world.push(vec![create(&round.to_string(), of("ada"))]).await;
            let started = Instant::now();
            // Whoever waits for other things as well drops this again and again.
            while reader.next_within(Duration::from_secs(7)).await.is_none() {
                assert!(started.elapsed().as_secs() < 20, "scoped: {is_scoped}, nobody has looked");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn those_who_follow_are_bounded_and_give_their_place_back() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.subscriptions_max = 2))).await;
    let (first, _second) = (Follower::after(&world, None).await, Follower::after(&world, None).await);
    let ada = actor("ada");
    let ask = || world.service.subscribe(&ada, &world.space, Subscribe::default());
    let error = ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.retry_after().is_some());
    drop(first);
    assert!(ask().await.is_ok());
}
