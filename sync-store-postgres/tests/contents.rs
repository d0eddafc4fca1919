//! Contents up to their limits, as they go through texts that the database takes apart.
#![allow(clippy::unwrap_used, reason = "a test")]

mod world;

use std::sync::Arc;

use sync_core::conformance::{
    Change, actor, client_state, commit, commit_write, contents, delete, epoch, everything_after, key,
    log_entry, move_op, put, seq, set_op, space_id,
};
use sync_core::json::{Json, Limits};
use sync_core::protocol::PushRequest;
use sync_core::service::{Actor, Service};
use sync_core::store::{ClientQuery, CommitWrite, KEYS_MAX, Store, StoreExt};
use sync_core::{RecordId, RecordKey, Role, Seq, SpaceId, TokioRuntime};
use world::World;

async fn with_space() -> Option<(World, SpaceId)> {
    let (world, space) = (World::new().await?, space_id("family"));
    world.store.create_space(&space, epoch(1)).await.unwrap();
    Some((world, space))
}

/// Writes what it is given and compares what comes back: by the feed, by key, and by `Contents`.
async fn there_and_back(world: &World, space: &SpaceId, changes: Vec<Change>) {
    let before = world.store.read(space).await.unwrap().head().head;
    let written = commit(&world.store, space, changes).await.unwrap().records;
    let mut txn = world.store.read(space).await.unwrap();
    assert!(
        everything_after(&mut *txn, before).await.unwrap() == written,
        "the feed is not what was written"
    );
    let keys: Vec<RecordKey> = written.iter().map(|record| record.key.clone()).collect();
    let found: Vec<_> = txn.records(&keys).await.unwrap().into_iter().flatten().collect();
    assert!(found == written, "records by key are not what was written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_records_of_a_megabyte_are_written_at_once() {
    let Some((world, space)) = with_space().await else { return };
    let text = |n: usize| format!("\"{n:02}{}\"", "é\\\\".repeat(((1 << 20) - 4) / 4));
    let largest = Json::parse(text(0).as_bytes(), &Limits::RECORD).unwrap();
    assert_eq!(largest.as_str().len(), 1 << 20);
    let changes = (0..64).map(|n| put("notes", &n.to_string(), &text(n))).collect();
    there_and_back(&world, &space, changes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_ops_of_a_megabyte_are_written_at_once() {
    let Some((world, space)) = with_space().await else { return };
    let text = format!("\"{}\"", "é\\\\".repeat(((1 << 20) - 64) / 4));
    let ops = (1..=64).map(|n| set_op("t", &format!("{n}@a"), "v", "", Some(&text))).collect();
    there_and_back(&world, &space, ops).await;
}

/// Each of them stands in a list of ids, of keys, of values: alone, and beside what is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ops_say_every_odd_character_and_nothing() {
    let Some((world, space)) = with_space().await else { return };
    let odd = [
        "NULL",
        "null",
        "\\N",
        "''",
        "$1",
        "{}",
        "{,NULL}",
        "\"",
        "\\",
        " ",
        "%s",
        "é",
        "\u{10ffff}",
        "\u{ad}",
    ];
    let mut n_ops = 0;
    let mut id = || {
        n_ops += 1;
        format!("{n_ops}@a")
    };
    let mut ops: Vec<Change> = Vec::new();
    for text in odd {
        let json = Json::from_value(&text.into()).unwrap();
        ops.extend([
            move_op("t", &id(), text, None),
            move_op("t", &id(), "v", Some(text)),
            set_op("t", &id(), text, text, Some(json.as_str())),
            set_op("t", &id(), text, text, None),
            set_op("t", &id(), text, "", Some("null")),
            set_op("t", &id(), "v", "", None),
        ]);
    }
    there_and_back(&world, &space, ops.clone()).await;
    // One by one, and all again, they say the same; and another op does not take their place.
    for op in ops.iter().step_by(7) {
        there_and_back(&world, &space, vec![op.clone()]).await;
    }
    there_and_back(&world, &space, ops.clone()).await;
    let before = contents(&world.store, &space).await.unwrap().feed;
    for pair in ops.windows(2) {
        let other = Change { key: pair[0].key.clone(), ..pair[1].clone() };
        commit(&world.store, &space, [other]).await.unwrap();
    }
    assert!(contents(&world.store, &space).await.unwrap().feed == before, "an op has changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_records_with_the_longest_names_are_written_at_once() {
    let Some((world, space)) = with_space().await else { return };
    let (collection, id) = ("Z.9:_-".repeat(21), "\u{10ffff}".repeat(250));
    let change = |n: usize| match n % 3 {
        0 => delete(&collection, &format!("{id}{n:04}")),
        _ => put(&collection, &format!("{id}{n:04}"), "{}"),
    };
    there_and_back(&world, &space, (0..KEYS_MAX).map(change).collect()).await;
    there_and_back(&world, &space, vec![delete(&collection, &format!("{id}0001"))]).await;
}

/// Every character that an id may have, alone and beside each of those that mean something to SQL, to a list or to JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_may_have_every_odd_character() {
    let Some((world, space)) = with_space().await else { return };
    let ascii =
        (' '..='~').chain("äßé日\u{a0}\u{ad}\u{300}\u{2028}\u{feff}\u{fffd}\u{ffff}😀\u{10ffff}".chars());
    let all =
        ascii.flat_map(|c| [format!("{c}"), format!("'{c}\""), format!("{c}\\"), format!("{{{c},NULL}}")]);
    let mut ids: Vec<String> = all.filter(|id| RecordId::new(id.as_str()).is_ok()).collect();
    ids.extend(["NULL", "null", "\\N", "\\.", "''", "$1", "{}", "%s", "\\x00", "E'\\n'"].map(String::from));
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() > 300);
    there_and_back(&world, &space, ids.iter().map(|id| put("notes", id, "1")).collect()).await;
    let found = contents(&world.store, &space).await.unwrap().records;
    assert!(found.iter().map(|record| record.key.id.as_str()).eq(&ids), "ids are not in the order of bytes");
    // One by one they take another way: as parameters of their own.
    for id in ids.iter().step_by(7) {
        there_and_back(&world, &space, vec![put("notes", id, "[2]")]).await;
    }
    let purges = ids.iter().map(|id| key("notes", id)).collect();
    commit_write(&world.store, &space, &CommitWrite { purges, ..CommitWrite::default() }).await.unwrap();
    assert!(contents(&world.store, &space).await.unwrap().records.is_empty());
}

/// A list of one empty text is not an empty list.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_answer_is_kept_alone_and_beside_others() {
    let Some((world, space)) = with_space().await else { return };
    let mut clients = ["replica-1", "replica-2", "replica-3"].map(|name| client_state(name, 1)).to_vec();
    clients[0].answer.clear();
    clients[2].answer.clear();
    for n in 1..=3 {
        let write = CommitWrite { clients: clients[..n].to_vec(), ..CommitWrite::default() };
        commit_write(&world.store, &space, &write).await.unwrap();
        let mut txn = world.store.read(&space).await.unwrap();
        assert_eq!(txn.clients(ClientQuery::After(None, 9)).await.unwrap(), clients[..n]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_log_entries_and_replicas_are_written_at_once() {
    let Some((world, space)) = with_space().await else { return };
    let log: Vec<_> = (1..=1_000).map(|n| log_entry(n, Seq::ZERO)).collect();
    let clients: Vec<_> = (0..1_000).map(|n| client_state(&format!("replica-{n:03}"), 1)).collect();
    let write = CommitWrite { log: log.clone(), clients: clients.clone(), ..CommitWrite::default() };
    commit_write(&world.store, &space, &write).await.unwrap();
    let found = contents(&world.store, &space).await.unwrap();
    assert!(found.log.iter().rev().eq(&log) && found.clients == clients);
    assert_eq!(found.head.head, seq(0));
}

/// The largest batch that the service takes, with its answer, its log and the bookkeeping of a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_batch_goes_through_the_service_and_is_answered_again() {
    let Some((world, space)) = with_space().await else { return };
    let service = Service::new(Arc::new(world.store.clone()), Arc::new(TokioRuntime));
    let mutation =
        |n: usize| format!(r#"{{"op":"put","collection":"notes","id":"{n}","base_version":0,"data":[{n}]}}"#);
    let mutations: Vec<String> = (0..service.limits().mutations_max).map(mutation).collect();
    let body = format!(r#"{{"client_id":"replica-1","first":1,"mutations":[{}]}}"#, mutations.join(","));
    let push = PushRequest::from_json(body.as_bytes()).unwrap();
    let anna = Actor::new(actor("anna"), Role::Owner);
    let answer = service.push(&anna, &space, push.clone()).await.unwrap();
    assert_eq!(service.push(&anna, &space, push).await.unwrap(), answer);
    let found = contents(&world.store, &space).await.unwrap();
    assert_eq!((found.records.len(), found.commits.len(), found.log.len()), (mutations.len(), 1, 1));
}
