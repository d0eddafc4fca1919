//! The log of moves.

use std::cmp::Ordering;

use crate::tree::state::intern::Peers;

/// Stands for the former parent of a vertex whose move had no effect.
const IGNORED: u32 = u32::MAX - 2;

/// One move, and what came of it.
#[derive(Clone, Copy, Debug)]
pub(in crate::tree) struct Move {
    pub(in crate::tree) clock: u64,
    pub(in crate::tree) peer: u32,
    pub(in crate::tree) target: u32,
    pub(in crate::tree) parent: u32,
    /// Where the target was before, or [`IGNORED`].
    before: u32,
}

impl Move {
    /// A move that has no effect yet.
    pub(in crate::tree) fn new(clock: u64, peer: u32, target: u32, parent: u32) -> Self {
        Self { clock, peer, target, parent, before: IGNORED }
    }

    /// What orders it.
    pub(in crate::tree) fn time(&self) -> (u64, u32) {
        (self.clock, self.peer)
    }

    pub(in crate::tree) fn is_effective(&self) -> bool {
        self.before != IGNORED
    }

    /// Where its target was, if it had an effect.
    pub(super) fn before(&self) -> Option<u32> {
        self.is_effective().then_some(self.before)
    }

    pub(super) fn set_before(&mut self, before: Option<u32>) {
        self.before = before.unwrap_or(IGNORED);
    }
}

/// All moves, each at its place in the order of ops.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Log {
    pub(in crate::tree) moves: Vec<Move>,
    /// Moves that were settled without the log, in no order. While there are any, what the log says about effects may be
    /// out of date; the timeline knows.
    pub(in crate::tree) aside: Vec<Move>,
}

impl Log {
    /// How many moves there are.
    pub(in crate::tree) fn len(&self) -> usize {
        self.moves.len() + self.aside.len()
    }

    /// How many moves of the log come after another one.
    pub(super) fn n_after(&self, it: &Move, peers: &Peers) -> usize {
        // The newest is what ops are mostly after.
        if self.moves.last().is_none_or(|last| peers.order(last.time(), it.time()) == Ordering::Less) {
            return 0;
        }
        let n_before = self.moves.partition_point(|old| peers.order(old.time(), it.time()) == Ordering::Less);
        self.moves.len() - n_before
    }

    /// Takes in moves, which are in order, without making another list. Yields the place of the first.
    pub(super) fn merge(&mut self, fresh: &[Move], peers: &Peers) -> usize {
        let Some(first) = fresh.first() else { return self.moves.len() };
        let start = self.moves.len() - self.n_after(first, peers);
        let mut n_old = self.moves.len();
        self.moves.extend_from_slice(fresh);
        let (mut n_new, mut end) = (fresh.len(), self.moves.len());
        while n_new > 0 {
            end -= 1;
            let new = &fresh[n_new - 1];
            let is_old_last =
                n_old > start && peers.order(self.moves[n_old - 1].time(), new.time()) == Ordering::Greater;
            if is_old_last {
                n_old -= 1;
                self.moves[end] = self.moves[n_old];
            } else {
                n_new -= 1;
                self.moves[end] = *new;
            }
        }
        start
    }
}

/// Puts moves in order.
pub(super) fn sort(moves: &mut [Move], peers: &Peers) {
    let order = |a: &Move, b: &Move| peers.order(a.time(), b.time());
    if !moves.is_sorted_by(|a, b| order(a, b) != Ordering::Greater) {
        moves.sort_unstable_by(order);
    }
}
