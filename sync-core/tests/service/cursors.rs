//! I3, I5, I16: cursors yield every change, only grow, and notice that the server went back.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sync_core::ErrorKind;
use sync_core::protocol::{PullReply, PullRequest, ResyncReason};
use sync_core::{Collection, CursorToken, Mutation, RecordId, RecordKey, Seq, Timestamp};

use crate::world::{BEGINNING, World, actor, batch, create, json, key, limits, notes};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// One commit of `n` records.
async fn commit_of(world: &World, name: &str, n: usize) {
    world.push((0..n).map(|idx| create(&format!("{name}{idx}"), json!(idx))).collect()).await;
}

/// The cursor after each single change.
async fn every_cursor(world: &World) -> Vec<CursorToken> {
    let mut cursors = Vec::new();
    let mut page = world.page(None, Some(1)).await;
    loop {
        cursors.push(page.cursor.clone());
        if !page.has_more {
            return cursors;
        }
        page = world.page(Some(&page.cursor), Some(1)).await;
    }
}

#[tokio::test]
async fn every_position_within_a_commit_continues_without_gap_or_repetition() {
    let world = World::new().await;
    commit_of(&world, "a", 7).await;
    commit_of(&world, "b", 1).await;
    commit_of(&world, "c", 5).await;
    let all = world.page(None, None).await.changes;
    assert_eq!(all.len(), 13);
    for limit in 1..=14 {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = world.page(after.as_ref(), Some(limit)).await;
            assert!(page.changes.len() <= limit);
            seen.extend(page.changes);
            assert_eq!(page.has_more, seen.len() < all.len());
            if !page.has_more {
                break;
            }
            after = Some(page.cursor);
        }
        assert_eq!(seen, all, "limit {limit}");
    }
}

#[tokio::test]
async fn a_filter_moves_the_cursor_also_when_it_leaves_nothing() {
    let world = World::new().await;
    commit_of(&world, "a", 3).await;
    let other = Some(vec![Collection::new("other").unwrap()]);
    let pull = PullRequest { collections: other.clone(), ..PullRequest::default() };
    let PullReply::Page(page) = world.pull(pull).await else { panic!() };
    assert_eq!((page.changes.len(), page.has_more), (0, false));
    assert_eq!(page.cursor, world.cursor().await);
    world
        .push(vec![Mutation::put(
            RecordKey::new(Collection::new("other").unwrap(), RecordId::new("x").unwrap()),
            json(json!(1)),
        )])
        .await;
    let after = Some(page.cursor);
    let PullReply::Page(page) =
        world.pull(PullRequest { after, collections: other, ..PullRequest::default() }).await
    else {
        panic!()
    };
    assert_eq!(page.changes.len(), 1);
    let names = (0..101).map(|n| Collection::new(format!("c{n}")).unwrap()).collect();
    let pull = PullRequest { collections: Some(names), ..PullRequest::default() };
    let error = world.service.pull(&actor("ada"), &world.space, pull).await.unwrap_err();
    assert_eq!((error.kind(), error.pointer()), (ErrorKind::Invalid, Some("/collections")));
}

#[tokio::test]
async fn a_restored_server_is_noticed_at_every_position_after_the_fork() {
    let world = World::new().await;
    commit_of(&world, "old", 3).await;
    let before_fork = every_cursor(&world).await;
    let backup = world.restored();
    world.clock.advance(Duration::from_secs(10));
    backup.clock.advance(Duration::from_secs(10));
    for (world, name) in [(&world, "lost"), (&backup, "anew")] {
        commit_of(world, name, 5).await;
        commit_of(world, &format!("{name}-more"), 2).await;
    }
    let (lost, anew) = (every_cursor(&world).await, every_cursor(&backup).await);
    assert_eq!(lost.len(), 10);
    for (ours, theirs) in [(&lost, &backup), (&anew, &world)] {
        for (idx, cursor) in ours.iter().enumerate() {
            // Also where they stand before the fork: what came after it had a part in what was left out so far.
            let found = theirs.refusal(cursor).await;
            assert_eq!(found, Some(ResyncReason::HistoryDiverged), "position {idx}");
        }
    }
    for cursor in &before_fork {
        assert_eq!((world.refusal(cursor).await, backup.refusal(cursor).await), (None, None));
    }
    for cursor in &lost {
        assert_eq!(world.refusal(cursor).await, None);
    }
    // Also when the restored server has not written anything since.
    assert_eq!(world.restored().refusal(&lost[9]).await, None);
    let mut push = batch(1, vec![create("x", json!(1))]);
    push.after = Some(lost[9].clone());
    let sync_core::protocol::PushReply::ResyncRequired(resync) = backup.reply(push).await else { panic!() };
    assert_eq!(resync.reason, ResyncReason::HistoryDiverged);
    assert_eq!(backup.value("x").await, None);
}

#[tokio::test]
async fn a_server_that_went_back_and_stayed_there_is_noticed() {
    let world = World::new().await;
    commit_of(&world, "a", 2).await;
    let backup = world.restored();
    world.clock.advance(Duration::from_secs(10));
    commit_of(&world, "b", 3).await;
    for cursor in every_cursor(&world).await {
        assert_eq!(backup.refusal(&cursor).await, Some(ResyncReason::HistoryDiverged));
    }
}

#[tokio::test]
async fn a_page_without_a_change_that_was_lost_in_a_restore_leads_nowhere() {
    let world = World::new().await;
    commit_of(&world, "a", 3).await;
    let backup = world.restored();
    world.clock.advance(Duration::from_secs(10));
    // It comes at the end now, and not on the first page, where the backup has it.
    world.set("a0", json!("again")).await;
    let first = world.page(None, Some(2)).await;
    assert!(first.changes.iter().all(|change| change.key.id.as_str() != "a0"));
    assert_eq!(backup.refusal(&first.cursor).await, Some(ResyncReason::HistoryDiverged));
    assert_eq!(world.page(Some(&first.cursor), None).await.changes.len(), 1);
}

#[tokio::test]
async fn a_space_made_anew_is_another_one() {
    let world = World::new().await;
    commit_of(&world, "a", 2).await;
    let old = every_cursor(&world).await;
    assert!(world.service.delete_space(&world.space).await.unwrap());
    let pull = world.service.pull(&actor("ada"), &world.space, PullRequest::default()).await;
    assert_eq!(pull.unwrap_err().kind(), ErrorKind::NotFound);
    world.service.create_space(&world.space).await.unwrap();
    for cursor in &old {
        assert_eq!(world.refusal(cursor).await, Some(ResyncReason::EpochChanged));
    }
    commit_of(&world, "a", 2).await;
    for cursor in &old {
        assert_eq!(world.refusal(cursor).await, Some(ResyncReason::EpochChanged));
    }
}

#[tokio::test]
async fn garbage_and_cursors_of_other_spaces_are_invalid() {
    let world = World::new().await;
    commit_of(&world, "a", 1).await;
    let other = sync_core::SpaceId::new("other").unwrap();
    world.service.create_space(&other).await.unwrap();
    for cursor in [world.cursor().await, CursorToken::new(""), CursorToken::new("null")] {
        let pull = PullRequest { after: Some(cursor.clone()), ..PullRequest::default() };
        let error = world.service.pull(&actor("ada"), &other, pull).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("invalid_cursor")));
        let mut push = batch(1, vec![create("x", json!(1))]);
        push.after = Some(cursor);
        let error = world.service.push(&crate::world::actor("ada"), &other, push).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("invalid_cursor")));
    }
}

#[tokio::test]
async fn a_clock_that_jumps_never_changes_the_order() {
    let world = World::new().await;
    let mut last = Seq::ZERO;
    let mut cursor = world.cursor().await;
    let start = Timestamp::from_micros(BEGINNING).unwrap();
    let times = [start, start.saturating_sub(YEAR), start.saturating_add(YEAR), start, Timestamp::ZERO];
    for (idx, time) in times.into_iter().chain([Timestamp::MAX, start]).enumerate() {
        world.clock.set(time);
        let version = world.set("same", json!(idx)).await;
        assert!(version > last, "commit {idx} at {time}");
        let page = world.page(Some(&cursor), None).await;
        assert_eq!((page.changes.len(), page.changes[0].meta.version, page.head), (1, version, version));
        (last, cursor) = (version, page.cursor);
    }
}

/// A space of which the first 20 records, among them 10 tombstones, lie below the floor.
async fn collected() -> World {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.collect_max = 3))).await;
    commit_of(&world, "a", 20).await;
    for idx in 0..10 {
        world
            .push(vec![Mutation::delete(key(&format!("a{idx}"))).based_on(version(&world, idx).await)])
            .await;
    }
    world.clock.advance(YEAR);
    commit_of(&world, "b", 5).await;
    world.clock.advance(Duration::from_secs(1));
    world
}

async fn version(world: &World, idx: usize) -> Seq {
    let record =
        world.service.record(&actor("ada"), &world.space, &key(&format!("a{idx}")), true).await.unwrap();
    record.unwrap().meta.version
}

#[tokio::test]
async fn a_cursor_below_the_floor_is_beyond_the_horizon() {
    let world = collected().await;
    let cursors = every_cursor(&world).await;
    let report = world.service.collect(&world.space, false).await.unwrap();
    let mut n_refused = 0;
    for cursor in &cursors {
        if let Some(reason) = world.refusal(cursor).await {
            assert_eq!(reason, ResyncReason::Horizon);
            n_refused += 1;
        }
    }
    assert!(report.n_removed > 0);
    assert_eq!((cursors.len(), n_refused), (25, 20));
}

#[tokio::test]
async fn a_reader_from_the_beginning_pages_through_what_lies_below_the_floor() {
    let world = collected().await;
    world.service.collect(&world.space, false).await.unwrap();
    let expected: BTreeSet<RecordKey> =
        world.page(None, None).await.changes.into_iter().map(|r| r.key).collect();
    assert_eq!(expected.len(), 15);
    for limit in 1..6 {
        let mut seen = BTreeSet::new();
        let mut page = world.page(None, Some(limit)).await;
        loop {
            seen.extend(page.changes.into_iter().map(|r| r.key));
            if !page.has_more {
                break;
            }
            page = world.page(Some(&page.cursor), Some(limit)).await;
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn a_reader_from_the_beginning_starts_over_when_what_it_was_given_may_have_gone() {
    let world = collected().await;
    world.service.collect(&world.space, false).await.unwrap();
    let page = world.page(None, Some(3)).await;
    let given = page.changes[0].clone();
    world.push(vec![Mutation::delete(given.key.clone()).based_on(given.meta.version)]).await;
    assert_eq!(world.refusal(&page.cursor).await, None);
    world.clock.advance(YEAR);
    world.set("later", json!(1)).await;
    world.service.collect(&world.space, false).await.unwrap();
    // The tombstone of a record that the reader holds has been collected.
    assert_eq!(world.service.record(&actor("ada"), &world.space, &given.key, true).await.unwrap(), None);
    assert_eq!(world.refusal(&page.cursor).await, Some(ResyncReason::Horizon));
    assert_eq!(notes(), given.key.collection);
}

#[tokio::test]
async fn the_cursor_of_an_empty_space_is_good_until_something_was_collected() {
    let world = World::new().await;
    let empty = world.cursor().await;
    commit_of(&world, "a", 2).await;
    assert_eq!(world.page(Some(&empty), None).await.changes.len(), 2);
    world.clock.advance(YEAR);
    world.set("later", json!(1)).await;
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(world.refusal(&empty).await, Some(ResyncReason::Horizon));
}
