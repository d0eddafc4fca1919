//! After a move everything goes on: cursors, retries, conflicts, the log, what was collected.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use sync_core::copy::{export, import};
use sync_core::protocol::ResyncReason;
use sync_core::store::MemoryStore;
use sync_core::{Mutation, Seq};

use crate::world::{World, actor, batch, batch_of, create, key, put};

/// Another server, on a copy of everything in the store.
async fn moved(world: &World) -> World {
    let (mut text, store) = (Vec::new(), MemoryStore::default());
    export(&world.store, &world.store, &mut text, &mut |_| {}).await.unwrap();
    import(&store, &store, &mut text.as_slice(), &mut |_| {}).await.unwrap();
    World::over(store.clone(), Arc::new(store), |builder| builder)
}

#[tokio::test]
async fn a_copy_has_the_same_status_hash_and_log() {
    let world = World::new().await;
    for n in 0..30 {
        world.done(batch_of(n % 3, 1 + n as i64 / 3, vec![put(&(n % 7).to_string(), json!(n))])).await;
    }
    let new = moved(&world).await;
    let before = world.service.status(&actor("ada"), &world.space, true).await.unwrap();
    assert_eq!(new.service.status(&actor("ada"), &new.space, true).await.unwrap(), before);
    assert_eq!(new.state().await, world.state().await);
    let log = world.service.log(&actor("ada"), &world.space, None, None).await.unwrap();
    assert_eq!(new.service.log(&actor("ada"), &new.space, None, None).await.unwrap(), log);
    new.set("next", json!(1)).await;
    assert_eq!(
        new.service.log(&actor("ada"), &new.space, None, Some(1)).await.unwrap()[0].entry,
        log[0].entry + 1
    );
}

#[tokio::test]
async fn a_retried_batch_gets_its_answer_from_the_new_server() {
    let world = World::new().await;
    let seen = world.set("shared", json!({"a": 1})).await;
    world.set("shared", json!({"a": 2})).await;
    let push = batch(1, vec![create("new", json!("ü\"\\")), put("shared", json!({"a": 3})).based_on(seen)]);
    let first = world.done(push.clone()).await;
    let new = moved(&world).await;
    let state = new.state().await;
    assert_eq!(new.done(push).await, first);
    assert_eq!(new.state().await, state, "the retry has no effect");
    let next = new.done(batch(3, vec![create("after", json!(1))])).await;
    assert_eq!(next.outcomes[0].as_str(), "applied");
}

#[tokio::test]
async fn every_cursor_goes_on_where_it_was() {
    let world = World::new().await;
    world.push((0..7).map(|n| create(&format!("a{n}"), json!(n))).collect()).await;
    world.set("b", json!(1)).await;
    world.push((0..5).map(|n| create(&format!("c{n}"), json!(n))).collect()).await;
    let new = moved(&world).await;
    let mut page = world.page(None, Some(1)).await;
    loop {
        let (old_rest, new_rest) =
            (world.page(Some(&page.cursor), None).await, new.page(Some(&page.cursor), None).await);
        assert_eq!(new_rest, old_rest);
        if !page.has_more {
            break;
        }
        page = world.page(Some(&page.cursor), Some(1)).await;
    }
    let added = new.set("new", json!(1)).await;
    let page = new.page(Some(&page.cursor), None).await;
    assert_eq!(page.changes.iter().map(|record| record.meta.version).collect::<Vec<_>>(), [added]);
}

#[tokio::test]
async fn seqs_go_on_after_the_head_also_where_the_clock_is_behind() {
    let world = World::new().await;
    world.clock.advance(Duration::from_secs(3600));
    let head = world.set("1", json!(1)).await;
    let new = moved(&world).await;
    assert_eq!(Some(new.set("1", json!(2)).await), head.checked_add(1));
}

#[tokio::test]
async fn a_conflict_is_still_open_and_can_be_resolved() {
    let world = World::new().await;
    let seen = world.set("shared", json!({"a": 1})).await;
    world.set("shared", json!({"a": 2})).await;
    world.one(put("shared", json!({"a": 3})).based_on(seen)).await;
    let conflicts = world.service.conflicts(&actor("ada"), &world.space, None, false).await.unwrap().0;
    assert_eq!(conflicts.len(), 1);
    let new = moved(&world).await;
    assert_eq!(new.service.conflicts(&actor("ada"), &new.space, None, false).await.unwrap().0, conflicts);
    let current = new.state().await[&key("shared")].meta.version;
    let resolve = put("shared", json!({"a": 3})).based_on(current).resolving(conflicts[0].id.clone());
    assert_eq!(new.one(resolve).await.as_str(), "applied");
    assert!(new.service.conflicts(&actor("ada"), &new.space, None, false).await.unwrap().0.is_empty());
}

#[tokio::test]
async fn the_floor_refuses_the_cursors_that_it_refused_before() {
    let world = World::new().await;
    let version = world.set("gone", json!(1)).await;
    let stale = world.cursor().await;
    world.one(Mutation::delete(key("gone")).based_on(version)).await;
    world.set("live", json!(1)).await;
    let fresh = world.cursor().await;
    world.clock.advance(Duration::from_secs(40 * 24 * 3600));
    let floor = world.service.collect(&world.space, false).await.unwrap().floor;
    assert!(floor > Seq::ZERO);
    let new = moved(&world).await;
    for world in [&world, &new] {
        assert_eq!(world.refusal(&stale).await, Some(ResyncReason::Horizon));
        assert_eq!(world.refusal(&fresh).await, None);
        assert_eq!(world.service.status(&actor("ada"), &world.space, false).await.unwrap().floor, floor);
    }
}
