//! What a reader who follows a space is given, and when.

use std::time::Duration;

use serde_json::{Value, json};
use sync_core::json::Json;
use sync_core::protocol::{PullReply, PullRequest, PushReply, PushRequest, Subscribe};
use sync_core::service::Actor;
use sync_core::{Collection, ErrorKind, Mutation, Outcome, Record, RecordId, RecordKey, Role, Seq};
use tokio::time::Instant;

use crate::follower::{Follower, Handled};
use crate::world::{World, actor, create, json as content, key, limits};

/// One commit of so many new records.
pub(crate) async fn commit(world: &World, name: &str, n: usize) -> Seq {
    let outcomes = world.push((0..n).map(|idx| create(&format!("{name}{idx}"), json!(idx))).collect()).await;
    outcomes.last().and_then(Outcome::version).unwrap()
}

fn other() -> Option<Vec<Collection>> {
    Some(vec![Collection::new("other").unwrap()])
}

fn in_other(id: &str) -> Mutation {
    let collection = Collection::new("other").unwrap();
    Mutation::put(RecordKey::new(collection, RecordId::new(id).unwrap()), content(json!(1)))
}

/// What changed, by id.
pub(crate) fn ids(changes: &[Record]) -> Vec<&str> {
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
    let push = PushRequest { batch: None, mutations, after: None, receipt: None };
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
