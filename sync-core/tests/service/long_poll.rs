//! A pull that waits: it wakes when there is something for it, and sleeps through nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::protocol::{PullPage, PullReply, PullRequest};
use sync_core::{Collection, CursorToken, ErrorKind, Mutation, RecordId, RecordKey};
use tokio::time::{Instant, timeout};

use crate::world::{World, actor, create, json, limits};

fn waiting(after: &CursorToken, wait: u64) -> PullRequest {
    PullRequest {
        after: Some(after.clone()),
        wait: Some(Duration::from_secs(wait)),
        ..PullRequest::default()
    }
}

async fn page(world: &World, pull: PullRequest) -> PullPage {
    match world.pull(pull).await {
        PullReply::Page(page) => page,
        reply => panic!("not a page: {reply:?}"),
    }
}

fn other(id: &str) -> Mutation {
    let collection = Collection::new("other").unwrap();
    Mutation::put(RecordKey::new(collection, RecordId::new(id).unwrap()), json(json!(1)))
}

#[tokio::test(start_paused = true)]
async fn a_change_wakes_who_waits_for_it() {
    let world = World::new().await;
    let cursor = world.cursor().await;
    let started = Instant::now();
    let (page, ()) = tokio::join!(page(&world, waiting(&cursor, 40)), async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        world.set("a", json!(1)).await;
    });
    assert_eq!((page.changes.len(), started.elapsed().as_secs()), (1, 7));
}

#[tokio::test(start_paused = true)]
async fn what_is_there_already_is_not_waited_for() {
    let world = World::new().await;
    let cursor = world.cursor().await;
    world.set("a", json!(1)).await;
    let started = Instant::now();
    assert_eq!(page(&world, waiting(&cursor, 40)).await.changes.len(), 1);
    assert_eq!(started.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_an_empty_page_after_what_was_asked_and_at_most_after_the_limit() {
    let world = World::new().await;
    let cursor = world.cursor().await;
    for (wait, expected) in [(0, 0), (20, 20), (10_000, 50)] {
        let started = Instant::now();
        let page = page(&world, waiting(&cursor, wait)).await;
        assert_eq!((page.changes.len(), started.elapsed().as_secs()), (0, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_the_filter_leaves_out_wakes_nobody_and_moves_the_cursor() {
    let world = World::new().await;
    let cursor = world.cursor().await;
    let mut pull = waiting(&cursor, 40);
    pull.collections = Some(vec![Collection::new("other").unwrap()]);
    let started = Instant::now();
    let (woken, ()) = tokio::join!(page(&world, pull.clone()), async {
        for n in 0..5 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.set(&n.to_string(), json!(n)).await;
        }
        world.push(vec![other("x")]).await;
    });
    assert_eq!((woken.changes.len(), started.elapsed().as_secs()), (1, 10));
    pull.after = Some(woken.cursor);
    let (slept, _) = tokio::join!(page(&world, pull), world.push(vec![create("y", json!(1))]));
    assert_eq!((slept.changes.len(), slept.cursor), (0, world.cursor().await));
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_bounded_and_give_their_place_back() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.waiters_max = 2))).await;
    let world = Arc::new(world);
    let cursor = world.cursor().await;
    let wait = || {
        let (world, pull) = (Arc::clone(&world), waiting(&cursor, 40));
        tokio::spawn(async move { world.service.pull(&actor("ada"), &world.space, pull).await })
    };
    let (first, second) = (wait(), wait());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let error = wait().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    assert!(error.retry_after().is_some());
    // Who goes away makes room, and so does who was answered.
    first.abort();
    let _ = first.await;
    let third = wait();
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.set("a", json!(1)).await;
    for answered in [second, third] {
        assert!(matches!(answered.await.unwrap(), Ok(PullReply::Page(page)) if page.changes.len() == 1));
    }
    let cursor = world.cursor().await;
    assert!(matches!(world.pull(waiting(&cursor, 1)).await, PullReply::Page(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_change_slips_between_looking_and_waiting() {
    let world = Arc::new(World::new().await);
    let mut cursor = world.cursor().await;
    for round in 0..1000 {
        let writer = Arc::clone(&world);
        let write = tokio::spawn(async move {
            writer.push(vec![create(&round.to_string(), json!(round))]).await;
        });
        let woken = timeout(Duration::from_secs(20), page(&world, waiting(&cursor, 40))).await;
        let page = woken.unwrap_or_else(|_| panic!("round {round} was slept through"));
        assert_eq!(page.changes.len(), 1);
        cursor = page.cursor;
        write.await.unwrap();
    }
}
