//! Expired history, restored servers, copied replicas: unsent work survives all of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::world::*;
use crate::protocol::ResyncReason;
use crate::replica::{LOST_IN_RESTORE, Query, Replica};
use crate::service::{Actor, Limits};
use crate::store::{MemoryStore, Store};
use crate::types::Epoch;

async fn put(replica: &Replica, id: &str, value: serde_json::Value) {
    replica.put("notes", id, &value).await.unwrap();
}

#[tokio::test]
async fn an_expired_history_costs_no_edit() {
    let limits =
        Limits { retention: Duration::from_secs(10), lease: Duration::from_secs(5), ..Limits::default() };
    let world = World::with(Default::default(), limits).await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["kept", "gone", "gone-edited", "changed", "both"] {
        put(&one, id, json!({"x": 0, "y": 0})).await;
    }
    world.settle(&[&one, &two]).await;
    for id in ["gone", "gone-edited"] {
        two.delete("notes", id).await.unwrap();
    }
    put(&two, "changed", json!({"x": 1, "y": 0})).await;
    put(&two, "both", json!({"x": 1, "y": 0})).await;
    two.sync(&world.loopback()).await.unwrap();
    put(&one, "both", json!({"x": 0, "y": 2})).await;
    put(&one, "gone-edited", json!({"x": 0, "y": 3})).await;
    put(&one, "new", json!({"n": 1})).await;
    world.clock.advance(Duration::from_secs(3600));
    world.service.collect(&space(), false).await.unwrap();
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!(report.resynced, Some(ResyncReason::Horizon));
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&one, "both").await, Some(json!({"x": 1, "y": 2})));
    assert_eq!(value(&one, "gone").await, None);
    assert_eq!(
        value(&one, "gone-edited").await,
        None,
        "what is left of an edit does not bring a record back"
    );
    let conflicts = one.conflicts(10).await.unwrap();
    assert_eq!(conflicts[0].body.mine, Some(json!({"x": 0, "y": 3})), "but it is kept whole");
    assert_eq!(value(&two, "new").await, Some(json!({"n": 1})));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_restored_server_is_noticed_and_costs_nothing() {
    let mut world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    put(&one, "a", json!({"x": 0, "y": 0})).await;
    put(&one, "b", json!({"x": 0})).await;
    world.settle(&[&one, &two]).await;
    let backup = world.store.fork();
    world.clock.advance(Duration::from_secs(10));
    put(&one, "a", json!({"x": 1, "y": 0})).await;
    put(&one, "acknowledged", json!(1)).await;
    put(&one, "lost-and-edited", json!({"n": 1})).await;
    world.settle(&[&one, &two]).await;
    put(&one, "a", json!({"x": 1, "y": 1})).await;
    put(&one, "lost-and-edited", json!({"n": 2})).await;
    put(&one, "unsent", json!(1)).await;
    world.restore(backup);
    let three = world.fresh().await;
    put(&three, "b", json!({"x": 5})).await;
    put(&three, "unseen", json!(1)).await;
    world.settle(&[&three]).await;
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!(report.resynced, Some(ResyncReason::HistoryDiverged));
    world.settle(&[&one, &two, &three]).await;
    assert_eq!(value(&three, "unsent").await, Some(json!(1)));
    assert_eq!(value(&three, "lost-and-edited").await, Some(json!({"n": 2})));
    assert_eq!(value(&three, "a").await.unwrap()["y"], json!(1), "the unsent edit");
    let aside = one.set_aside(10).await.unwrap();
    let lost: Vec<_> = aside.iter().filter(|edit| edit.code == LOST_IN_RESTORE).collect();
    assert!(lost.iter().any(|edit| edit.mutation.key.id.as_str() == "acknowledged"));
    world.assert_converged(&[&one, &two, &three]).await;
}

#[tokio::test]
async fn a_restore_sets_aside_what_was_lost_and_nothing_else() {
    let mut world = World::new().await;
    let one = world.fresh().await;
    for id in ["old", "changed", "edited", "deleted"] {
        put(&one, id, json!({"x": 0})).await;
    }
    one.sync(&world.loopback()).await.unwrap();
    world.clock.advance(Duration::from_secs(10));
    let backup = world.store.fork();
    world.clock.advance(Duration::from_secs(10));
    put(&one, "changed", json!({"x": 1})).await;
    put(&one, "edited", json!({"x": 1})).await;
    put(&one, "new", json!({"x": 1})).await;
    one.delete("notes", "deleted").await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "edited", json!({"x": 1, "y": 1})).await;
    world.restore(backup);
    world.clock.advance(Duration::from_secs(10));
    let three = world.fresh().await;
    world.settle(&[&three]).await;
    // Others go on from the backup before this replica comes: what they write is newer, and still not what was lost.
    for id in ["old", "changed"] {
        put(&three, id, json!({"x": 0, "z": 1})).await;
    }
    world.settle(&[&three, &one]).await;
    let aside = one.set_aside(10).await.unwrap();
    assert!(aside.iter().all(|edit| edit.code == LOST_IN_RESTORE));
    let mut lost: Vec<_> =
        aside.iter().map(|edit| (edit.mutation.key.id.as_str(), edit.mutation.op.as_str())).collect();
    lost.sort_unstable();
    assert_eq!(lost, [("changed", "put"), ("deleted", "delete"), ("edited", "put"), ("new", "put")]);
    assert_eq!(value(&one, "old").await, Some(json!({"x": 0, "z": 1})));
    assert_eq!(value(&one, "edited").await, Some(json!({"x": 0, "y": 1})), "the edit that was not sent");
    world.assert_converged(&[&one, &three]).await;
}

#[tokio::test]
async fn a_space_that_was_created_anew_is_loaded_anew() {
    let mut world = World::new().await;
    let one = world.fresh().await;
    put(&one, "old", json!(1)).await;
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "unsent", json!(1)).await;
    let store = MemoryStore::default();
    store.create_space(&space(), Epoch::from_bytes([9; 16])).await.unwrap();
    world.restore(store);
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!(report.resynced, Some(ResyncReason::EpochChanged));
    assert_eq!(value(&one, "old").await, None);
    assert_eq!(one.set_aside(10).await.unwrap()[0].code, LOST_IN_RESTORE);
    assert_eq!(value(&one, "unsent").await, Some(json!(1)));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_batch_in_flight_survives_a_restore_of_the_server() {
    let mut world = World::new().await;
    let one = world.fresh().await;
    put(&one, "a", json!({"x": 0})).await;
    one.sync(&world.loopback()).await.unwrap();
    let backup = world.store.fork();
    world.clock.advance(Duration::from_secs(1));
    put(&one, "b", json!(1)).await;
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "a", json!({"x": 1})).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    world.restore(backup);
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(value(&one, "a").await, Some(json!({"x": 1})));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_copied_replica_takes_a_new_name_and_loses_nothing() {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let one = world.replica(&disk).await;
    put(&one, "a", json!({"x": 0})).await;
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "b", json!(1)).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    let twin = world.replica(&disk.fork()).await;
    put(&twin, "c", json!(1)).await;
    put(&one, "d", json!(1)).await;
    one.sync(&world.loopback()).await.unwrap();
    let report = twin.sync(&world.loopback()).await.unwrap();
    assert_eq!(report.renamed, 1);
    world.settle(&[&one, &twin]).await;
    for id in ["b", "c", "d"] {
        assert_eq!(value(&one, id).await, Some(json!(1)), "{id}");
    }
    assert!(one.conflicts(10).await.unwrap().is_empty());
    world.assert_converged(&[&one, &twin]).await;
}

#[tokio::test]
async fn a_server_that_forgot_the_replica_gets_its_edits_under_a_new_name() {
    let mut world = World::new().await;
    let one = world.fresh().await;
    one.sync(&world.loopback()).await.unwrap();
    let backup = world.store.fork();
    put(&one, "a", json!(1)).await;
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "b", json!(1)).await;
    world.restore(backup);
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(value(&one, "b").await, Some(json!(1)));
    world.assert_converged(&[&one]).await;
}

/// A server with twenty notes, in pages of three, and the replica that wrote them.
async fn twenty_notes() -> (World, Replica) {
    let limits = Limits { page_rows_max: 3, ..Limits::default() };
    let world = World::with(Default::default(), limits).await;
    let one = world.fresh().await;
    for n in 0..20 {
        put(&one, &format!("{n:02}"), json!({ "n": n })).await;
    }
    one.sync(&world.loopback()).await.unwrap();
    (world, one)
}

async fn n_notes(replica: &Replica) -> usize {
    replica.list("notes", &Query::all()).await.unwrap().len()
}

#[tokio::test]
async fn a_cut_first_load_goes_on_where_it_broke_and_shows_nothing_until_it_is_done() {
    let (world, one) = twenty_notes().await;
    let disk = MemoryStore::default();
    let two = world.replica(&disk).await;
    put(&two, "07", json!({"mine": 1})).await;
    // Each attempt brings one page; then the line is down for good.
    let cuts = || [Fate::DropReply, Fate::DropReply, Fate::DropRequest];
    let mut n_done = Vec::new();
    let line = Line::with(world.loopback(), cuts());
    two.sync_with_progress(&line, |progress| n_done.push(progress.n_done)).await.unwrap_err();
    assert_eq!(n_done, [3, 6]);
    assert_eq!(n_notes(&two).await, 1, "what was not loaded whole shows");
    // The program ends, and starts again.
    drop(two);
    let two = world.replica(&disk).await;
    let line = Line::with(world.loopback(), cuts());
    two.sync_with_progress(&line, |progress| n_done.push(progress.n_done)).await.unwrap_err();
    assert_eq!(n_done, [3, 6, 9, 12], "it did not go on where it broke");
    one.delete("notes", "01").await.unwrap();
    one.delete("notes", "19").await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    world.settle(&[&two, &one]).await;
    assert_eq!(value(&two, "07").await, Some(json!({"n": 7, "mine": 1})));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_application_may_ask_to_see_a_first_load_arrive() {
    let (world, one) = twenty_notes().await;
    let mut options = world.options();
    options.shows_partial_load = true;
    let two = Replica::open(Arc::new(MemoryStore::default()), space(), options).await.unwrap();
    put(&two, "07", json!({"mine": 1})).await;
    let line = Line::with(world.loopback(), [Fate::DropReply, Fate::DropReply, Fate::DropRequest]);
    two.sync(&line).await.unwrap_err();
    assert_eq!(n_notes(&two).await, 7, "six that came, and its own");
    // The place to go on from is lost with the history it was in: it begins anew, beside what shows.
    one.delete("notes", "01").await.unwrap();
    world.settle(&[&two, &one]).await;
    assert_eq!(value(&two, "07").await, Some(json!({"n": 7, "mine": 1})));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_name_that_belongs_to_someone_else_is_given_up() {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let one = world.replica(&disk).await;
    put(&one, "a", json!(1)).await;
    one.sync(&world.loopback()).await.unwrap();
    put(&one, "b", json!(1)).await;
    let eve = Actor::new(crate::ActorId::new("eve").unwrap(), crate::Role::Editor);
    let line = crate::transport::Loopback::new(world.service.clone(), eve);
    let report = one.sync(&line).await.unwrap();
    assert_eq!((report.renamed, report.pushed), (1, 1));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_server_that_only_asks_for_a_resync_does_not_keep_a_replica_busy() {
    let world = World::new().await;
    let one = world.fresh().await;
    put(&one, "a", json!(1)).await;
    let error = one.sync(&super::faults::Always(world.loopback())).await.unwrap_err();
    assert_eq!(error.code(), Some("resync_required"));
    assert!(!one.unsent().await.unwrap().is_empty());
    one.sync(&world.loopback()).await.unwrap();
    world.assert_converged(&[&one]).await;
}

/// Restored to a moment after the cursor and before what was answered: the cursor is still good there.
#[tokio::test]
async fn a_restore_that_only_lost_what_was_just_answered_is_noticed() {
    for writes_again in [false, true] {
        let mut world = World::new().await;
        let (one, two) = (world.fresh().await, world.fresh().await);
        one.select(&["notes"]).await.unwrap();
        put(&one, "a", json!({"x": 0})).await;
        world.settle(&[&one, &two]).await;
        let backup = world.store.fork();
        world.clock.advance(Duration::from_secs(1));
        put(&one, "a", json!({"x": 1})).await;
        put(&one, "b", json!("answered")).await;
        // The push is answered, the pull after it is not: with a selection, the answer to a push brings no cursor.
        let line = Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest]);
        one.sync(&line).await.unwrap_err();
        assert!(one.unsent().await.unwrap().is_empty());
        world.restore(backup);
        world.clock.advance(Duration::from_secs(1));
        put(&two, "c", json!("after the restore")).await;
        two.sync(&world.loopback()).await.unwrap();
        if writes_again {
            put(&one, "d", json!(1)).await;
        }
        let report = one.sync(&world.loopback()).await.unwrap();
        assert_eq!(report.resynced, Some(ResyncReason::HistoryDiverged), "writes again: {writes_again}");
        let mut lost: Vec<_> =
            one.set_aside(10).await.unwrap().into_iter().map(|edit| edit.mutation.key.id).collect();
        lost.sort();
        assert_eq!(lost.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        world.settle(&[&one, &two]).await;
        world.assert_converged(&[&one, &two]).await;
    }
}

/// A copy that goes by the same name was answered as much by the server that comes back: that it knows the name proves nothing.
#[tokio::test]
async fn a_server_that_is_restored_twice_is_noticed_also_by_a_copied_replica() {
    for writes_again in [false, true] {
        let mut world = World::new().await;
        let disk = MemoryStore::default();
        let one = world.replica(&disk).await;
        one.select(&["notes"]).await.unwrap();
        put(&one, "a", json!({"x": 0})).await;
        world.settle(&[&one]).await;
        let twin = world.replica(&disk.fork()).await;
        let wrong_backup = world.store.fork();
        world.clock.advance(Duration::from_secs(1));
        put(&one, "b", json!("by the first")).await;
        one.sync(&world.loopback()).await.unwrap();
        let right_backup = world.store.fork();
        world.restore(wrong_backup);
        put(&twin, "b", json!("by the copy")).await;
        let line = Line::with(world.loopback(), [Fate::Deliver, Fate::DropRequest]);
        twin.sync(&line).await.unwrap_err();
        assert!(twin.unsent().await.unwrap().is_empty());
        world.restore(right_backup);
        if writes_again {
            put(&twin, "c", json!(1)).await;
        }
        let report = twin.sync(&world.loopback()).await.unwrap();
        assert_eq!(report.resynced, Some(ResyncReason::HistoryDiverged), "writes again: {writes_again}");
        let lost = twin.set_aside(10).await.unwrap();
        assert_eq!(lost.iter().map(|edit| edit.mutation.key.id.as_str()).collect::<Vec<_>>(), ["b"]);
        world.settle(&[&one, &twin]).await;
        world.assert_converged(&[&one, &twin]).await;
    }
}
