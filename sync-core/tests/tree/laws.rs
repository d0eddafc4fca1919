//! Whatever the order, whatever the batches, whatever the ops: the state is what its definition says.

use sync_core::TreeOp;
use sync_core::tree::TreeState;

use crate::histories::{Dice, tame, wild};
use crate::oracle::{Seen, check_moves, evaluate, look};

/// Delivers ops in batches of random sizes, and compares after each.
fn deliver(ops: &[TreeOp], batch_max: usize, dice: &mut Dice, what: &str) -> TreeState {
    let mut tree = TreeState::new();
    let (mut n_delivered, mut before) = (0, Seen::default());
    while n_delivered < ops.len() {
        let n_more = (1 + dice.roll(batch_max)).min(ops.len() - n_delivered);
        let report = tree.apply(ops[n_delivered..n_delivered + n_more].iter().cloned());
        n_delivered += n_more;
        assert_eq!(report.n_new() + report.n_repeated() + report.conflicts().len(), n_more);
        let so_far = &ops[..n_delivered];
        let now = look(&tree, so_far);
        assert_eq!(now, evaluate(so_far), "{what}, after {n_delivered} ops");
        check_moves(&report, &before, &now);
        before = now;
    }
    tree
}

#[test]
fn every_prefix_of_every_delivery_has_the_state_of_its_set() {
    for seed in 0..300 {
        let mut dice = Dice::new(seed);
        let (n_ops, n_vertices) = (5 + dice.roll(40), 2 + dice.roll(8));
        let mut ops = match seed % 3 {
            0 => tame(&mut dice, n_ops, 3),
            _ => wild(&mut dice, n_ops, n_vertices, 3),
        };
        let repeated = ops[dice.roll(ops.len())].clone();
        ops.push(repeated);
        dice.shuffle(&mut ops);
        deliver(&ops, [1, 7, 50][seed as usize % 3], &mut dice, &format!("seed {seed}"));
    }
}

#[test]
fn replicas_with_the_same_ops_have_the_same_hash() {
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        let mut ops = if seed % 2 == 0 { tame(&mut dice, 120, 4) } else { wild(&mut dice, 120, 12, 4) };
        let mut first = TreeState::new();
        first.apply(ops.clone());
        dice.shuffle(&mut ops);
        let mut second = TreeState::new();
        ops.chunks(1 + dice.roll(30)).for_each(|batch| drop(second.apply(batch.to_vec())));
        assert_eq!(first.hash(), second.hash(), "seed {seed}");
        assert_eq!(first.state_vector(), second.state_vector());
        let mut less = TreeState::new();
        let visible = ops.iter().filter(|op| op.id != ops[0].id).cloned();
        less.apply(visible);
        if evaluate(&ops).places != evaluate(&ops[1..]).places {
            assert_ne!(less.hash(), first.hash());
        }
    }
}

#[test]
fn a_few_late_moves_in_a_long_history_change_what_they_would_have_changed() {
    for seed in 0..12 {
        let mut dice = Dice::new(seed);
        let mut ops = match seed % 3 {
            0 => wild(&mut dice, 1600, 40 + 7 * seed as usize, 3),
            1 => wild(&mut dice, 1600, 3000, 3),
            _ => tame(&mut dice, 1600, 3),
        };
        ops.sort_by(|a, b| a.id.cmp(&b.id));
        ops.dedup_by(|a, b| a.id == b.id);
        let mut late = Vec::new();
        while late.len() < 25 {
            late.push(ops.remove(dice.roll(ops.len() / 3)));
        }
        dice.shuffle(&mut late);
        let mut tree = TreeState::new();
        tree.apply(ops.clone());
        let mut before = look(&tree, &ops);
        while let Some(op) = late.pop() {
            let mut batch = vec![op];
            if dice.roll(4) == 0 {
                batch.extend(late.pop());
            }
            if dice.roll(6) == 0 {
                batch.extend((0..12).map(|_| newest(&mut dice)));
            }
            ops.extend(batch.iter().cloned());
            let report = tree.apply(batch);
            let now = look(&tree, &ops);
            assert_eq!(now, evaluate(&ops), "seed {seed}, {} to come", late.len());
            check_moves(&report, &before, &now);
            before = now;
        }
    }
}

/// A move that is newer than everything.
fn newest(dice: &mut Dice) -> TreeOp {
    crate::histories::moving(10_000 + dice.roll(100_000), 1, dice.roll(40), Some(dice.roll(40)))
}
