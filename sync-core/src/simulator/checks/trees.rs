//! I15: a tree is one, and the same for everyone, whatever the order in which ops came.

use super::View;
use super::reading::somebody;
use super::view::expected;
use crate::error::Result;
use crate::service::{Service, TreePage};
use crate::simulator::Invariant;
use crate::simulator::app::fault_of;
use crate::simulator::scenario::OUTLINE;
use crate::simulator::world::World;
use crate::store::stored_op;
use crate::tree::{StateVector, TreeHash, TreeState};
use crate::types::{SpaceId, TreeId, TreeOp};

/// Orders in which the ops of a tree are delivered once more.
const N_ORDERS: usize = 3;

/// Everyone has the tree that follows from the ops on the server's disk.
pub(super) async fn trees_are_valid_and_the_same(world: &mut World<'_>, view: &View) {
    let ops = view.records.values().filter(|record| record.key.collection.is_tree());
    let Some(ops) = expected(world, ops.map(stored_op).collect()) else { return };
    let hash = any_order_makes_the_same(world, ops);
    for (device, _) in &view.devices {
        let Some(running) = device.running() else { continue };
        let Some(outline) = expected(world, running.replica.tree(OUTLINE)) else { return };
        let read = outline.read(|tree| (tree.state().hash(), fault_of(tree.state()))).await;
        let Some((seen, fault)) = expected(world, read) else { return };
        world.journal.expect(fault.is_none() && seen == hash, Invariant::TreeValid, || {
            format!("{device} has another tree than its ops make ({seen}, not {hash}): {fault:?}")
        });
    }
    the_server_answers_with_it(world, view, hash).await;
}

/// Delivers ops in several orders: one by one, and twice.
fn any_order_makes_the_same(world: &World<'_>, ops: Vec<TreeOp>) -> TreeHash {
    let mut tree = TreeState::new();
    tree.apply(ops.iter().cloned());
    let hash = tree.hash();
    for _ in 0..N_ORDERS {
        let mut left: Vec<TreeOp> = ops.iter().chain(&ops).cloned().collect();
        let mut tree = TreeState::new();
        while !left.is_empty() {
            tree.apply([left.swap_remove(world.dice.below(left.len()))]);
        }
        let fault = fault_of(&tree);
        world.journal.expect(fault.is_none() && tree.hash() == hash, Invariant::TreeValid, || {
            format!("in another order the same ops make another tree: {fault:?}")
        });
    }
    hash
}

/// The tree that a server tells of.
pub(super) async fn outline_of(service: &Service, space: &SpaceId) -> Result<TreePage> {
    service.tree(&somebody(), space, &outline(), None, None).await
}

fn outline() -> TreeId {
    TreeId::new(OUTLINE).expect("a plain word is the name of a tree")
}

/// What a server keeps of a tree, through restores and forks, is what the ops make now.
async fn the_server_answers_with_it(world: &World<'_>, view: &View, hash: TreeHash) {
    let Some(endpoint) = world.network.endpoint(usize::MAX) else { return };
    let (service, space) = (endpoint.service.clone(), view.space.clone());
    let asked = endpoint.process.call(async move {
        let page = outline_of(&service, &space).await?;
        let missing = service.missing_ops(&somebody(), &space, &outline(), page.vector, None).await?;
        let all = service.missing_ops(&somebody(), &space, &outline(), StateVector::new(), None).await?;
        Ok((page.hash, missing.ops.len(), all.ops.is_empty()))
    });
    let Some(Some((seen, n_missing, is_empty))) = asked.await.map(|asked| expected(world, asked)) else {
        return;
    };
    let is_right = seen == hash && n_missing == 0 && is_empty == (hash == TreeState::new().hash());
    world.journal.expect(is_right, Invariant::TreeValid, || {
        format!("the server tells of another tree than its ops make ({seen}, not {hash})")
    });
}
