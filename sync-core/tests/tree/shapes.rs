//! Large trees of the worst shapes: no stack runs over, and nothing takes the square of their size.

use sync_core::tree::{Place, TreeState};
use sync_core::{TreeOp, VertexId};

use crate::histories::{Dice, moving, setting, vertex};

const N_VERTICES: usize = 100_000;

/// One under the other. The first is called "0", under which deleted vertices are.
fn chain() -> Vec<TreeOp> {
    (0..N_VERTICES).map(|number| moving(number + 1, 1, number, number.checked_sub(1))).collect()
}

fn deepest() -> VertexId {
    vertex(N_VERTICES - 1)
}

#[test]
fn a_chain_that_comes_with_its_end_first_is_built_when_its_top_comes() {
    for n_batch in [1, 1000, N_VERTICES] {
        let (mut tree, mut ops) = (TreeState::new(), chain());
        ops.reverse();
        ops.insert(0, setting(N_VERTICES + 1, 1, N_VERTICES - 1, "a", Some("1")));
        for batch in ops[..N_VERTICES].chunks(n_batch) {
            assert!(tree.apply(batch.to_vec()).is_empty());
        }
        assert_eq!(tree.waiting().len(), N_VERTICES);
        let report = tree.apply([ops[N_VERTICES].clone()]);
        assert_eq!((report.moves().len(), report.writes().len(), report.n_waiting()), (N_VERTICES, 1, 0));
        assert_eq!(tree.place(&deepest()), Some(Place::Under(vertex(N_VERTICES - 2))));
        assert!(tree.is_within(&deepest(), &vertex(0)) && tree.is_deleted(&deepest()));
        assert!(report.touches(&tree, &vertex(0)));
        assert_eq!(tree.subtree(&vertex(0)).last(), Some((deepest(), N_VERTICES - 1)));
    }
}

#[test]
fn a_chain_in_any_order_is_the_same_chain() {
    let mut ops = chain();
    let mut in_order = TreeState::new();
    in_order.apply(ops.clone());
    Dice::new(5).shuffle(&mut ops);
    let mut tree = TreeState::new();
    ops.chunks(1000).for_each(|batch| drop(tree.apply(batch.to_vec())));
    assert_eq!(tree.hash(), in_order.hash());
}

#[test]
fn one_of_a_hundred_thousand_children_leaves_as_easily_as_one_of_two() {
    let mut tree = TreeState::new();
    tree.apply([moving(1, 1, 0, None), moving(2, 1, N_VERTICES, None)]);
    for first in (1..N_VERTICES).step_by(100) {
        tree.apply((first..first + 100).map(|child| moving(2 + child, 1, child, Some(0))));
        assert!(tree.children(&vertex(N_VERTICES)).is_empty());
    }
    let n_children = tree.children(&vertex(0)).len();
    for child in 1..1000 {
        tree.apply([moving(2 * N_VERTICES + child, 1, child, Some(N_VERTICES))]);
    }
    assert_eq!(tree.children(&vertex(0)).len(), n_children - 999);
    assert_eq!(tree.children(&vertex(N_VERTICES)).len(), 999);
}

#[test]
fn many_peers_of_one_op_each_are_no_trouble() {
    let peer = |number: usize| sync_core::PeerId::new(format!("{:x}", number * 7919 % 20_011)).unwrap();
    let op = |number: usize, parent| {
        TreeOp::moving(sync_core::OpId::new(sync_core::OpClock::FIRST, peer(number)), vertex(number), parent)
    };
    let mut tree = TreeState::new();
    tree.apply((0..20_000).map(|number| op(number, None)));
    // All have the same clock, so that nothing but the names of the peers orders them.
    let mut reversed = TreeState::new();
    (0..20_000).rev().for_each(|number| drop(reversed.apply([op(number, None)])));
    assert_eq!(tree.hash(), reversed.hash());
    assert_eq!(tree.state_vector(), reversed.state_vector());
}
