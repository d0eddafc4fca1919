//! What a tree holds, measured in a process of its own.

use sync_core::tree::TreeState;

use super::streams::{self, Order, Shape};
use super::{BATCH, loro};
use crate::report::Report;

/// Applies ops to an empty tree, and prints what this process held before, with the ops, and at most.
#[expect(clippy::print_stdout, reason = "the number is for the program that started this one")]
pub(crate) fn measure_alone(subject: &str, shape: &str, order: &str, n_ops: usize) {
    let (shape, order) = (Shape::of(shape), Order::of(order));
    let before = if subject == "loro" {
        let updates = loro::updates(shape, n_ops, BATCH);
        let before = memory("VmRSS");
        std::hint::black_box(loro::import(&updates, n_ops));
        before
    } else {
        let ops = streams::ops(shape, order, n_ops);
        let before = memory("VmRSS");
        let mut tree = TreeState::new();
        for batch in ops.chunks(BATCH) {
            tree.apply(batch.to_vec());
        }
        std::hint::black_box(&tree);
        before
    };
    println!("{before} {}", memory("VmHWM"));
}

/// A number of this process from the kernel, in MiB.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    number.unwrap_or_default() / 1024
}

/// Measures each case in a process of its own.
pub(super) fn run(report: &mut Report, n_ops: usize) {
    let program = std::env::current_exe().expect("this program has a path");
    let cases = [
        ("ours", "random", "in-order"),
        ("ours", "random", "shuffled"),
        ("ours", "random", "branches"),
        ("ours", "doc", "in-order"),
        ("ours", "doc", "shuffled"),
        ("loro", "random", "in-order"),
        ("loro", "doc", "in-order"),
    ];
    for (subject, shape, order) in cases {
        let n_ops = n_ops.to_string();
        let arguments = ["tree-memory", subject, shape, order, &n_ops];
        let output = std::process::Command::new(&program).args(arguments).output();
        let output = output.expect("this program can be started again");
        let held = String::from_utf8_lossy(&output.stdout);
        let (before, most) = held.trim().split_once(' ').unwrap_or(("?", "?"));
        report.note(&format!("{subject}, {shape}, {order}, {n_ops} ops: a process of {before} MiB with them has {most} MiB at most"));
    }
}
