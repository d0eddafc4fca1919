//! A local transaction is one at the server, too: its edits travel together, win together and lose together.

use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;

use super::faults::Picky;
use super::world::*;
use crate::error::{ErrorKind, Result};
use crate::mutation::Mutation;
use crate::protocol::{PushRequest, ResyncReason, code};
use crate::replica::local::groups::Group;
use crate::replica::local::row::Row;
use crate::replica::{Query, Replica};
use crate::service::Limits;
use crate::store::MemoryStore;

async fn put(replica: &Replica, id: &str, n: i32) {
    replica.put("notes", id, &json!({ "n": n })).await.unwrap();
}

/// One transaction that writes these.
async fn together(replica: &Replica, ids: &[&str], n: i32) {
    try_together(replica, ids, n).await.unwrap();
}

async fn try_together(replica: &Replica, ids: &[impl AsRef<str>], n: i32) -> Result<()> {
    let work = replica.transaction(async |t| {
        for id in ids {
            t.put("notes", id.as_ref(), &json!({ "n": n })).await?;
        }
        Ok(())
    });
    work.await
}

async fn n(replica: &Replica, id: &str) -> Option<i64> {
    value(replica, id).await.map(|value| value["n"].as_i64().unwrap())
}

/// The ids of a batch; those of a group in brackets.
fn shape(push: &PushRequest) -> String {
    let units = push.mutations.chunk_by(|a, b| a.group.is_some() && a.group == b.group);
    let ids = |unit: &[Mutation]| {
        unit.iter().map(|mutation| mutation.key.id.as_str()).collect::<Vec<_>>().join(" ")
    };
    let unit = |unit: &[Mutation]| match &unit[0].group {
        Some(_) => format!("[{}]", ids(unit)),
        None => ids(unit),
    };
    units.map(unit).collect::<Vec<_>>().join(" ")
}

async fn sync(world: &World, replica: &Replica) -> Vec<String> {
    let line = world.line();
    replica.sync(&line).await.unwrap();
    let pushed = line.pushed.lock().unwrap();
    pushed.iter().map(shape).collect()
}

async fn n_group_rows(replica: &Replica) -> usize {
    replica.read(|local| local.all_of(Group::COLLECTION).boxed()).await.unwrap().len()
}

#[tokio::test]
async fn what_one_transaction_edits_is_sent_as_one_group() {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let one = world.replica(&disk).await;
    put(&one, "a", 1).await;
    together(&one, &["b", "d"], 1).await;
    put(&one, "c", 1).await;
    together(&one, &["e"], 1).await;
    assert_eq!(n_group_rows(&one).await, 1);
    // What belongs to the group of `b` goes with it, also across a restart.
    let one = world.replica(&disk).await;
    assert_eq!(sync(&world, &one).await, ["a [b d] c e"]);
    assert_eq!(n_group_rows(&one).await, 0, "nothing waits, so nothing is together");
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn transactions_that_share_a_record_become_one() {
    let world = World::new().await;
    let one = world.fresh().await;
    together(&one, &["a", "b"], 1).await;
    together(&one, &["x", "y"], 1).await;
    together(&one, &["c", "d"], 1).await;
    together(&one, &["d", "b", "e"], 2).await;
    put(&one, "a", 3).await;
    let pushed = sync(&world, &one).await;
    assert_eq!(pushed.len(), 1);
    assert!(pushed[0].contains("[x y]"), "{pushed:?}");
    let together = pushed[0].split(['[', ']']).find(|part| part.contains('a')).unwrap();
    let mut together: Vec<&str> = together.split(' ').collect();
    together.sort_unstable();
    assert_eq!(together, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn a_record_that_needs_nothing_any_more_leaves_its_group() {
    let world = World::new().await;
    let one = world.fresh().await;
    for id in ["a", "b", "c"] {
        put(&one, id, 0).await;
    }
    one.sync(&world.loopback()).await.unwrap();
    together(&one, &["a", "b"], 1).await;
    put(&one, "a", 0).await;
    assert_eq!(sync(&world, &one).await, ["b"], "a group of one is none");
    // Taken back in a transaction, it leaves; what it was together with was seen beside the rest of that transaction.
    together(&one, &["a", "b"], 2).await;
    one.transaction(async |t| {
        t.put("notes", "a", &json!({"n": 0})).await?;
        t.put("notes", "c", &json!({"n": 2})).await
    })
    .await
    .unwrap();
    assert_eq!(sync(&world, &one).await, ["[b c]"]);
    // And an edit that comes after it left is one of its own.
    together(&one, &["a", "b"], 3).await;
    put(&one, "a", 0).await;
    put(&one, "a", 4).await;
    assert_eq!(sync(&world, &one).await, ["b a"]);
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_conflict_of_one_record_takes_the_whole_transaction_back() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["a", "b", "c"] {
        put(&one, id, 0).await;
    }
    world.settle(&[&one, &two]).await;
    put(&two, "b", 9).await;
    two.sync(&world.loopback()).await.unwrap();
    together(&one, &["a", "b", "c", "new"], 1).await;
    put(&one, "other", 1).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    // Edited while it is in flight: that stays, whatever becomes of the rest.
    one.patch("notes", "c", &json!({"later": true})).await.unwrap();
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.conflicts, report.rejected), (1, 3));
    assert_eq!(n(&one, "a").await, Some(0));
    assert_eq!(n(&one, "b").await, Some(9));
    assert_eq!(value(&one, "c").await, Some(json!({"n": 0, "later": true})));
    assert_eq!(n(&one, "new").await, None);
    assert_eq!(n(&one, "other").await, Some(1));
    let aside = one.set_aside(10).await.unwrap();
    let mut ids: Vec<&str> = aside.iter().map(|edit| edit.mutation.key.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "c", "new"]);
    assert!(aside.iter().all(|edit| edit.code == "superseded"));
    assert_eq!(one.conflicts(10).await.unwrap()[0].body.mine, Some(json!({"n": 1})));
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_edit_on_top_of_a_part_of_a_refused_transaction_does_not_bring_that_part_along() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    put(&one, "clash", 0).await;
    world.settle(&[&one, &two]).await;
    put(&two, "clash", 9).await;
    two.sync(&world.loopback()).await.unwrap();
    together(&one, &["clash", "a", "b"], 1).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropReply])).await.unwrap_err();
    // `a` is not there without the transaction, so this cannot be kept apart from it; `z` belongs to it.
    one.transaction(async |t| {
        t.patch("notes", "a", &json!({"later": 1})).await?;
        t.put("notes", "z", &json!({"n": 2})).await
    })
    .await
    .unwrap();
    put(&one, "alone", 1).await;
    world.settle(&[&one, &two]).await;
    for replica in [&one, &two] {
        for id in ["a", "b", "z"] {
            assert_eq!(n(replica, id).await, None, "{id}");
        }
        assert_eq!((n(replica, "clash").await, n(replica, "alone").await), (Some(9), Some(1)));
    }
    let aside = one.set_aside(10).await.unwrap();
    let mut ids: Vec<&str> = aside.iter().map(|edit| edit.mutation.key.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "a", "b", "z"]);
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn an_answer_that_asks_for_more_takes_the_whole_group_with_it() {
    let world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["a", "b", "c"] {
        put(&one, id, 0).await;
    }
    world.settle(&[&one, &two]).await;
    two.delete("notes", "b").await.unwrap();
    two.delete("notes", "c").await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    // Both must be sent whole to come back. The device's clock is ahead, too.
    world.clock.advance(Duration::from_secs(3600));
    together(&one, &["a", "b", "c"], 1).await;
    world.clock.set(crate::clock::Timestamp::from_micros(2_000_000).unwrap());
    let pushed = sync(&world, &one).await;
    assert!(pushed.len() > 2 && pushed.iter().all(|push| *push == pushed[0]), "{pushed:?}");
    assert_eq!(one.set_aside(10).await.unwrap(), []);
    world.settle(&[&one, &two]).await;
    for id in ["a", "b", "c"] {
        assert_eq!(n(&two, id).await, Some(1), "{id}");
    }
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_batch_never_holds_a_part_of_a_group() {
    let world = World::new().await;
    let one = world.fresh().await;
    for group in 0..3 {
        let ids: Vec<String> = (0..400).map(|n| format!("{group}-{n:03}")).collect();
        try_together(&one, &ids, 1).await.unwrap();
    }
    let line = world.line();
    one.sync(&line).await.unwrap();
    let sizes: Vec<usize> = line.pushed.lock().unwrap().iter().map(|push| push.mutations.len()).collect();
    assert_eq!(sizes, [800, 400]);
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_group_that_is_refused_is_set_aside_as_a_whole_and_holds_up_nobody() {
    let world = World::new().await;
    let one = world.fresh().await;
    for idx in 0..10 {
        put(&one, &format!("before{idx}"), 1).await;
    }
    together(&one, &["x", "bad", "y", "z"], 1).await;
    for idx in 0..10 {
        put(&one, &format!("after{idx}"), 1).await;
    }
    let report = one.sync(&Picky(world.loopback())).await.unwrap();
    assert_eq!((report.pushed, report.rejected), (20, 4));
    let aside = one.set_aside(10).await.unwrap();
    assert!(aside.len() == 4 && aside.iter().all(|edit| edit.code == code::BODY_TOO_LARGE));
    for id in ["x", "bad", "y", "z"] {
        assert_eq!(n(&one, id).await, None, "the server's state is shown");
    }
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_transaction_that_the_server_cannot_take_as_one_is_refused_at_once() {
    let world = World::new().await;
    let one = world.fresh().await;
    let ids: Vec<String> = (0..501).map(|n| n.to_string()).collect();
    let error = try_together(&one, &ids, 1).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code(), error.limit()),
        (ErrorKind::Invalid, Some(code::BODY_TOO_LARGE), Some(500))
    );
    try_together(&one, &ids[1..], 1).await.unwrap();
    let large = "x".repeat(1_000_000);
    let error = one
        .transaction(async |t| {
            for id in ["a", "b", "c", "d"] {
                t.put("notes", id, &large).await?;
            }
            Ok(())
        })
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some(code::BODY_TOO_LARGE)));
    assert_eq!(value(&one, "a").await, None, "nothing of it is left");
    one.sync(&world.loopback()).await.unwrap();
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn transactions_that_outgrow_a_group_together_arrive_in_parts_and_that_is_told() {
    let world = World::new().await;
    let one = world.fresh().await;
    // Every transaction touches `index`, so they all belong together.
    for idx in 0..300 {
        together(&one, &["index", &format!("{idx:03}-a"), &format!("{idx:03}-b")], idx).await;
    }
    let line = world.line();
    let report = one.sync(&line).await.unwrap();
    assert_eq!((report.pushed, report.rejected, report.parted), (601, 0, 51));
    let first = line.pushed.lock().unwrap()[0].clone();
    let units = first.mutations.chunk_by(|a, b| a.group.is_some() && a.group == b.group);
    assert_eq!(units.map(<[_]>::len).max(), Some(499));
    assert_eq!(one.sync(&world.loopback()).await.unwrap().parted, 0, "once");
    assert_eq!(n(&one, "index").await, Some(299));
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn records_that_left_make_room_in_their_group() {
    let world = World::new().await;
    let one = world.fresh().await;
    let ids: Vec<String> = (0..499).map(|n| n.to_string()).collect();
    try_together(&one, &ids, 1).await.unwrap();
    for id in &ids[1..] {
        one.delete("notes", id).await.unwrap();
    }
    together(&one, &["0", "a", "b"], 2).await;
    let line = world.line();
    assert_eq!(one.sync(&line).await.unwrap().parted, 0);
    assert_eq!(shape(&line.pushed.lock().unwrap()[0]), "[0 a b]");
}

#[tokio::test]
async fn a_group_that_outgrew_a_batch_is_sent_in_parts_and_that_is_told() {
    let world = World::new().await;
    let one = world.fresh().await;
    let ids = ["a", "b", "c", "d", "e", "f", "g"];
    together(&one, &ids, 1).await;
    for id in ids {
        one.put("notes", id, &"x".repeat(1_000_000)).await.unwrap();
    }
    put(&one, "alone", 1).await;
    let line = world.line();
    let report = one.sync(&line).await.unwrap();
    assert_eq!((report.pushed, report.rejected, report.parted), (8, 0, 1));
    let pushed: Vec<String> = line.pushed.lock().unwrap().iter().map(shape).collect();
    assert_eq!(pushed, ["[a b c d]", "[e f g] alone"]);
    world.assert_converged(&[&one]).await;
}

#[tokio::test]
async fn a_batch_that_is_taken_apart_unites_with_what_was_edited_meanwhile() {
    let world = World::new().await;
    let disk = MemoryStore::default();
    let one = world.replica(&disk).await;
    put(&one, "first", 1).await;
    one.sync(&world.loopback()).await.unwrap();
    together(&one, &["a", "b"], 1).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    // A copy of this replica uses its numbers, so what is in flight must be sent under another name.
    let twin = world.replica(&disk.fork()).await;
    together(&one, &["b", "c"], 2).await;
    put(&twin, "a", 1).await;
    twin.sync(&world.loopback()).await.unwrap();
    put(&twin, "t", 1).await;
    twin.sync(&world.loopback()).await.unwrap();
    let pushed = sync(&world, &one).await;
    assert_eq!(pushed[0], "[a b]", "{pushed:?}");
    let mut ids: Vec<&str> = pushed[1].trim_matches(['[', ']']).split(' ').collect();
    ids.sort_unstable();
    assert_eq!(ids, ["a", "b", "c"], "{pushed:?}");
    world.settle(&[&one, &twin]).await;
    world.assert_converged(&[&one, &twin]).await;
}

#[tokio::test]
async fn a_resync_and_a_pull_keep_groups_together() {
    let limits =
        Limits { retention: Duration::from_secs(10), lease: Duration::from_secs(5), ..Limits::default() };
    let world = World::with(Default::default(), limits).await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    for id in ["a", "b", "c", "d"] {
        put(&one, id, 0).await;
    }
    world.settle(&[&one, &two]).await;
    two.patch("notes", "a", &json!({"m": 1})).await.unwrap();
    two.sync(&world.loopback()).await.unwrap();
    together(&one, &["a", "b"], 1).await;
    together(&one, &["c", "d"], 1).await;
    one.sync(&Line::with(world.loopback(), [Fate::DropRequest])).await.unwrap_err();
    world.clock.advance(Duration::from_secs(3600));
    put(&two, "later", 1).await;
    two.sync(&world.loopback()).await.unwrap();
    world.service.collect(&space(), false).await.unwrap();
    let line = world.line();
    let report = one.sync(&line).await.unwrap();
    assert_eq!(report.resynced, Some(ResyncReason::Horizon));
    let pushed = line.pushed.lock().unwrap().iter().map(shape).next_back();
    assert_eq!(pushed.unwrap(), "[a b] [c d]");
    assert_eq!(value(&one, "a").await, Some(json!({"n": 1, "m": 1})));
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
}

#[tokio::test]
async fn a_transaction_lists_and_patches_what_it_wrote() {
    let world = World::new().await;
    let one = world.fresh().await;
    for id in ["a", "c", "e", "g"] {
        put(&one, id, 0).await;
    }
    let work = one.transaction(async |t| {
        t.put("notes", "b", &json!({"n": 1})).await?;
        t.delete("notes", "a").await?;
        t.delete("notes", "e").await?;
        t.put("others", "d", &json!({"n": 1})).await?;
        assert!(t.patch("notes", "c", &json!({"m": 2})).await?);
        let missing = t.patch("notes", "e", &json!({"m": 2})).await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "and the transaction goes on");
        let ids = async |t: &mut crate::replica::Transaction, after: Option<&str>, limit| {
            let query = after.map_or(Query::all(), |after| Query::all().after(after));
            let records = t.list("notes", &query.limit(limit)).await.unwrap();
            records.iter().map(|record| record.key.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(t, None, 10).await, "b c g");
        assert_eq!(ids(t, None, 2).await, "b c");
        assert_eq!(ids(t, None, 1).await, "b");
        assert_eq!(ids(t, Some("b"), 10).await, "c g");
        assert_eq!(ids(t, Some("c"), 1).await, "g", "a page of nothing but what it deleted is not the end");
        assert_eq!(ids(t, Some("g"), 1).await, "");
        let marked = t.list("notes", &Query::all().where_exists("/m").descending()).await?;
        assert_eq!(marked.iter().map(|record| record.key.id.as_str()).collect::<Vec<_>>(), ["c"]);
        let mistake = t.list("notes", &Query::all().order_by("no pointer")).await.unwrap_err();
        assert_eq!(mistake.kind(), ErrorKind::Invalid, "and the transaction goes on");
        Ok(())
    });
    work.await.unwrap();
    assert_eq!(value(&one, "c").await, Some(json!({"n": 0, "m": 2})));
}
