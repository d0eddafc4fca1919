//! The ordinary course of things: edit, push, pull, merge, conflict, refusal.

use std::time::Duration;

use serde_json::json;

use super::world::*;
use crate::conflict::Resolution;
use crate::error::ErrorKind;
use crate::merge::{CollectionPolicy, PathRule};
use crate::policies::Policies;
use crate::protocol::code;
use crate::replica::{Phase, Replica, Unsent};
use crate::service::Limits;
use crate::store::{MemoryStore, ScanQuery, Store, StoreExt};
use crate::types::{Collection, Seq, SpaceId};

#[tokio::test]
async fn an_edit_reaches_the_server_and_everyone_else() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"text": "milk"})).await.unwrap();
    one.put("notes", "b", &json!(null)).await.unwrap();
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.pushed, report.rejected), (2, 0));
    two.sync(&world.loopback()).await.unwrap();
    assert_eq!(value(&two, "a").await, Some(json!({"text": "milk"})));
    assert!(two.get_json("notes", "b").await.unwrap().is_some(), "null is a record");
    two.delete("notes", "b").await.unwrap();
    world.settle(&[&one, &two]).await;
    assert_eq!(one.get_json("notes", "b").await.unwrap(), None);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn nothing_is_sent_when_an_edit_is_taken_back() {
    let world = World::new().await;
    let one = world.fresh().await;
    one.put("notes", "a", &json!(1)).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    one.put("notes", "a", &json!(2)).await.unwrap();
    one.put("notes", "new", &json!(2)).await.unwrap();
    one.put("notes", "a", &json!(1)).await.unwrap();
    one.delete("notes", "new").await.unwrap();
    assert_eq!(one.unsent().await.unwrap(), Unsent::default());
    let line = world.line();
    one.sync(&line).await.unwrap();
    assert!(line.pushed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn edits_of_different_fields_are_joined_wherever_they_meet() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    two.patch("notes", "a", &json!({"y": 2})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    let report = two.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.merged, report.conflicts), (1, 0));
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&one, "a").await, Some(json!({"x": 1, "y": 2})));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_clash_becomes_a_conflict_that_any_replica_can_settle_offline() {
    for (resolution, expected) in [
        (Resolution::TakeMine, json!({"x": 2})),
        (Resolution::TakeTheirs, json!({"x": 1})),
        (Resolution::Merged(Some(crate::json::Json::from_value(&json!({"x": 3})).unwrap())), json!({"x": 3})),
    ] {
        let world = World::new().await;
        let (one, two) = (world.fresh().await, world.fresh().await);
        one.put("notes", "a", &json!({"x": 0})).await.unwrap();
        world.settle(&[&one, &two]).await;
        one.put("notes", "a", &json!({"x": 1})).await.unwrap();
        two.put("notes", "a", &json!({"x": 2})).await.unwrap();
        one.sync(&world.loopback()).await.unwrap();
        let report = two.sync(&world.loopback()).await.unwrap();
        assert_eq!(report.conflicts, 1);
        assert_eq!(value(&two, "a").await, Some(json!({"x": 1})), "theirs is shown until it is settled");
        world.settle(&[&one, &two]).await;
        let conflicts = one.conflicts(10).await.unwrap();
        assert_eq!(conflicts[0].body.mine, Some(json!({"x": 2})));
        one.resolve(&conflicts[0], resolution).await.unwrap();
        assert_eq!(value(&one, "a").await, Some(expected.clone()), "settled offline");
        assert!(one.conflicts(10).await.unwrap().is_empty());
        world.settle(&[&one, &two]).await;
        assert_eq!(value(&two, "a").await, Some(expected));
        assert!(two.conflicts(10).await.unwrap().is_empty());
        world.assert_converged(&[&one, &two]).await;
    }
}

#[tokio::test]
async fn a_resolution_that_comes_too_late_is_set_aside_and_the_conflict_is_back() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    one.put("notes", "a", &json!({"x": 1})).await.unwrap();
    two.put("notes", "a", &json!({"x": 2})).await.unwrap();
    world.settle(&[&one, &two]).await;
    let conflict = two.conflicts(10).await.unwrap().remove(0);
    two.resolve(&conflict, Resolution::TakeMine).await.unwrap();
    one.put("notes", "a", &json!({"x": 9})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    world.settle(&[&two, &one]).await;
    assert_eq!(value(&two, "a").await, Some(json!({"x": 9})));
    assert_eq!(two.conflicts(10).await.unwrap().len(), 1);
    let aside = two.set_aside(10).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].code, code::VERSION_CONFLICT);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_edit_made_while_its_record_is_in_flight_stays_queued() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    assert_eq!(one.unsent().await.unwrap().n_in_flight, 1);
    one.patch("notes", "a", &json!({"x": 5, "y": 1})).await.unwrap();
    assert_eq!(one.unsent().await.unwrap(), Unsent { n_waiting: 1, n_in_flight: 1, ..Unsent::default() });
    let line = world.line();
    one.sync(&line).await.unwrap();
    assert_eq!(line.pushed.lock().unwrap().len(), 2);
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&two, "a").await, Some(json!({"x": 5, "y": 1})));
    assert!(two.conflicts(10).await.unwrap().is_empty(), "an own edit is no conflict with oneself");
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_edit_on_top_of_one_that_lost_is_judged_again() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    two.patch("notes", "a", &json!({"x": 7})).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    one.patch("notes", "a", &json!({"y": 1})).await.unwrap();
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&one, "a").await, Some(json!({"x": 7, "y": 1})), "what did not clash is kept");
    let conflicts = one.conflicts(10).await.unwrap();
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].body.mine, Some(json!({"x": 1, "y": 0})));
    world.assert_converged(&[&one, &two]).await;
}

/// Two replicas, the second of which has lost a clash over `x` of record `a` and knows it.
async fn after_a_clash() -> (World, crate::replica::Replica, crate::replica::Replica) {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    two.patch("notes", "a", &json!({"x": 2})).await.unwrap();
    world.settle(&[&one, &two]).await;
    (world, one, two)
}

#[tokio::test]
async fn an_edit_on_top_of_a_known_clash_does_not_pass_for_one_that_saw_theirs() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 1, "y": 1})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    two.put("notes", "a", &json!({"x": 2})).await.unwrap();
    // The first load shows the clash, and the push that follows is not answered.
    let fates = [Fate::Deliver, Fate::Deliver, Fate::DropReply];
    two.sync(&Line::with(world.loopback(), fates)).await.unwrap_err();
    two.patch("notes", "a", &json!({"y": 3})).await.unwrap();
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&two, "a").await, Some(json!({"x": 1, "y": 1})));
    assert_eq!(two.conflicts(10).await.unwrap().len(), 2);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_conflict_settled_while_its_record_is_in_flight_goes_or_comes_back() {
    let (world, one, two) = after_a_clash().await;
    let conflict = two.conflicts(10).await.unwrap().remove(0);
    two.patch("notes", "a", &json!({"y": 5})).await.unwrap();
    two.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    two.resolve(&conflict, Resolution::TakeMine).await.unwrap();
    // Another copy of this replica has used its numbers meanwhile: the batch is taken apart again.
    two.write(|local| futures_util::FutureExt::boxed(async move { local.unseal().await })).await.unwrap();
    assert!(two.conflicts(10).await.unwrap().is_empty());
    world.settle(&[&one, &two]).await;
    assert!(two.conflicts(10).await.unwrap().is_empty() && one.conflicts(10).await.unwrap().is_empty());
    assert_eq!(value(&one, "a").await, Some(json!({"x": 2, "y": 5})), "the losing edit on top of the rest");
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn the_same_batch_is_sent_until_it_is_answered_and_counts_once() {
    let policy = CollectionPolicy::default().with_rule("/n".parse().unwrap(), PathRule::Counter);
    let policies = Policies::default().with(Collection::new("notes").unwrap(), policy);
    let world = World::with(policies, Limits::default()).await;
    let one = world.fresh().await;
    one.put("notes", "a", &json!({"n": 1.5})).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    one.put("notes", "a", &json!({"n": 2.5})).await.unwrap();
    let line = Line::with(world.loopback(), [Fate::DropReply, Fate::DropReply, Fate::DropRequest]);
    for _ in 0..3 {
        one.sync(&line).await.unwrap_err();
        one.put("notes", "b", &json!({"while": "waiting"})).await.unwrap();
    }
    one.sync(&line).await.unwrap();
    let pushed: Vec<_> = line.pushed.lock().unwrap().drain(..).collect();
    assert!(pushed[..4].iter().all(|push| push.to_json() == pushed[0].to_json()));
    assert_eq!(value(&one, "a").await, Some(json!({"n": 2.5})));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_record_that_was_deleted_elsewhere_comes_back_whole_when_it_is_edited() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    one.put("notes", "a", &json!({"x": 0, "y": 0})).await.unwrap();
    world.settle(&[&one, &two]).await;
    two.delete("notes", "a").await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    one.patch("notes", "a", &json!({"x": 1})).await.unwrap();
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.rejected, report.conflicts), (0, 0));
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&two, "a").await, Some(json!({"x": 1, "y": 0})));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_record_may_be_created_again_after_its_deletion_was_seen() {
    let world = World::new().await;
    let one = world.fresh().await;
    for n in 0..3 {
        one.put("notes", "a", &json!(n)).await.unwrap();
        one.sync(&world.loopback()).await.unwrap();
        one.delete("notes", "a").await.unwrap();
        one.sync(&world.loopback()).await.unwrap();
    }
    one.put("notes", "a", &json!("last")).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(one.conflicts(10).await.unwrap().len(), 0);
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_device_whose_clock_is_ahead_can_still_edit() {
    let world = World::new().await;
    let one = world.fresh().await;
    world.clock.advance(Duration::from_secs(3600));
    one.put("notes", "a", &json!(1)).await.unwrap();
    world.clock.set(crate::clock::Timestamp::from_micros(2_000_000).unwrap());
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.rejected, one.set_aside(10).await.unwrap().len()), (0, 0));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_large_load_arrives_in_parts_with_progress() {
    let world = World::new().await;
    let one = world.fresh().await;
    let notes = Collection::new("notes").unwrap();
    let records = (0..2500).map(|n| {
        let id = crate::types::RecordId::new(format!("{n:05}")).unwrap();
        (crate::types::RecordKey::new(notes.clone(), id), crate::json::Json::null())
    });
    assert_eq!(one.import(records).await.unwrap(), 2500);
    one.sync(&world.loopback()).await.unwrap();
    let two = world.fresh().await;
    let mut seen = Vec::new();
    two.sync_with_progress(&world.loopback(), |progress| seen.push(progress)).await.unwrap();
    let loading: Vec<_> = seen.iter().filter(|progress| progress.phase == Phase::Loading).collect();
    assert!(loading.len() >= 3 && loading.iter().all(|progress| progress.n_total == Some(2500)));
    assert_eq!(loading.last().unwrap().n_done, 2500);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let world = World::new().await;
    let one = world.fresh().await;
    let failed: crate::Result<()> = one
        .transaction(async |t| {
            t.put("notes", "a", &1).await?;
            assert_eq!(t.get::<i32>("notes", "a").await?, Some(1), "it reads what it wrote");
            Err(crate::Error::invalid("mine", "no"))
        })
        .await;
    assert_eq!(failed.unwrap_err().code(), Some("mine"));
    assert_eq!(value(&one, "a").await, None);
    one.transaction(async |t| {
        t.put("notes", "a", &1).await?;
        t.put("notes", "b", &2).await
    })
    .await
    .unwrap();
    assert_eq!(value(&one, "b").await, Some(json!(2)));
    let dropped = one.transaction(async |t| {
        t.put("notes", "c", &1).await?;
        std::future::pending::<crate::Result<()>>().await
    });
    tokio::time::timeout(Duration::from_millis(20), dropped).await.unwrap_err();
    one.put("notes", "d", &1).await.unwrap();
    assert_eq!(value(&one, "c").await, None);
}

#[tokio::test]
async fn names_of_the_library_cannot_be_written_by_the_application() {
    let world = World::new().await;
    let one = world.fresh().await;
    for name in ["$state", "$base", "$conflicts", ""] {
        assert_eq!(one.put(name, "a", &1).await.unwrap_err().kind(), crate::ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn taking_mine_keeps_what_others_changed_since_the_conflict() {
    let (world, one, two) = after_a_clash().await;
    let conflict = two.conflicts(10).await.unwrap().remove(0);
    one.patch("notes", "a", &json!({"precious": true})).await.unwrap();
    world.settle(&[&one, &two]).await;
    two.resolve(&conflict, Resolution::TakeMine).await.unwrap();
    world.settle(&[&one, &two]).await;
    let settled = value(&one, "a").await.unwrap();
    assert_eq!((&settled["x"], &settled["precious"]), (&json!(2), &json!(true)), "{settled}");
    world.assert_converged(&[&one, &two]).await;
}

/// Rows of the notes on a disk, tombstones included, and commits.
async fn on_disk(disk: &MemoryStore) -> (usize, usize) {
    let live = disk.spaces(None, 1).await.unwrap().remove(0);
    let mut txn = disk.read(&live).await.unwrap();
    let notes = Some(Collection::new("notes").unwrap());
    let (rows_max, bytes_max) = (1000, usize::MAX);
    let query = ScanQuery {
        collection: notes,
        after: None,
        descending: false,
        tombstones: true,
        rows_max,
        bytes_max,
    };
    let n_rows = txn.scan(&query).await.unwrap().records.len();
    (n_rows, txn.commits(Seq::ZERO, 1000).await.unwrap().len())
}

#[tokio::test]
async fn tombstones_and_history_of_a_replica_go_once_nothing_needs_them() {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let (one, two) = (world.replica(&disk).await, world.fresh().await);
    for n in 0..20 {
        one.put("notes", &n.to_string(), &n).await.unwrap();
    }
    world.settle(&[&one, &two]).await;
    for n in 0..15 {
        one.delete("notes", &n.to_string()).await.unwrap();
    }
    one.delete("notes", "19").await.unwrap();
    world.clock.advance(Duration::from_secs(7200));
    two.patch("notes", "19", &json!({"edited": true})).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    one.sync(&world.loopback()).await.unwrap();
    assert_eq!(on_disk(&disk).await.0, 20, "what was just sent is still told from what was there before");
    one.sync(&world.loopback()).await.unwrap();
    let (n_rows, n_commits) = on_disk(&disk).await;
    assert_eq!(n_rows, 5);
    assert!(n_commits <= 2, "{n_commits} commits are still there");
    two.put("notes", "3", &json!("again")).await.unwrap();
    world.settle(&[&one, &two]).await;
    assert_eq!(value(&one, "3").await, Some(json!("again")));
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_replica_is_opened_once_until_it_is_dropped() {
    let world = World::new().await;
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(MemoryStore::default());
    let open = |space: &str| Replica::open(store.clone(), SpaceId::new(space).unwrap(), world.options());
    let one = open("family").await.unwrap();
    assert_eq!(open("family").await.unwrap_err().kind(), ErrorKind::Incompatible);
    let (clone, other) = (one.clone(), open("other").await.unwrap());
    drop(one);
    assert_eq!(open("family").await.unwrap_err().kind(), ErrorKind::Incompatible, "a clone is still there");
    drop((clone, other));
    open("family").await.unwrap();
}
