//! The first load: pages of records while writers go on, and a pull that makes them one state.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use sync_core::ErrorKind;
use sync_core::protocol::{SnapshotPage, SnapshotToken};
use sync_core::{Mutation, Record, RecordKey};

use crate::world::{World, create, key, limits};

async fn part(world: &World, from: Option<&SnapshotToken>) -> SnapshotPage {
    world.service.snapshot(&world.space, from).await.unwrap()
}

async fn refusal(world: &World, from: &SnapshotToken) -> (ErrorKind, Option<&'static str>) {
    let error = world.service.snapshot(&world.space, Some(from)).await.unwrap_err();
    (error.kind(), error.code())
}

async fn of_ten() -> World {
    let world = World::with(|builder| builder.limits(limits(|limits| limits.page_rows_max = 3))).await;
    world.push((0..10).map(|n| create(&n.to_string(), json!(n))).collect()).await;
    world
}

async fn delete(world: &World, id: &str) {
    let record = world.service.record(&world.space, &key(id), false).await.unwrap().unwrap();
    world.push(vec![Mutation::delete(record.key).based_on(record.meta.version)]).await;
}

#[tokio::test]
async fn a_snapshot_taken_while_others_write_and_the_pull_after_it_give_the_state() {
    let world = of_ten().await;
    let mut copy: BTreeMap<RecordKey, Record> = BTreeMap::new();
    let mut page = part(&world, None).await;
    assert_eq!(page.n_records, Some(10));
    let cursor = page.cursor.clone();
    let mut round = 0;
    loop {
        // Behind the position, at it, and ahead of it.
        world.set("0", json!(format!("again {round}"))).await;
        world.set(&format!("9{round}"), json!(round)).await;
        delete(&world, &(round + 1).to_string()).await;
        delete(&world, &(8 - round).to_string()).await;
        round += 1;
        copy.extend(page.records.into_iter().map(|record| (record.key.clone(), record)));
        let Some(next) = page.next else { break };
        page = part(&world, Some(&next)).await;
        assert_eq!((page.n_records, &page.cursor), (None, &cursor));
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
