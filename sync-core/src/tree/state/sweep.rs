//! What some late moves change, and nothing else.
//!
//! Two timelines are compared: the one without the late moves, which the [`Timeline`] holds, and the one with them. A vertex
//! whose parent is not the same in both at a time is astray then. Whether "Y under Z" has an effect depends on who is above
//! Z. This is another in the second timeline only if on the way up there is a vertex astray, with Y above it in one of the
//! two. So only moves of vertices that are astray, or above one in either timeline, have to be judged again: they are
//! watched. Moves are visited in their order; a vertex stops being astray when both timelines put it in the same place, and
//! when none is astray any more, everything later is as it was.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use crate::tree::state::intern::Peers;
use crate::tree::state::moves::Move;
use crate::tree::state::shape::TOP;
use crate::tree::state::timeline::Timeline;

/// One move of the timeline: its clock and the rank of its peer, then its vertex, and its place among the steps of that.
type Visit = (u64, u32, u32, usize);

/// A late move, which is in the timeline already, without effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh(Visit);

/// What the late moves have changed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Steps with another effect than before: vertex, place, and whether there is one now.
    pub(super) judged: Vec<(u32, usize, bool)>,
    /// Vertices that are elsewhere now, and where.
    pub(super) moved: Vec<(u32, u32)>,
}

/// A comparison on its way through time.
pub(super) struct Sweep<'a> {
    timeline: &'a Timeline,
    peers: &'a Peers,
    was_parent: &'a [bool],
    /// Vertices that are not under the same parent in both timelines: under which without the late moves, and with them.
    astray: HashMap<u32, (u32, u32)>,
    /// Vertices whose moves are visited. The parents of each, in both timelines, are among them.
    watched: HashSet<u32>,
    /// The next move of each watched vertex.
    next: BinaryHeap<Reverse<Visit>>,
    outcome: Outcome,
    n_steps_left: usize,
}

impl Fresh {
    pub(super) fn of(it: &Move, timeline: &Timeline, peers: &Peers) -> Self {
        Self((it.clock, peers.rank(it.peer), it.target, timeline.first_after(it.target, it.time(), peers)))
    }
}

impl<'a> Sweep<'a> {
    /// A comparison that is given up after some steps.
    pub(super) fn new(
        timeline: &'a Timeline,
        peers: &'a Peers,
        was_parent: &'a [bool],
        n_steps_max: usize,
    ) -> Self {
        Self {
            timeline,
            peers,
            was_parent,
            astray: HashMap::new(),
            watched: HashSet::new(),
            next: BinaryHeap::new(),
            outcome: Outcome::default(),
            n_steps_left: n_steps_max,
        }
    }

    /// Compares from the first of these moves on, which are in order. `None` when it took too many steps.
    pub(super) fn run(mut self, fresh: &[Fresh]) -> Option<Outcome> {
        let mut fresh = fresh.iter().map(|it| it.0).peekable();
        loop {
            if self.astray.is_empty() {
                self.watched.clear();
                self.next.clear();
            }
            let watched = self.next.peek().map(|visit| visit.0);
            let visit = match (watched, fresh.peek().copied()) {
                (None, None) => break,
                (Some(watched), Some(new)) if watched < new => watched,
                (Some(watched), None) => watched,
                (_, Some(new)) => {
                    fresh.next();
                    new
                }
            };
            if Some(visit) == watched {
                self.next.pop();
            }
            self.visit(visit)?;
        }
        self.outcome.moved = self.astray.into_iter().map(|(vertex, (_, new))| (vertex, new)).collect();
        Some(self.outcome)
    }

    /// Judges a move in the new timeline, and follows what that changes.
    fn visit(&mut self, (_, _, vertex, place): Visit) -> Option<()> {
        let step = self.timeline.steps(vertex)[place];
        let before = self.parents(vertex, place)?;
        let is_effective = !self.closes_circle(vertex, step.parent, step.time())?;
        let old = if step.is_effective { step.parent } else { before.0 };
        let new = if is_effective { step.parent } else { before.1 };
        if step.is_effective != is_effective {
            self.outcome.judged.push((vertex, place, is_effective));
        }
        if old == new {
            self.astray.remove(&vertex);
        } else {
            self.astray.insert(vertex, (old, new));
        }
        if old != new || self.watched.contains(&vertex) {
            self.watched.insert(vertex);
            self.visit_later(vertex, place + 1);
            if self.was_parent[vertex as usize] {
                // Whoever is above it now is above one that is astray.
                return self.watch(&[old, new], step.time());
            }
        }
        Some(())
    }

    fn visit_later(&mut self, vertex: u32, place: usize) {
        if let Some(step) = self.timeline.steps(vertex).get(place) {
            self.next.push(Reverse((step.clock, self.peers.rank(step.peer), vertex, place)));
        }
    }

    /// Watches these vertices and all above them, in both timelines.
    fn watch(&mut self, vertices: &[u32], time: (u64, u32)) -> Option<()> {
        let mut left = vertices.to_vec();
        while let Some(vertex) = left.pop() {
            if vertex >= TOP || !self.watched.insert(vertex) {
                continue;
            }
            let place = self.timeline.first_after(vertex, time, self.peers);
            self.spend(1)?;
            self.visit_later(vertex, place);
            let (old, new) = self.parents(vertex, place)?;
            left.push(old);
            if old != new {
                left.push(new);
            }
        }
        Some(())
    }

    /// Whether in the new timeline, at this time, a vertex is the same as another or above it.
    fn closes_circle(&mut self, vertex: u32, parent: u32, time: (u64, u32)) -> Option<bool> {
        if !self.was_parent[vertex as usize] {
            return Some(false);
        }
        let mut above = parent;
        while above < TOP && above != vertex {
            let place = self.timeline.first_after(above, time, self.peers);
            above = self.parents(above, place)?.1;
        }
        Some(above == vertex)
    }

    /// Where the steps before a place left a vertex, without the late moves and with them.
    fn parents(&mut self, vertex: u32, place: usize) -> Option<(u32, u32)> {
        if let Some(both) = self.astray.get(&vertex).copied() {
            self.spend(1)?;
            return Some(both);
        }
        let (parent, n_steps) = self.timeline.parent_before(vertex, place);
        self.spend(n_steps)?;
        Some((parent, parent))
    }

    fn spend(&mut self, n_steps: usize) -> Option<()> {
        self.n_steps_left = self.n_steps_left.checked_sub(n_steps)?;
        Some(())
    }
}
