//! Checkpoints of trees at a server: where a state begins, and nothing that anyone could tell.

use std::sync::Arc;

use sync_core::conformance::commit_write;
use sync_core::service::{Limits, TreePage};
use sync_core::store::{Call, CommitWrite, Fault, FaultyStore, MemoryStore, StoreExt, TreeCheckpoint};
use sync_core::{ErrorKind, TreeId, TreeOp};

use crate::trees::{moving, tree};
use crate::world::{World, actor};

fn limits() -> Limits {
    Limits { checkpoint_ops_min: 10, page_rows_max: 5, ..Limits::default() }
}

/// A server over what another one has left, and how often it reads.
fn started(store: &MemoryStore) -> (World, FaultyStore) {
    let front = FaultyStore::new(Arc::new(store.clone()));
    (World::over(store.clone(), Arc::new(front.clone()), |builder| builder.limits(limits())), front)
}

async fn world() -> World {
    World::with(|builder| builder.limits(limits())).await
}

/// Adds a chain of vertices below each other, `from` to `to`.
async fn add(world: &World, from: usize, to: usize) {
    let op = |n: usize| {
        let parent = format!("v{}", n.saturating_sub(1));
        moving(&format!("{}@a1", n + 1), &format!("v{n}"), (n > 0).then_some(parent.as_str()))
    };
    let ops: Vec<TreeOp> = (from..to).map(op).collect();
    world.service.add_ops(&actor("ada"), &world.space, &tree(), ops).await.unwrap();
}

async fn state(world: &World) -> TreePage {
    world.service.tree(&actor("ada"), &world.space, &tree(), None, None).await.unwrap()
}

async fn stored(store: &MemoryStore, world: &World) -> Option<String> {
    store.read(&world.space).await.unwrap().checkpoint(&tree()).await.unwrap()
}

/// The checkpoint, once it is another one than `before`: it is written by and by.
async fn written(world: &World, before: Option<&str>) -> String {
    for _ in 0..1000 {
        match stored(&world.store, world).await {
            Some(body) if Some(body.as_str()) != before => return body,
            _ => tokio::task::yield_now().await,
        }
    }
    panic!("no checkpoint was written");
}

#[tokio::test]
async fn a_server_that_starts_anew_begins_with_the_checkpoint() {
    let world = world().await;
    add(&world, 0, 50).await;
    let hash = state(&world).await.hash;
    let first = written(&world, None).await;
    let (again, front) = started(&world.store);
    assert_eq!(state(&again).await.hash, hash);
    let n_reads = front.n_calls_of(Call::Feed);
    assert!(n_reads <= 1, "{n_reads} reads, and there was nothing left to read");
    // What came since is read from there on, and counts towards the next one.
    add(&again, 50, 58).await;
    state(&again).await;
    assert_eq!(stored(&world.store, &world).await.as_deref(), Some(first.as_str()));
    add(&again, 58, 70).await;
    let grown = state(&again).await;
    assert_eq!(grown.n_ops, 70);
    written(&again, Some(&first)).await;
    let (last, _) = started(&world.store);
    assert_eq!((state(&last).await.hash, state(&last).await.n_ops), (grown.hash, 70));
}

#[tokio::test]
async fn small_trees_get_none() {
    let world = world().await;
    add(&world, 0, 9).await;
    state(&world).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stored(&world.store, &world).await, None);
}

#[tokio::test]
async fn what_is_no_checkpoint_of_this_history_is_not_begun_with() {
    let world = world().await;
    add(&world, 0, 30).await;
    let hash = state(&world).await.hash;
    let good = written(&world, None).await;
    // As it is left by a server that went on from a backup: of a history that is none any more.
    let other = World::with(|builder| builder.limits(limits())).await;
    add(&other, 0, 40).await;
    state(&other).await;
    let strange = written(&other, None).await;
    let (cut, mixed) = (good[..good.len() / 2].to_owned(), good.replace(' ', " A"));
    let of_other = format!("{}{}", &strange[..strange.find(' ').unwrap()], &good[good.find(' ').unwrap()..]);
    for body in [String::new(), "x".into(), cut, mixed, strange, of_other] {
        let checkpoint = TreeCheckpoint { tree: tree(), body: body.clone() };
        let write = CommitWrite { checkpoints: vec![checkpoint], ..CommitWrite::default() };
        commit_write(&world.store, &world.space, &write).await.unwrap();
        let (again, front) = started(&world.store);
        assert_eq!(state(&again).await.hash, hash, "{body}");
        assert!(front.n_calls_of(Call::Feed) > 3, "it was made from its ops");
        // And gets a good one.
        written(&again, Some(&body)).await;
    }
}

#[tokio::test]
async fn a_restored_server_tells_of_the_tree_it_has() {
    let world = world().await;
    add(&world, 0, 20).await;
    let (before, restored) = (state(&world).await, world.restored());
    written(&world, None).await;
    add(&world, 20, 60).await;
    let after = state(&world).await;
    assert_ne!(before.hash, after.hash);
    // The checkpoint of what was lost, in a store that has lost it: a copy of the tables at different moments.
    let late = written(&world, stored(&restored.store, &restored).await.as_deref()).await;
    let checkpoint = TreeCheckpoint { tree: tree(), body: late };
    let write = CommitWrite { checkpoints: vec![checkpoint], ..CommitWrite::default() };
    commit_write(&restored.store, &restored.space, &write).await.unwrap();
    let (again, _) = started(&restored.store);
    assert_eq!(state(&again).await.hash, before.hash);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_done_without() {
    let world = world().await;
    add(&world, 0, 30).await;
    let hash = state(&world).await.hash;
    written(&world, None).await;
    let (again, front) = started(&world.store);
    // The first call begins the transaction.
    front.fail_at(2, Fault::Error(ErrorKind::Corrupt));
    assert_eq!(state(&again).await.hash, hash);
    assert_eq!(front.n_calls_of(Call::Checkpoint), 1);
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_is_not_tried_for_every_reader() {
    let world = world().await;
    add(&world, 0, 30).await;
    // A state that is too large to keep is made for each of them.
    let limits = Limits { tree_cache_bytes_max: 1, ..limits() };
    let front = FaultyStore::new(Arc::new(world.store.clone()));
    let again = World::over(world.store.clone(), Arc::new(front.clone()), |builder| builder.limits(limits));
    let hash = state(&again).await.hash;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let n_written = front.n_calls_of(Call::Apply);
    assert_eq!(n_written, 1);
    // As from a store that keeps none.
    let write = CommitWrite {
        checkpoints: vec![TreeCheckpoint { tree: tree(), body: String::new() }],
        ..CommitWrite::default()
    };
    commit_write(&world.store, &world.space, &write).await.unwrap();
    for _ in 0..5 {
        assert_eq!(state(&again).await.hash, hash);
        tokio::task::yield_now().await;
    }
    assert_eq!(front.n_calls_of(Call::Apply), n_written);
}

#[tokio::test]
async fn trees_do_not_take_each_others_checkpoints() {
    let world = world().await;
    add(&world, 0, 30).await;
    state(&world).await;
    written(&world, None).await;
    let other = TreeId::new("other").unwrap();
    let page = world.service.tree(&actor("ada"), &world.space, &other, None, None).await.unwrap();
    assert_eq!((page.n_ops, page.vertices.len()), (0, 0));
}
