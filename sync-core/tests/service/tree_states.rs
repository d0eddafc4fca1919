//! Trees as the server shows them: what their ops make of them, whatever was kept from before.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use serde_json::json;
use sync_core::json::Json;
use sync_core::service::{Limits, TreePage};
use sync_core::store::{LogEntry, MemoryStore, Mode, SpaceStats, Store, StoreTxn};
use sync_core::tree::StateVector;
use sync_core::{Epoch, OpId, PropertyKey, Result, Seq, SpaceId, TreeId, TreeOp};

use crate::trees::{id, moving, tree, vertex};
use crate::world::{World, actor};

/// A store that can be exchanged for another one while a service uses it.
#[derive(Clone, Debug, Default)]
struct Switch(Arc<Mutex<MemoryStore>>);

impl Switch {
    fn now(&self) -> MemoryStore {
        self.0.lock().unwrap().clone()
    }

    fn to(&self, store: MemoryStore) {
        *self.0.lock().unwrap() = store;
    }
}

#[async_trait]
impl Store for Switch {
    async fn create_space(&self, space: &SpaceId, epoch: Epoch) -> Result<()> {
        self.now().create_space(space, epoch).await
    }
    async fn delete_space(&self, space: &SpaceId) -> Result<bool> {
        self.now().delete_space(space).await
    }
    async fn spaces(&self, after: Option<&SpaceId>, limit: usize) -> Result<Vec<SpaceId>> {
        self.now().spaces(after, limit).await
    }
    async fn begin(&self, space: &SpaceId, mode: Mode) -> Result<Box<dyn StoreTxn>> {
        self.now().begin(space, mode).await
    }
    async fn stats(&self, space: &SpaceId) -> Result<SpaceStats> {
        self.now().stats(space).await
    }
    async fn log(&self, space: &SpaceId, before: Option<i64>, limit: usize) -> Result<Vec<LogEntry>> {
        self.now().log(space, before, limit).await
    }
    fn hints(&self, space: &SpaceId) -> BoxStream<'static, Seq> {
        self.now().hints(space)
    }
}

fn setting(op: &str, target: &str, key: &str, value: serde_json::Value) -> TreeOp {
    let value = Some(Json::from_value(&value).unwrap());
    TreeOp::setting(id(op), vertex(target), PropertyKey::new(key).unwrap(), value)
}

async fn add(world: &World, ops: &[TreeOp]) {
    world.service.add_ops(&actor("ada"), &world.space, &tree(), ops.to_vec()).await.unwrap();
}

async fn state(world: &World) -> TreePage {
    world.service.tree(&actor("ada"), &world.space, &tree(), None, None).await.unwrap()
}

/// Every vertex with its parent, in a line.
fn shape(page: &TreePage) -> String {
    let parts = page.vertices.iter().map(|vertex| match &vertex.parent {
        Some(parent) => format!("{}<{parent}", vertex.id),
        None => vertex.id.to_string(),
    });
    parts.collect::<Vec<_>>().join(" ")
}

async fn missing(world: &World, vector: &str, limit: Option<usize>) -> (Vec<String>, Option<OpId>) {
    let vector = StateVector::parse(vector).unwrap();
    let page = world.service.missing_ops(&actor("ada"), &world.space, &tree(), vector, limit).await.unwrap();
    (page.ops.iter().map(|op| op.id.to_string()).collect(), page.next)
}

#[tokio::test]
async fn a_tree_is_what_its_ops_make_of_it_however_they_came() {
    let world = World::new().await;
    assert_eq!((shape(&state(&world).await), state(&world).await.n_ops), (String::new(), 0));
    add(&world, &[moving("5@a1", "leaf", Some("branch")), setting("6@a1", "leaf", "name", json!("x"))]).await;
    let waiting = state(&world).await;
    assert_eq!((shape(&waiting), waiting.n_waiting), (String::new(), 2));
    add(&world, &[moving("2@a1", "branch", None)]).await;
    let page = state(&world).await;
    assert_eq!((shape(&page), page.n_waiting, page.n_ops), ("branch leaf<branch".to_owned(), 0, 3));
    assert_eq!(page.vertices[1].properties[0].1.as_str(), "\"x\"");
    assert_eq!(page.vector.to_json().as_str(), r#"{"a1":[[2,2],[5,6]]}"#);
    // What a server that starts anew makes of the stored ops is the same.
    assert_eq!(state(&world.restarted()).await, page);
}

#[tokio::test]
async fn a_tree_is_paged_by_vertex() {
    let world = World::new().await;
    let ops: Vec<TreeOp> = (1..=5).map(|n| moving(&format!("{n}@a1"), &format!("v{n}"), None)).collect();
    add(&world, &ops).await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = world.service.tree(&actor("ada"), &world.space, &tree(), after, Some(2)).await.unwrap();
        seen.push(page.vertices.len());
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [2, 2, 1]);
}

#[tokio::test]
async fn what_someone_lacks_is_answered_from_what_is_stored() {
    let world = World::new().await;
    add(&world, &[moving("1@a1", "x", None), moving("4@a1", "x", None), setting("3@a1", "x", "k", json!(2))])
        .await;
    // A write that lost, a move under itself, and one whose parent nobody has created.
    add(
        &world,
        &[
            setting("2@a1", "x", "k", json!(1)),
            moving("5@a1", "x", Some("x")),
            moving("6@a1", "y", Some("z")),
        ],
    )
    .await;
    let all = ["1@a1", "2@a1", "3@a1", "4@a1", "5@a1", "6@a1"].map(str::to_owned).to_vec();
    assert_eq!(missing(&world, "{}", None).await, (all, None));
    let some = ["2@a1", "5@a1"].map(str::to_owned).to_vec();
    assert_eq!(missing(&world, r#"{"a1":[[1,1],[3,4],[6,9]],"b2":[[1,100]]}"#, None).await, (some, None));
    assert_eq!(missing(&world, r#"{"a1":[[1,6]]}"#, None).await, (Vec::new(), None));
    let part = ["1@a1", "2@a1"].map(str::to_owned).to_vec();
    assert_eq!(missing(&world, "{}", Some(2)).await, (part, Some(id("2@a1"))));
}

#[tokio::test]
async fn what_is_missing_comes_in_the_order_of_ops_across_peers() {
    let world = World::new().await;
    add(
        &world,
        &[
            moving("3@b2", "x", None),
            moving("1@c3", "x", None),
            moving("3@a1", "x", None),
            moving("2@b2", "x", None),
        ],
    )
    .await;
    let order = ["1@c3", "2@b2", "3@a1", "3@b2"].map(str::to_owned).to_vec();
    assert_eq!(missing(&world, "{}", None).await.0, order);
}

#[tokio::test]
async fn a_server_that_was_restored_shows_the_tree_it_has() {
    let switch = Switch::default();
    let front = Arc::new(switch.clone());
    let world = World::over(MemoryStore::default(), front, |builder| builder);
    world.service.create_space(&world.space).await.unwrap();
    add(&world, &[moving("1@a1", "x", None)]).await;
    let backup = switch.now().fork();
    add(&world, &[moving("2@a1", "y", Some("x"))]).await;
    assert_eq!(shape(&state(&world).await), "x y<x");
    switch.to(backup);
    assert_eq!(shape(&state(&world).await), "x");
    add(&world, &[moving("2@a1", "z", Some("x"))]).await;
    assert_eq!(shape(&state(&world).await), "x z<x");
}

#[tokio::test]
async fn a_space_made_anew_shares_no_tree_with_the_one_before() {
    let world = World::new().await;
    add(&world, &[moving("1@a1", "x", None)]).await;
    assert_eq!(shape(&state(&world).await), "x");
    world.service.delete_space(&world.space).await.unwrap();
    world.service.create_space(&world.space).await.unwrap();
    assert_eq!(shape(&state(&world).await), "");
}

#[tokio::test]
async fn trees_that_are_too_many_to_keep_are_made_again() {
    // Some of them, and none.
    for tree_cache_bytes_max in [10_000, 1] {
        let limits = Limits { tree_cache_bytes_max, page_rows_max: 3, ..Limits::default() };
        each_is_what_it_is(&World::with(|builder| builder.limits(limits)).await).await;
    }
}

async fn each_is_what_it_is(world: &World) {
    let trees: Vec<TreeId> = (0..4).map(|n| TreeId::new(format!("t{n}")).unwrap()).collect();
    for round in 1..=5 {
        for (idx, tree) in trees.iter().enumerate() {
            let op = moving(&format!("{round}@a1"), &format!("v{idx}-{round}"), None);
            world.service.add_ops(&actor("ada"), &world.space, tree, vec![op]).await.unwrap();
            let page = world.service.tree(&actor("ada"), &world.space, tree, None, None).await.unwrap();
            assert_eq!(page.n_ops, round);
            assert!(page.vertices.iter().all(|vertex| vertex.id.as_str().starts_with(&format!("v{idx}-"))));
        }
    }
}
