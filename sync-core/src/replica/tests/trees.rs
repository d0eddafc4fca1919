//! Trees on replicas: edited apart, the same in the end, whatever happens on the way.

use futures_util::FutureExt;
use serde_json::json;

use super::world::{World, space};
use crate::accounts::Role;
use crate::json::Json;
use crate::replica::{Replica, ReplicaTree};
use crate::service::{Actor, Limits};
use crate::store::MemoryStore;
use crate::tree::TreeHash;
use crate::types::{ActorId, OpClock, OpId, PropertyKey, TreeId, TreeOp, VertexId};

pub(super) fn vertex(name: &str) -> VertexId {
    VertexId::new(name).unwrap()
}

pub(super) fn key(name: &str) -> PropertyKey {
    PropertyKey::new(name).unwrap()
}

pub(super) fn json_of(value: serde_json::Value) -> Json {
    Json::from_value(&value).unwrap()
}

pub(super) fn outline(replica: &Replica) -> ReplicaTree {
    replica.tree("outline").unwrap()
}

pub(super) async fn create(replica: &Replica, name: &str, parent: Option<&str>) {
    let parent = parent.map(vertex);
    outline(replica).edit(|edit| edit.create(vertex(name), parent.as_ref(), None).map(drop)).await.unwrap();
}

pub(super) async fn moves(replica: &Replica, name: &str, parent: &str) {
    outline(replica).edit(|edit| edit.move_to(&vertex(name), &vertex(parent)).map(drop)).await.unwrap();
}

async fn children(replica: &Replica, parent: &str) -> Vec<String> {
    let parent = vertex(parent);
    let children = outline(replica).read(move |tree| tree.state().children(&parent)).await.unwrap();
    children.iter().map(|child| child.as_str().to_owned()).collect()
}

async fn hash(replica: &Replica) -> TreeHash {
    outline(replica).read(|tree| tree.state().hash()).await.unwrap()
}

/// What the server has.
async fn ops(world: &World) -> Vec<TreeOp> {
    let tree = TreeId::new("outline").unwrap();
    world.service.ops(&super::world::ada(), &space(), &tree, None, None).await.unwrap().ops
}

/// Everyone has sent everything, and has the server's tree and its state.
async fn assert_one_tree(world: &World, replicas: &[&Replica]) {
    let server = world
        .service
        .tree(&super::world::ada(), &space(), &TreeId::new("outline").unwrap(), None, None)
        .await;
    let server = server.unwrap().hash;
    for replica in replicas {
        let unsent = replica.unsent().await.unwrap();
        assert!(unsent.is_empty(), "{unsent:?}: {:?}", replica.set_aside(10).await.unwrap());
        assert_eq!(hash(replica).await, server);
        assert_eq!(replica.state_hash().await.unwrap(), world.hash().await);
    }
}

pub(super) async fn sync_all(world: &World, replicas: &[&Replica]) {
    for _ in 0..2 {
        for replica in replicas {
            replica.sync(&world.loopback()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn two_who_move_the_same_branch_apart_have_one_tree_in_the_end() {
    let world = World::new().await;
    let (desk, phone) = (world.fresh().await, world.fresh().await);
    for (name, parent) in [("root", None), ("a", Some("root")), ("b", Some("root")), ("leaf", Some("a"))] {
        create(&desk, name, parent).await;
    }
    sync_all(&world, &[&desk, &phone]).await;
    assert_eq!(children(&phone, "root").await, ["a", "b"]);
    moves(&desk, "a", "b").await;
    moves(&phone, "b", "a").await;
    moves(&phone, "leaf", "root").await;
    assert_eq!(children(&desk, "b").await, ["a"]);
    sync_all(&world, &[&desk, &phone]).await;
    assert_one_tree(&world, &[&desk, &phone]).await;
    let tops =
        [children(&desk, "root").await, children(&desk, "a").await, children(&desk, "b").await].concat();
    assert_eq!(tops.len(), 3, "every vertex has one parent: {tops:?}");
}

#[tokio::test]
async fn a_replica_that_is_opened_again_goes_on_where_it_was() {
    let (world, store) = (World::new().await, MemoryStore::default());
    let replica = world.replica(&store).await;
    create(&replica, "root", None).await;
    create(&replica, "a", Some("root")).await;
    let before = hash(&replica).await;
    replica.close().await;
    let replica = world.replica(&store).await;
    assert_eq!(hash(&replica).await, before);
    create(&replica, "b", Some("root")).await;
    replica.sync(&world.loopback()).await.unwrap();
    assert_eq!(children(&replica, "root").await, ["a", "b"]);
    assert_one_tree(&world, &[&replica]).await;
}

#[tokio::test]
async fn an_edit_that_fails_stores_nothing_of_it() {
    let world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let failed = outline(&replica)
        .edit(|edit| {
            edit.create(vertex("a"), Some(&vertex("root")), None)?;
            edit.move_to(&vertex("nowhere"), &vertex("root"))
        })
        .await
        .unwrap_err();
    assert_eq!(failed.kind(), crate::ErrorKind::Invalid);
    assert!(std::error::Error::source(&failed).unwrap().is::<crate::tree::TreeError>());
    assert!(children(&replica, "root").await.is_empty());
    create(&replica, "b", Some("root")).await;
    replica.sync(&world.loopback()).await.unwrap();
    assert_eq!(children(&replica, "root").await, ["b"]);
    assert_one_tree(&world, &[&replica]).await;
}

#[tokio::test]
async fn what_the_server_refuses_is_set_aside_and_leaves_the_tree() {
    let limits = Limits { op_bytes_max: 100, ..Limits::default() };
    let world = World::with(crate::Policies::default(), limits).await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let (large, name) = (json_of(json!("x".repeat(100))), key("name"));
    outline(&replica).edit(|edit| edit.set(&vertex("root"), name.clone(), large).map(drop)).await.unwrap();
    create(&replica, "a", Some("root")).await;
    replica.sync(&world.loopback()).await.unwrap();
    assert_eq!(replica.set_aside(10).await.unwrap().len(), 1);
    let outline = outline(&replica);
    let shown = outline.read(|tree| tree.property(&vertex("root"), &key("name")).cloned()).await;
    assert_eq!(shown.unwrap(), None);
    assert_one_tree(&world, &[&replica]).await;
    // The replica goes on, and uses no id again: not that of what was refused either.
    create(&replica, "b", Some("root")).await;
    replica.sync(&world.loopback()).await.unwrap();
    assert_eq!(children(&replica, "root").await, ["a", "b"]);
    let clocks: Vec<u64> = ops(&world).await.iter().map(|op| op.id.clock.get()).collect();
    assert_eq!(clocks, [1, 3, 4]);
}

#[tokio::test]
async fn an_op_that_was_set_aside_is_made_again_with_an_id_of_its_own() {
    let mut world =
        World::with(crate::Policies::default(), Limits { op_bytes_max: 100, ..Limits::default() }).await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let (long, name) = (json_of(json!("x".repeat(100))), key("name"));
    outline(&replica).edit(|edit| edit.set(&vertex("root"), name, long.clone()).map(drop)).await.unwrap();
    replica.sync(&world.loopback()).await.unwrap();
    let aside = replica.set_aside(10).await.unwrap().remove(0);
    // The server has become more generous.
    let store = world.store.clone();
    world.restore(store);
    assert!(replica.retry(&aside.id).await.unwrap());
    replica.sync(&world.loopback()).await.unwrap();
    assert!(replica.set_aside(10).await.unwrap().is_empty());
    let shown = outline(&replica);
    let shown = shown.read(|tree| tree.property(&vertex("root"), &key("name")).cloned()).await;
    assert_eq!(shown.unwrap(), Some(long));
    assert_one_tree(&world, &[&replica]).await;
}

#[tokio::test]
async fn a_value_that_could_not_travel_is_refused_at_once() {
    let world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let deep = (0..31).fold(json!(1), |value, _| json!([value]));
    for value in [json!([deep]), json!("x".repeat(256 << 10))] {
        let value = json_of(value);
        let refused =
            outline(&replica).edit(|edit| edit.set(&vertex("root"), key("k"), value).map(drop)).await;
        assert_eq!(refused.unwrap_err().kind(), crate::ErrorKind::Invalid);
    }
    outline(&replica)
        .edit(|edit| edit.set(&vertex("root"), key("k"), json_of(deep)).map(drop))
        .await
        .unwrap();
    replica.sync(&world.loopback()).await.unwrap();
    assert_one_tree(&world, &[&replica]).await;
}

#[tokio::test]
async fn who_takes_the_peer_of_another_keeps_them_from_nothing() {
    let world = World::new().await;
    let (replica, other) = (world.fresh().await, world.fresh().await);
    create(&replica, "root", None).await;
    // Mallory knows the name of the replica, and what follows from it.
    let client = replica.read(|local| async move { local.state().await }.boxed()).await.unwrap();
    let mallory = Actor::new(ActorId::new("mallory").unwrap(), Role::Editor);
    let op = TreeOp::moving(OpId::new(OpClock::FIRST, client.peer()), vertex("evil"), None);
    let tree = TreeId::new("outline").unwrap();
    world.service.add_ops(&mallory, &space(), &tree, vec![op]).await.unwrap();
    create(&replica, "a", Some("root")).await;
    sync_all(&world, &[&replica, &other]).await;
    create(&replica, "b", Some("a")).await;
    sync_all(&world, &[&replica, &other]).await;
    assert_eq!(children(&other, "root").await, ["a"]);
    assert_eq!(children(&other, "a").await, ["b"]);
    assert!(replica.set_aside(10).await.unwrap().is_empty());
    assert_one_tree(&world, &[&replica, &other]).await;
}

#[tokio::test]
async fn a_replica_may_keep_one_tree_of_many() {
    let world = World::new().await;
    let (desk, phone) = (world.fresh().await, world.fresh().await);
    create(&desk, "root", None).await;
    let other = desk.tree("other").unwrap();
    other.edit(|edit| edit.create(vertex("x"), None, None).map(drop)).await.unwrap();
    desk.put("notes", "n", "not here").await.unwrap();
    desk.sync(&world.loopback()).await.unwrap();
    phone.select(&["$tree:outline"]).await.unwrap();
    phone.sync(&world.loopback()).await.unwrap();
    for name in ["a", "b"] {
        create(&phone, name, Some("root")).await;
        phone.sync(&world.loopback()).await.unwrap();
    }
    assert_eq!(children(&phone, "root").await, ["a", "b"]);
    assert_eq!(phone.tree("other").unwrap().read(|tree| tree.state().n_vertices()).await.unwrap(), 0);
    assert_eq!(phone.get::<String>("notes", "n").await.unwrap(), None);
    assert!(phone.set_aside(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn two_copies_of_one_replica_lose_no_edit_of_a_tree() {
    let (world, store) = (World::new().await, MemoryStore::default());
    let first = world.replica(&store).await;
    create(&first, "root", None).await;
    first.sync(&world.loopback()).await.unwrap();
    create(&first, "before", Some("root")).await;
    let second = world.replica(&store.fork()).await;
    create(&first, "mine", Some("root")).await;
    create(&second, "theirs", Some("root")).await;
    sync_all(&world, &[&first, &second]).await;
    create(&second, "later", Some("theirs")).await;
    sync_all(&world, &[&first, &second]).await;
    assert_one_tree(&world, &[&first, &second]).await;
    assert_eq!(children(&first, "root").await, ["before", "mine", "theirs"]);
    assert_eq!(children(&first, "theirs").await, ["later"]);
    for replica in [&first, &second] {
        assert!(replica.set_aside(10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_server_that_was_restored_gets_its_ops_again() {
    let mut world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    replica.sync(&world.loopback()).await.unwrap();
    let backup = world.store.fork();
    create(&replica, "a", Some("root")).await;
    replica.sync(&world.loopback()).await.unwrap();
    world.restore(backup);
    create(&replica, "b", Some("a")).await;
    sync_all(&world, &[&replica]).await;
    assert_one_tree(&world, &[&replica]).await;
    assert_eq!(
        (children(&replica, "root").await, children(&replica, "a").await),
        (vec!["a".into()], vec!["b".into()])
    );
    assert!(replica.set_aside(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_loads_a_space_has_its_trees() {
    let world = World::new().await;
    let desk = world.fresh().await;
    for n in 0..30 {
        create(&desk, &format!("v{n:02}"), (n > 0).then_some("v00")).await;
    }
    desk.put("notes", "n", "beside it").await.unwrap();
    desk.sync(&world.loopback()).await.unwrap();
    let phone = world.fresh().await;
    phone.sync(&world.loopback()).await.unwrap();
    assert_eq!(children(&phone, "v00").await.len(), 29);
    assert_one_tree(&world, &[&desk, &phone]).await;
}

#[tokio::test]
async fn two_handles_on_a_tree_number_their_ops_together() {
    let world = World::new().await;
    let replica = world.fresh().await;
    create(&replica, "root", None).await;
    let (one, two) = (outline(&replica), outline(&replica));
    let edit = |tree: ReplicaTree, name: &'static str| async move {
        for n in 0..10 {
            let name = vertex(&format!("{name}{n}"));
            tree.edit(|edit| edit.create(name, Some(&vertex("root")), None).map(drop)).await.unwrap();
        }
    };
    tokio::join!(edit(one, "a"), edit(two, "b"));
    replica.sync(&world.loopback()).await.unwrap();
    assert_eq!(children(&replica, "root").await.len(), 20);
    assert_one_tree(&world, &[&replica]).await;
}

#[tokio::test]
async fn whoever_watches_everything_is_told_of_records_alone() {
    use futures_util::StreamExt;
    let world = World::new().await;
    let replica = world.fresh().await;
    let (mut all, mut tree) = (replica.watch(&[]).unwrap(), outline(&replica).watch());
    create(&replica, "root", None).await;
    assert!(tree.next().now_or_never().is_some());
    assert!(all.next().now_or_never().is_none());
}
