//! Editing a tree as an application does.

use sync_core::json::Json;
use sync_core::tree::{Place, Tree, TreeError};
use sync_core::{IdSource, OpClock, OpId, PeerId, PropertyKey, SeededIds, TreeOp, VertexId};

use crate::histories::{Dice, vertex};

fn tree(peer: &str) -> Tree {
    Tree::new(PeerId::new(peer).unwrap())
}

fn key(text: &str) -> PropertyKey {
    PropertyKey::new(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::from_canonical(text)
}

/// A root 1 with 2, and 3 under 2.
fn small() -> Tree {
    let mut tree = tree("a");
    tree.create(vertex(1), None, None).unwrap();
    tree.create(vertex(2), Some(&vertex(1)), None).unwrap();
    tree.create(vertex(3), Some(&vertex(2)), None).unwrap();
    tree
}

#[test]
fn an_edit_that_cannot_be_is_refused_and_changes_nothing() {
    let mut tree = small();
    let before = (tree.state().hash(), tree.state().clock());
    let below = TreeError::BelowItself { vertex: vertex(2), parent: vertex(3) };
    let same = TreeError::BelowItself { vertex: vertex(2), parent: vertex(2) };
    assert_eq!(tree.move_to(&vertex(2), &vertex(3)).unwrap_err(), below);
    assert_eq!(tree.move_to(&vertex(2), &vertex(2)).unwrap_err(), same);
    assert_eq!(tree.move_to(&vertex(9), &vertex(3)).unwrap_err(), TreeError::UnknownVertex(vertex(9)));
    assert_eq!(tree.move_to(&vertex(3), &vertex(9)).unwrap_err(), TreeError::UnknownVertex(vertex(9)));
    assert_eq!(tree.delete(&vertex(1)).unwrap_err(), TreeError::AtTheTop(vertex(1)));
    assert_eq!(tree.delete(&vertex(9)).unwrap_err(), TreeError::UnknownVertex(vertex(9)));
    assert_eq!(tree.create(vertex(3), None, None).unwrap_err(), TreeError::VertexExists(vertex(3)));
    assert_eq!(
        tree.create(vertex(4), Some(&vertex(9)), None).unwrap_err(),
        TreeError::UnknownVertex(vertex(9))
    );
    assert_eq!(tree.set(&vertex(9), key("a"), json("1")).unwrap_err(), TreeError::UnknownVertex(vertex(9)));
    assert_eq!(tree.remove(&vertex(3), key("a")).unwrap_err(), TreeError::NoProperty(vertex(3)));
    assert_eq!(tree.show(&vertex(9), key("a"), json("1")).unwrap_err(), TreeError::UnknownVertex(vertex(9)));
    assert_eq!((tree.state().hash(), tree.state().clock()), before);
}

#[test]
fn an_edit_that_changes_nothing_makes_no_op() {
    let mut tree = small();
    assert!(tree.move_to(&vertex(3), &vertex(2)).unwrap().ops.is_empty());
    assert_eq!(tree.set(&vertex(3), key("a"), json("1")).unwrap().ops.len(), 1);
    assert!(tree.set(&vertex(3), key("a"), json("1")).unwrap().ops.is_empty());
    assert_eq!(
        tree.delete(&vertex(3)).unwrap().ops.len(),
        2,
        "the first deletion makes the vertex deleted ones are under"
    );
    assert!(tree.delete(&vertex(3)).unwrap().ops.is_empty());
    assert_eq!(tree.delete(&vertex(2)).unwrap().ops.len(), 1);
}

#[test]
fn what_is_deleted_stays_and_can_be_moved_back_with_all_below_it() {
    let mut tree = small();
    tree.delete(&vertex(2)).unwrap();
    assert!(tree.state().is_deleted(&vertex(3)) && !tree.state().is_deleted(&vertex(1)));
    assert!(!tree.state().is_deleted(&VertexId::trash()));
    tree.set(&vertex(3), key("a"), json("1")).unwrap();
    tree.move_to(&vertex(2), &vertex(1)).unwrap();
    assert!(!tree.state().is_deleted(&vertex(3)));
    assert_eq!(tree.property(&vertex(3), &key("a")), Some(&json("1")));
    assert_eq!(tree.delete(&VertexId::trash()).unwrap_err(), TreeError::AtTheTop(VertexId::trash()));
}

#[test]
fn every_edit_can_be_taken_back_and_done_again() {
    let mut tree = small();
    tree.delete(&vertex(3)).unwrap();
    type Do = fn(&mut Tree) -> sync_core::tree::Edit;
    let edits: [Do; 5] = [
        |tree| tree.create(vertex(4), Some(&vertex(2)), None).unwrap(),
        |tree| tree.move_to(&vertex(3), &vertex(1)).unwrap(),
        |tree| tree.delete(&vertex(2)).unwrap(),
        |tree| tree.set(&vertex(2), key("a"), json("1")).unwrap(),
        |tree| tree.remove(&vertex(2), key("a")).unwrap(),
    ];
    for edit in edits {
        let before = tree.state().hash();
        let done = edit(&mut tree);
        let after = tree.state().hash();
        let undone = tree.undo(&done.undo).unwrap();
        assert!(undone.ops[0].id > done.ops[0].id, "an id is never used again");
        if !tree.state().contains(&vertex(4))
            || tree.state().place(&vertex(4)) != Some(Place::Under(VertexId::trash()))
        {
            assert_eq!(tree.state().hash(), before);
        }
        tree.undo(&undone.undo).unwrap();
        assert_eq!(tree.state().hash(), after);
    }
    assert_eq!(tree.undo(&Default::default()).unwrap().ops, []);
}

#[test]
fn an_undo_whose_way_back_is_gone_is_refused() {
    let mut tree = small();
    let edit = tree.move_to(&vertex(3), &vertex(1)).unwrap();
    tree.move_to(&vertex(2), &vertex(3)).unwrap();
    let refused = TreeError::BelowItself { vertex: vertex(3), parent: vertex(2) };
    assert_eq!(tree.undo(&edit.undo).unwrap_err(), refused);
}

#[test]
fn a_transient_value_is_seen_here_until_the_property_is_written() {
    let (mut ours, mut theirs) = (small(), tree("b"));
    let vector = ours.state().state_vector();
    ours.show(&vertex(3), key("x"), json("1")).unwrap();
    assert_eq!(ours.property(&vertex(3), &key("x")), Some(&json("1")));
    assert_eq!(ours.property(&vertex(2), &key("x")), None);
    assert_eq!((ours.state().state_vector(), ours.state().property(&vertex(3), &key("x"))), (vector, None));
    let set = TreeOp::setting("90@b".parse().unwrap(), vertex(3), key("x"), Some(json("2")));
    theirs.apply([set.clone()]);
    ours.apply([set]);
    assert_eq!(ours.property(&vertex(3), &key("x")), Some(&json("2")));
    ours.show(&vertex(3), key("x"), json("3")).unwrap();
    assert_eq!(ours.set(&vertex(3), key("x"), json("4")).unwrap().ops[0].id.to_string(), "91@a");
    assert_eq!(ours.property(&vertex(3), &key("x")), Some(&json("4")));
    ours.show(&vertex(3), key("x"), json("5")).unwrap();
    assert!(ours.set(&vertex(3), key("x"), json("4")).unwrap().ops.is_empty());
    assert_eq!(ours.property(&vertex(3), &key("x")), Some(&json("4")), "also when it is written as it was");
}

#[test]
fn at_the_end_of_the_clock_nothing_more_can_be_made() {
    let mut tree = small();
    let last = OpId::new(OpClock::MAX, PeerId::new("f").unwrap());
    let waits = TreeOp::setting(last, vertex(77), key("a"), None);
    tree.apply([waits]);
    let before = tree.state().hash();
    assert_eq!(tree.set(&vertex(3), key("a"), json("1")).unwrap_err(), TreeError::ClockExhausted);
    assert_eq!(tree.delete(&vertex(3)).unwrap_err(), TreeError::ClockExhausted);
    assert_eq!(tree.state().hash(), before);
}

#[test]
fn several_who_edit_and_exchange_what_is_missing_have_the_same_tree() {
    for seed in 0..20 {
        let (mut dice, ids) = (Dice::new(seed), SeededIds::new(seed));
        let mut trees = ["a1", "b2", "c3"].map(tree);
        let mut logs: [Vec<TreeOp>; 3] = Default::default();
        let root = trees[0].create(VertexId::new(ids.new_hex_id()).unwrap(), None, None).unwrap();
        for n in 0..3 {
            trees[n].apply(root.ops.clone());
            logs[n].extend(root.ops.clone());
        }
        for round in 0..150 {
            let n = dice.roll(3);
            logs[n].extend(edit(&mut trees[n], &ids, &mut dice));
            if round % 10 == 0 || round > 140 {
                let (from, to) = (dice.roll(3), dice.roll(3));
                send(&mut trees, &mut logs, from, to);
            }
        }
        for (from, to) in [(0, 1), (1, 2), (2, 0), (0, 1), (2, 1)] {
            send(&mut trees, &mut logs, from, to);
        }
        assert_eq!(trees[0].state().hash(), trees[1].state().hash(), "seed {seed}");
        assert_eq!(trees[0].state().hash(), trees[2].state().hash(), "seed {seed}");
        assert!(trees[0].state().waiting().is_empty());
    }
}

fn edit(tree: &mut Tree, ids: &SeededIds, dice: &mut Dice) -> Vec<TreeOp> {
    let mut all: Vec<VertexId> = tree.state().vertices().map(|(vertex, _)| vertex.clone()).collect();
    all.sort();
    let (one, other) = (all[dice.roll(all.len())].clone(), all[dice.roll(all.len())].clone());
    let edit = match dice.roll(5) {
        0 | 1 => tree.create_new(ids, Some(&one), Some(json(&dice.roll(5).to_string()))),
        2 => tree.move_to(&one, &other),
        3 => tree.delete(&one),
        _ => tree.set(&one, key("name"), json(&dice.roll(3).to_string())),
    };
    edit.map(|edit| edit.ops).unwrap_or_default()
}

fn send(trees: &mut [Tree; 3], logs: &mut [Vec<TreeOp>; 3], from: usize, to: usize) {
    let missing = trees[from].state().state_vector().missing(&trees[to].state().state_vector());
    let sent: Vec<TreeOp> = logs[from].iter().filter(|op| missing.contains(&op.id)).cloned().collect();
    assert_eq!(sent.len() as u64, missing.len());
    trees[to].apply(sent.clone());
    logs[to].extend(sent);
}
