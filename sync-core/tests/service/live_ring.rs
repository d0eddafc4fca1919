//! How a thousand who follow a space cost little more than one: the feed is read once for all, and kept for a while.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sync_core::store::{Call, FaultyStore, MemoryStore};
use sync_core::{CursorToken, Seq};

use crate::follower::{Follower, settle};
use crate::live::{commit, ids};
use crate::world::{World, create};

/// A world that counts what is read.
async fn counted() -> (World, FaultyStore) {
    let store = MemoryStore::default();
    let front = FaultyStore::new(Arc::new(store.clone()));
    let world = World::over(store, Arc::new(front.clone()), |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    (world, front)
}

/// A commit of one record of so many bytes.
async fn large(world: &World, name: &str, n_bytes: usize) -> Seq {
    world.one(create(name, json!("x".repeat(n_bytes)))).await.version().unwrap()
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
