//! The first load: pages of records while writers go on, and a pull that makes them one state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::ErrorKind;
use sync_core::protocol::{
    PullReply, PullRequest, PushRequest, SnapshotPage, SnapshotRequest, SnapshotToken,
};
use sync_core::replica::{Replica, ReplicaOptions};
use sync_core::service::Limits;
use sync_core::store::StoreExt;
use sync_core::{Collection, Cursor, Epoch, Mutation, Record, RecordId, RecordKey, Seq, TokioRuntime};

use crate::world::{World, actor, create, json as json_of, key, limits};

async fn part(world: &World, from: Option<&SnapshotToken>) -> SnapshotPage {
    of(world, None, from).await
}

async fn refusal(world: &World, from: &SnapshotToken) -> (ErrorKind, Option<&'static str>) {
    let request = SnapshotRequest { collections: None, from: Some(from.clone()) };
    let error = world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap_err();
    (error.kind(), error.code())
}

fn named(names: &[&str]) -> Vec<Collection> {
    names.iter().map(|name| Collection::from_stored(name).unwrap()).collect()
}

/// A part of a snapshot of these collections.
async fn of(world: &World, names: Option<&[&str]>, from: Option<&SnapshotToken>) -> SnapshotPage {
    let request = SnapshotRequest { collections: names.map(named), from: from.cloned() };
    world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap()
}

/// The keys in each part of a snapshot of these collections.
async fn parts(world: &World, names: Option<&[&str]>) -> Vec<String> {
    let mut page = of(world, names, None).await;
    let mut parts = Vec::new();
    loop {
        let keys: Vec<_> = page.records.iter().map(|record| record.key.to_string()).collect();
        parts.push(keys.join(" "));
        let Some(next) = page.next else { return parts };
        page = of(world, names, Some(&next)).await;
    }
}

/// Four collections, `a` to `d`, with five, no, two and three records.
async fn of_collections(limit: impl FnOnce(&mut Limits)) -> World {
    let world = World::with(|builder| builder.limits(limits(limit))).await;
    let records = [("a", 5), ("c", 2), ("d", 3)].into_iter().flat_map(|(name, n)| {
        let key =
            move |n: i32| RecordKey::new(name.try_into().unwrap(), RecordId::new(n.to_string()).unwrap());
        (0..n).map(move |n| Mutation::put(key(n), json_of(json!("content"))).based_on(Seq::ZERO))
    });
    world.push(records.collect()).await;
    world
}

async fn of_ten() -> World {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_rows_max = 3))).await;
    world.push((0..10).map(|n| create(&n.to_string(), json!(n))).collect()).await;
    world
}

async fn delete(world: &World, id: &str) {
    let record = world.service.record(&actor("ada"), &world.space, &key(id), false).await.unwrap().unwrap();
    world.push(vec![Mutation::delete(record.key).based_on(record.meta.version)]).await;
}

#[tokio::test]
async fn a_snapshot_taken_while_others_write_and_the_pull_after_it_give_the_state() {
    let world = of_ten().await;
    let mut copy: BTreeMap<RecordKey, Record> = BTreeMap::new();
    let mut page = part(&world, None).await;
    assert_eq!(page.n_records, Some(10));
    let seq = |page: &SnapshotPage| Cursor::decode(&page.cursor, &world.space).unwrap().seq;
    let began = seq(&page);
    let mut cursor;
    let mut round = 0;
    loop {
        // Behind the position, at it, and ahead of it.
        world.set("0", json!(format!("again {round}"))).await;
        world.set(&format!("9{round}"), json!(round)).await;
        delete(&world, &(round + 1).to_string()).await;
        delete(&world, &(8 - round).to_string()).await;
        round += 1;
        cursor = page.cursor;
        copy.extend(page.records.into_iter().map(|record| (record.key.clone(), record)));
        let Some(next) = page.next else { break };
        page = part(&world, Some(&next)).await;
        assert_eq!((page.n_records, seq(&page)), (None, began));
    }
    let mut after = cursor;
    loop {
        let page = world.page(Some(&after), None).await;
        copy.extend(page.changes.into_iter().map(|record| (record.key.clone(), record)));
        if !page.has_more {
            break;
        }
        after = page.cursor;
    }
    copy.retain(|_, record| !record.is_deleted());
    let mut state = world.state().await;
    state.retain(|_, record| !record.is_deleted());
    assert_eq!(copy, state);
}

#[tokio::test]
async fn an_empty_space_has_a_snapshot_of_nothing() {
    let world = World::new().await;
    let page = part(&world, None).await;
    assert_eq!((page.n_records, page.records, page.next), (Some(0), vec![], None));
    assert_eq!(page.cursor, world.cursor().await);
}

#[tokio::test]
async fn a_token_that_was_not_issued_for_the_space_is_refused() {
    let world = of_ten().await;
    let good = part(&world, None).await.next.unwrap();
    let (cursor, place) = good.as_str().split_once('.').unwrap();
    let invalid = (ErrorKind::Invalid, Some("invalid_cursor"));
    let bad = ["", ".", "x", cursor, &format!("{cursor}."), &format!("{cursor}.!"), &format!("x.{place}")];
    for token in bad {
        assert_eq!(refusal(&world, &SnapshotToken::new(token)).await, invalid, "{token}");
    }
    assert_eq!(part(&world, Some(&good)).await.records.len(), 3);
}

#[tokio::test]
async fn a_snapshot_whose_beginning_is_history_must_begin_anew() {
    let world = of_ten().await;
    let backup = world.restored();
    world.clock.advance(Duration::from_secs(1));
    world.set("0", json!("lost")).await;
    let token = part(&world, None).await.next.unwrap();
    let invalid = (ErrorKind::Invalid, Some("invalid_cursor"));
    assert_eq!(refusal(&backup, &token).await, invalid);
    backup.set("0", json!("anew")).await;
    assert_eq!(refusal(&backup, &token).await, invalid);

    world.clock.advance(Duration::from_secs(365 * 24 * 3600));
    world.set("0", json!("later")).await;
    assert_eq!(part(&world, Some(&token)).await.records.len(), 3);
    world.clock.advance(Duration::from_secs(365 * 24 * 3600));
    world.service.collect(&world.space, false).await.unwrap();
    assert_eq!(refusal(&world, &token).await, invalid);
    world.service.delete_space(&world.space).await.unwrap();
    world.service.create_space(&world.space).await.unwrap();
    assert_eq!(refusal(&world, &token).await, invalid);
}

#[tokio::test]
async fn a_snapshot_of_some_collections_sends_and_counts_only_those() {
    let world = of_collections(|limits| limits.page_rows_max = 3).await;
    let cases: [(&[&str], u64, &[&str]); 6] = [
        (&["a"], 5, &["a/0 a/1 a/2", "a/3 a/4"]),
        // A part goes on into the next collection, in the order of the names and not of the wish.
        (&["d", "a"], 8, &["a/0 a/1 a/2", "a/3 a/4 d/0", "d/1 d/2"]),
        (&["c", "b", "a", "b"], 7, &["a/0 a/1 a/2", "a/3 a/4 c/0", "c/1"]),
        // It ends where the collection does.
        (&["d", "d1"], 3, &["d/0 d/1 d/2", ""]),
        (&["b"], 0, &[""]),
        (&[], 0, &[""]),
    ];
    for (names, n_records, expected) in cases {
        assert_eq!(of(&world, Some(names), None).await.n_records, Some(n_records), "{names:?}");
        assert_eq!(parts(&world, Some(names)).await, expected, "{names:?}");
    }
    assert_eq!(of(&world, None, None).await.n_records, Some(10));
}

#[tokio::test]
async fn collections_share_the_bytes_of_a_part() {
    let content = json_of(json!("content")).as_str().len();
    let world = of_collections(|limits| limits.page_bytes_max = 4 * content).await;
    let expected = ["a/0 a/1 a/2 a/3", "a/4 c/0 c/1 d/0", "d/1 d/2"];
    assert_eq!(parts(&world, Some(&["a", "c", "d"])).await, expected);
    assert_eq!(parts(&world, None).await, expected);
}

#[tokio::test]
async fn a_place_in_a_snapshot_belongs_to_its_collections() {
    let world = of_collections(|limits| limits.page_rows_max = 3).await;
    let place = of(&world, Some(&["a", "d"]), None).await.next.unwrap();
    let again = of(&world, Some(&["d", "a"]), Some(&place)).await;
    assert_eq!((again.n_records, again.records.len()), (None, 3));
    let of_all = part(&world, None).await.next.unwrap();
    let others: [(Option<&[&str]>, _); 6] = [
        (None, &place),
        (Some(&["a"]), &place),
        (Some(&["a", "c", "d"]), &place),
        (Some(&["ad"]), &place),
        (Some(&[]), &place),
        (Some(&["a", "d"]), &of_all),
    ];
    for (names, place) in others {
        let request = SnapshotRequest { collections: names.map(named), from: Some(place.clone()) };
        let error = world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (ErrorKind::Invalid, Some("invalid_cursor")), "{names:?}");
    }
}

#[tokio::test]
async fn of_the_librarys_collections_only_conflicts_can_be_asked_for() {
    let world = World::new().await;
    let seen = world.set("1", json!({"a": 1})).await;
    world.set("1", json!({"a": 2})).await;
    world.one(crate::world::put("1", json!({"a": 3})).based_on(seen)).await;
    let pull = |collections| PullRequest { collections: Some(collections), ..PullRequest::default() };
    let conflicts = named(&["$conflicts"]);
    let PullReply::Page(page) = world.pull(pull(conflicts.clone())).await else { panic!() };
    assert_eq!(page.changes.len(), 1);
    let snapshot = of(&world, Some(&["$conflicts"]), None).await;
    assert_eq!((snapshot.n_records, snapshot.records), (Some(1), page.changes));
    for name in ["$base", "$state", "$outbox", "$conflict"] {
        let collections = [conflicts.clone(), named(&[name])].concat();
        let request = SnapshotRequest { collections: Some(collections.clone()), from: None };
        let snapshot = world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap_err();
        let pull = world.service.pull(&actor("ada"), &world.space, pull(collections)).await.unwrap_err();
        for error in [snapshot, pull] {
            assert_eq!((error.code(), error.pointer()), (Some("validation_failed"), Some("/collections")));
        }
    }
}

#[tokio::test]
async fn a_snapshot_names_no_more_collections_than_a_pull() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.collections_max = 2))).await;
    of(&world, Some(&["a", "b"]), None).await;
    let request = SnapshotRequest { collections: Some(named(&["a", "b", "c"])), from: None };
    let error = world.service.snapshot(&actor("ada"), &world.space, &request).await.unwrap_err();
    assert_eq!((error.code(), error.pointer()), (Some("validation_failed"), Some("/collections")));
}

#[tokio::test]
async fn the_books_of_a_replica_in_the_same_space_are_not_delivered() {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_rows_max = 1))).await;
    let ada = crate::world::actor("ada").id;
    let options = ReplicaOptions::new(Arc::new(TokioRuntime), ada);
    let replica = Replica::open(Arc::new(world.store.clone()), world.space.clone(), options).await.unwrap();
    replica.put("notes", "1", &json!("milk")).await.unwrap();
    assert_eq!(parts(&world, None).await.concat(), "notes/1");
    assert_eq!(of(&world, None, None).await.n_records, Some(1));
    let keys: Vec<_> = world.state().await.into_keys().collect();
    assert_eq!(keys, [key("1")]);
    let start = Cursor::start(epoch(&world).await).encode(&world.space);
    let mut push = PushRequest { batch: None, mutations: Vec::new(), after: Some(start), receipt: None };
    let mut n_changes = 0;
    loop {
        let page = world.done(push.clone()).await.page.unwrap();
        assert!(page.changes.iter().all(|change| change.key == key("1")));
        n_changes += page.changes.len();
        if !page.has_more {
            break;
        }
        push.after = Some(page.cursor);
    }
    assert_eq!(n_changes, 1);
}

async fn epoch(world: &World) -> Epoch {
    world.store.read(&world.space).await.unwrap().head().epoch
}
