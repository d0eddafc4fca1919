//! Checkpoints of trees on replicas: where a state begins after a start, and nothing more.

use super::trees::{create, outline, sync_all};
use super::world::{World, space};
use crate::error::ErrorKind;
use crate::replica::Replica;
use crate::replica::local::place::Side;
use crate::replica::local::trees::Mark;
use crate::store::{Call, CommitWrite, Fault, FaultyStore, MemoryStore, StoreExt, TreeCheckpoint};
use crate::tree::{TreeState, kept};
use crate::types::{SpaceId, TreeId, TreeOp, VertexId};

const OPS_MIN: u64 = 10;

async fn open(world: &World, disk: &MemoryStore) -> Replica {
    let mut options = world.options();
    options.checkpoint_ops_min = OPS_MIN;
    Replica::open(std::sync::Arc::new(disk.clone()), space(), options).await.unwrap()
}

fn tree() -> TreeId {
    TreeId::new("outline").unwrap()
}

fn local_space(replica: &Replica) -> SpaceId {
    replica.0.place.space(Side::Live).clone()
}

async fn stored(replica: &Replica, disk: &MemoryStore) -> Option<String> {
    disk.read(&local_space(replica)).await.unwrap().checkpoint(&tree()).await.unwrap()
}

/// The checkpoint, once there is one: it is stored by and by.
async fn written(replica: &Replica, disk: &MemoryStore) -> String {
    for _ in 0..1000 {
        match stored(replica, disk).await {
            Some(body) => return body,
            None => tokio::task::yield_now().await,
        }
    }
    panic!("no checkpoint was stored");
}

async fn put(replica: &Replica, disk: &MemoryStore, body: &str) {
    let checkpoint = TreeCheckpoint { tree: tree(), body: body.to_owned() };
    let write = CommitWrite { checkpoints: vec![checkpoint], ..CommitWrite::default() };
    let mut txn = disk.write(&local_space(replica)).await.unwrap();
    txn.apply(&write).await.unwrap();
    txn.commit().await.unwrap();
}

async fn n_vertices(replica: &Replica) -> usize {
    outline(replica).read(|tree| tree.state().n_vertices()).await.unwrap()
}

/// A replica with so many vertices, and what it keeps.
async fn grown(world: &World, n: usize) -> (Replica, MemoryStore) {
    let disk = MemoryStore::default();
    let replica = open(world, &disk).await;
    for n in 0..n {
        create(&replica, &format!("v{n}"), None).await;
    }
    assert_eq!(n_vertices(&replica).await, n);
    (replica, disk)
}

/// A state that the ops do not make, by which it can be told that a checkpoint was used.
fn of_a_stranger(body: &str) -> String {
    let (mark, _) = kept::read::<Mark>(body, |_| true).unwrap();
    let mut state = TreeState::new();
    let op = |n: u64| {
        let id = format!("{n}@abc").parse().unwrap();
        TreeOp::moving(id, VertexId::new(format!("strange{n}")).unwrap(), None)
    };
    state.apply((1..=100).map(op));
    kept::write(&mark, &state)
}

#[tokio::test]
async fn a_replica_that_starts_anew_begins_with_the_checkpoint() {
    let world = World::new().await;
    let (replica, disk) = grown(&world, 12).await;
    let body = written(&replica, &disk).await;
    create(&replica, "later", None).await;
    let hash = outline(&replica).read(|tree| tree.state().hash()).await.unwrap();
    replica.close().await;
    let again = open(&world, &disk).await;
    assert_eq!(outline(&again).read(|tree| tree.state().hash()).await.unwrap(), hash);
    put(&again, &disk, &of_a_stranger(&body)).await;
    again.close().await;
    let misled = open(&world, &disk).await;
    // It was made when there were ten: what it holds, and the three that came since.
    assert_eq!(n_vertices(&misled).await, 103);
}

#[tokio::test]
async fn a_checkpoint_that_does_not_count_any_more_is_passed_over() {
    let world = World::new().await;
    let (replica, disk) = grown(&world, 12).await;
    let strange = of_a_stranger(&written(&replica, &disk).await);
    // Cut, and nonsense.
    for body in [&strange[..strange.len() / 2], "", "x y"] {
        put(&replica, &disk, body).await;
        // The state in memory went with the last handle to the tree.
        assert_eq!(n_vertices(&replica).await, 12, "{body}");
    }
    // Ops were removed since, which no feed tells.
    put(&replica, &disk, &strange).await;
    replica.write(|local| Box::pin(async move { local.note_lost_ops().await })).await.unwrap();
    replica.close().await;
    let again = open(&world, &disk).await;
    assert_eq!(n_vertices(&again).await, 12);
}

#[tokio::test]
async fn what_was_removed_from_a_replica_is_in_no_checkpoint_either() {
    let world = World::new().await;
    let (replica, disk) = grown(&world, 12).await;
    // The first sync loads the space into another side, which has no checkpoint before someone reads the tree.
    sync_all(&world, &[&replica]).await;
    assert_eq!(n_vertices(&replica).await, 12);
    assert!(written(&replica, &disk).await.contains("n_losses"));
    replica.select(&["notes"]).await.unwrap();
    sync_all(&world, &[&replica]).await;
    assert_eq!(n_vertices(&replica).await, 0);
    assert_eq!(stored(&replica, &disk).await.as_deref(), Some("-"));
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_done_without() {
    let world = World::new().await;
    let (replica, disk) = grown(&world, 12).await;
    written(&replica, &disk).await;
    replica.close().await;
    let front = FaultyStore::new(std::sync::Arc::new(disk.clone()));
    let again = Replica::open(std::sync::Arc::new(front.clone()), space(), world.options()).await.unwrap();
    let before = front.n_calls_of(Call::Checkpoint);
    // Its transaction begins and asks for the checkpoint.
    front.fail_at(front.n_calls() + 2, Fault::Error(ErrorKind::Corrupt));
    assert_eq!(n_vertices(&again).await, 12);
    assert_eq!(front.n_calls_of(Call::Checkpoint), before + 1);
}

#[tokio::test]
async fn a_copy_that_took_another_name_numbers_on_from_the_checkpoint() {
    let world = World::new().await;
    let (replica, disk) = grown(&world, 12).await;
    written(&replica, &disk).await;
    sync_all(&world, &[&replica]).await;
    let twin = open(&world, &disk.fork()).await;
    create(&replica, "mine", None).await;
    create(&twin, "theirs", None).await;
    sync_all(&world, &[&replica, &twin, &replica]).await;
    assert_eq!((n_vertices(&replica).await, n_vertices(&twin).await), (14, 14));
    let hash = async |replica: &Replica| outline(replica).read(|tree| tree.state().hash()).await.unwrap();
    assert_eq!(hash(&replica).await, hash(&twin).await);
}
