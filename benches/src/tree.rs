//! Replicated trees: ops in order, in none, and of two who were offline, beside Loro's movable tree from the same run.
//!
//! The same mix and shape of ops goes to both. Loro has no ops to hand in one by one: its rows are imports of updates of as
//! many ops, with the order of siblings switched off, and what is not said about it costs it nothing.

mod loro;
mod memory;
mod stored;
mod streams;

use std::hint::black_box;

use sync_core::TreeOp;
use sync_core::tree::TreeState;

use self::streams::{Order, Shape};
use crate::report::{Report, rate, start};

pub(crate) use self::memory::measure_alone;

/// Ops that come together.
const BATCH: usize = 1_000;

/// The stream of ops as lines of JSON, as RepTree's clients write them; `benches/reptree/run` feeds them to it.
#[expect(clippy::print_stdout, reason = "the lines are for another program")]
pub(crate) fn print_ops(shape: &str, order: &str, n_ops: usize) {
    let ops = streams::ops(Shape::of(shape), Order::of(order), n_ops);
    ops.iter().for_each(|op| println!("{}", streams::line(op)));
}

pub(crate) fn run(report: &mut Report, n_ops: usize) {
    for shape in [Shape::Random, Shape::Doc] {
        in_batches(report, shape, n_ops);
    }
    for order in [Order::Shuffled, Order::Branches] {
        one_by_one(report, order, n_ops);
    }
    branches_of_loro(report, n_ops);
    from_checkpoint(report, n_ops * 10);
    memory::run(report, n_ops);
}

/// Trees in a SQLite file.
pub(crate) async fn run_stored(report: &mut Report, n_ops: usize) {
    stored::written_beside_records(report, n_ops).await;
    stored::looked_at_after_a_start(report, n_ops * 10).await;
}

fn in_batches(report: &mut Report, shape: Shape, n_ops: usize) {
    let orders =
        [Order::Straight, Order::Shuffled, Order::Branches].map(|order| streams::ops(shape, order, n_ops));
    let updates = loro::updates(shape, n_ops, BATCH);
    let (mut in_order, mut shuffled, mut branches) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..report.rounds() {
        let [ours, any, two] = [0, 1, 2].map(|n: usize| apply(&orders[n], BATCH));
        in_order.push((ours, loro::import(&updates, n_ops)));
        shuffled.push((any, ours));
        branches.push((two, ours));
    }
    report.add(&format!("tree, {shape}, in order, batches of 1,000 (ops)"), "loro", &in_order, Some(1.0));
    report.add(&format!("tree, {shape}, shuffled, batches of 1,000"), "ours, in order", &shuffled, Some(0.5));
    report.add(
        &format!("tree, {shape}, two branches, batches of 1,000"),
        "ours, in order",
        &branches,
        Some(0.5),
    );
}

/// Late ops alone: the first half in one batch, and every other by itself. Only these are timed.
fn one_by_one(report: &mut Report, order: Order, n_ops: usize) {
    let ops = streams::ops(Shape::Doc, order, n_ops);
    let in_order = streams::ops(Shape::Doc, Order::Straight, n_ops);
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        pairs.push((apply_late(&ops), apply_late(&in_order)));
    }
    let what = format!("tree, doc, {order}, the second half one by one");
    report.add(&what, "ours, in order, one by one", &pairs, None);
}

fn branches_of_loro(report: &mut Report, n_ops: usize) {
    let ops = streams::ops(Shape::Random, Order::Branches, n_ops);
    let updates = loro::branches(Shape::Random, n_ops);
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        pairs.push((apply(&ops, n_ops), loro::import(&updates, n_ops)));
    }
    report.add("tree, random, two branches, all at once", "loro, each branch at once", &pairs, None);
}

fn from_checkpoint(report: &mut Report, n_ops: usize) {
    let ops = streams::ops(Shape::Doc, Order::Straight, n_ops);
    let mut tree = TreeState::new();
    tree.apply(ops.clone());
    let bytes = tree.checkpoint();
    let mut pairs = Vec::new();
    for _ in 0..report.rounds() {
        let started = start();
        black_box(TreeState::restore(&bytes).expect("it was just written"));
        let restored = rate(n_ops, started.elapsed());
        pairs.push((restored, apply(&ops, n_ops)));
    }
    report.add("tree, doc, from a checkpoint (ops)", "applying all at once, in order", &pairs, Some(3.0));
    report.note(&format!("a checkpoint of {n_ops} ops has {} bytes", bytes.len()));
}

/// Applies ops to an empty tree; yields how many a second.
fn apply(ops: &[TreeOp], n_batch: usize) -> f64 {
    let batches: Vec<Vec<TreeOp>> = ops.chunks(n_batch).map(<[TreeOp]>::to_vec).collect();
    let started = start();
    let mut tree = TreeState::new();
    for batch in batches {
        black_box(tree.apply(batch));
    }
    let rate = rate(ops.len(), started.elapsed());
    black_box(tree);
    rate
}

fn apply_late(ops: &[TreeOp]) -> f64 {
    let (early, late) = ops.split_at(ops.len() / 2);
    let mut tree = TreeState::new();
    tree.apply(early.to_vec());
    let late = late.to_vec();
    let started = start();
    for op in late {
        black_box(tree.apply([op]));
    }
    rate(ops.len() - ops.len() / 2, started.elapsed())
}
