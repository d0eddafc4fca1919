//! The moves of each vertex, by which one can tell where it was at any time.

use std::cmp::Ordering;

use crate::tree::state::intern::Peers;
use crate::tree::state::moves::Move;
use crate::tree::state::shape::NOWHERE;

/// One move in the list of its vertex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) clock: u64,
    pub(super) peer: u32,
    pub(super) parent: u32,
    /// Whether it had an effect.
    pub(super) is_effective: bool,
}

/// The moves of every vertex in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    steps: Vec<Vec<Step>>,
}

impl Timeline {
    pub(super) fn grow(&mut self, n_vertices: usize) {
        self.steps.resize(n_vertices, Vec::new());
    }

    /// The moves of a vertex.
    pub(super) fn steps(&self, vertex: u32) -> &[Step] {
        &self.steps[vertex as usize]
    }

    /// Adds the move after which there is none of its vertex.
    pub(super) fn push(&mut self, it: &Move) {
        self.steps[it.target as usize].push(Step::of(it));
    }

    /// Adds a move. Yields its place among those of its vertex.
    pub(super) fn insert(&mut self, it: &Move, peers: &Peers) -> usize {
        let place = self.first_after(it.target, it.time(), peers);
        self.steps[it.target as usize].insert(place, Step::of(it));
        place
    }

    /// Takes a move out again.
    pub(super) fn remove(&mut self, it: &Move, peers: &Peers) {
        let place = self.first_after(it.target, it.time(), peers);
        self.steps[it.target as usize].remove(place);
    }

    /// The place of the first step of a vertex that is not before a time.
    pub(super) fn first_after(&self, vertex: u32, time: (u64, u32), peers: &Peers) -> usize {
        let steps = &self.steps[vertex as usize];
        steps.partition_point(|step| peers.order((step.clock, step.peer), time) == Ordering::Less)
    }

    /// Where the steps before a place left a vertex, and how many of them had to be looked at.
    pub(super) fn parent_before(&self, vertex: u32, place: usize) -> (u32, usize) {
        let before = self.steps[vertex as usize][..place].iter().rev();
        let n_ignored = before.clone().take_while(|step| !step.is_effective).count();
        let last = before.clone().nth(n_ignored);
        (last.map_or(NOWHERE, |step| step.parent), n_ignored + 1)
    }

    /// Notes whether a move has an effect.
    pub(super) fn judge(&mut self, vertex: u32, place: usize, is_effective: bool) {
        self.steps[vertex as usize][place].is_effective = is_effective;
    }

    /// Notes whether a move has an effect.
    pub(super) fn judge_move(&mut self, it: &Move, is_effective: bool, peers: &Peers) {
        let place = self.first_after(it.target, it.time(), peers);
        self.judge(it.target, place, is_effective);
    }
}

impl Step {
    fn of(it: &Move) -> Self {
        Self { clock: it.clock, peer: it.peer, parent: it.parent, is_effective: it.is_effective() }
    }

    pub(super) fn time(&self) -> (u64, u32) {
        (self.clock, self.peer)
    }
}
