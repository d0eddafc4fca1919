//! A server that moved to another store: replicas go on with it, and notice nothing.

use serde_json::json;

use super::world::*;
use crate::copy::{export, import};
use crate::replica::Replica;
use crate::store::{MemoryStore, StoreExt};

/// Moves the server to a store of its own.
async fn move_away(world: &mut World) {
    let (mut text, store) = (Vec::new(), MemoryStore::default());
    export(&world.store, &world.store, &mut text, &mut |_| {}).await.unwrap();
    import(&store, &store, &mut text.as_slice(), &mut |_| {}).await.unwrap();
    world.restore(store);
}

async fn put(replica: &Replica, id: &str, value: serde_json::Value) {
    replica.put("notes", id, &value).await.unwrap();
}

#[tokio::test]
async fn replicas_with_unsent_edits_go_on_without_loss_or_doubles() {
    let mut world = World::new().await;
    let (one, two) = (world.fresh().await, world.fresh().await);
    put(&one, "shared", json!({"x": 0, "y": 0})).await;
    put(&one, "gone", json!(1)).await;
    world.settle(&[&one, &two]).await;
    put(&one, "shared", json!({"x": 1, "y": 0})).await;
    put(&one, "new", json!("one")).await;
    put(&two, "shared", json!({"x": 0, "y": 2})).await;
    two.delete("notes", "gone").await.unwrap();
    let n_log = world.service.log(&ada(), &space(), None, None).await.unwrap().len();
    move_away(&mut world).await;
    let report = one.sync(&world.loopback()).await.unwrap();
    assert_eq!((report.resynced, report.renamed), (None, 0), "the replica noticed that the store is another");
    world.settle(&[&one, &two]).await;
    world.assert_converged(&[&one, &two]).await;
    assert_eq!(value(&two, "shared").await, Some(json!({"x": 1, "y": 2})));
    assert_eq!((value(&two, "new").await, value(&one, "gone").await), (Some(json!("one")), None));
    assert_eq!(world.service.log(&ada(), &space(), None, None).await.unwrap().len(), n_log + 2);
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_before_the_move_is_not_carried_out_twice() {
    let mut world = World::new().await;
    let replica = world.fresh().await;
    replica.sync(&world.loopback()).await.unwrap();
    put(&replica, "counted", json!(1)).await;
    let line = Line::with(world.loopback(), [Fate::DropReply]);
    replica.sync(&line).await.unwrap_err();
    put(&replica, "later", json!(2)).await;
    move_away(&mut world).await;
    world.settle(&[&replica]).await;
    world.assert_converged(&[&replica]).await;
    let mut txn = world.store.read(&space()).await.unwrap();
    let key = crate::conformance::key("notes", "counted");
    assert_eq!(txn.records(&[key]).await.unwrap()[0].as_ref().unwrap().meta.revision, 1);
    assert_eq!(world.service.log(&ada(), &space(), None, None).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_replica_moves_with_its_unsent_edits_too() {
    let world = World::new().await;
    let (disk, elsewhere) = (MemoryStore::default(), MemoryStore::default());
    let replica = world.replica(&disk).await;
    put(&replica, "sent", json!(1)).await;
    replica.sync(&world.loopback()).await.unwrap();
    put(&replica, "unsent", json!(2)).await;
    let mut text = Vec::new();
    export(&disk, &disk, &mut text, &mut |_| {}).await.unwrap();
    import(&elsewhere, &elsewhere, &mut text.as_slice(), &mut |_| {}).await.unwrap();
    drop(replica);
    let replica = world.replica(&elsewhere).await;
    assert_eq!(replica.unsent().await.unwrap().n_waiting, 1);
    world.settle(&[&replica]).await;
    world.assert_converged(&[&replica]).await;
    assert_eq!(value(&replica, "unsent").await, Some(json!(2)));
}
