//! Going back in time, and forward again.

use std::cmp::Ordering;

use crate::tree::state::TreeState;
use crate::tree::state::moves::{Move, sort};
use crate::tree::state::shape::Shape;

/// The part of all vertices that has to have moved for measuring heights to be cheaper than keeping them up going back.
const MEASURE_PART: usize = 4;

/// Vertices that may have moved in this batch, and where they were before.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    before: Vec<(u32, u32)>,
    /// Whether a vertex is among them.
    is_touched: Vec<bool>,
}

impl Touched {
    pub(super) fn grow(&mut self, n_vertices: usize) {
        self.is_touched.resize(n_vertices, false);
    }

    /// Notes where a vertex is, unless it was noted.
    #[inline]
    pub(super) fn note(&mut self, vertex: u32, shape: &Shape) {
        if !std::mem::replace(&mut self.is_touched[vertex as usize], true) {
            self.before.push((vertex, shape.parent(vertex)));
        }
    }

    /// Yields all, and forgets them.
    pub(super) fn drain(&mut self) -> Vec<(u32, u32)> {
        let all = std::mem::take(&mut self.before);
        for (vertex, _) in &all {
            self.is_touched[*vertex as usize] = false;
        }
        all
    }
}

impl TreeState {
    /// Takes in moves, in the way that is cheapest.
    pub(super) fn settle(&mut self, mut fresh: Vec<Move>) {
        sort(&mut fresh, &self.peers);
        let n_late = self.log.moves.last().map_or(0, |last| {
            fresh.partition_point(|it| self.peers.order(it.time(), last.time()) == Ordering::Less)
        });
        if n_late > 0 && self.settle_late(&fresh[..n_late]) {
            fresh.drain(..n_late);
        }
        if !fresh.is_empty() {
            self.replay(&fresh);
        }
    }

    /// Goes back to the first of these moves, puts all in their places, and goes forward again.
    fn replay(&mut self, fresh: &[Move]) {
        if self.log.n_after(&fresh[0], &self.peers) > 0 {
            self.bring_log_up_to_date();
        }
        self.back_to(fresh);
        if let Some(timeline) = &mut self.late.timeline {
            for it in fresh {
                timeline.insert(it, &self.peers);
            }
        }
        let start = self.log.merge(fresh, &self.peers);
        for place in start..self.log.moves.len() {
            self.redo(place);
        }
    }

    /// Undoes the moves after the first of these.
    fn back_to(&mut self, fresh: &[Move]) {
        let n_after = self.log.n_after(&fresh[0], &self.peers);
        let Self { log, shape, touched, .. } = self;
        let is_far = n_after * MEASURE_PART > self.exists.len();
        for it in log.moves[log.moves.len() - n_after..].iter().rev() {
            let Some(before) = it.before() else { continue };
            touched.note(it.target, shape);
            shape.put(it.target, before);
            if !is_far {
                shape.raise(it.target);
            }
        }
        if is_far {
            shape.measure();
        }
    }

    /// Judges a move of the log, with everything before it done.
    #[inline]
    fn redo(&mut self, place: usize) {
        let Self { log, shape, touched, late, peers, .. } = self;
        let it = &mut log.moves[place];
        shape.refresh();
        touched.note(it.target, shape);
        let was_effective = it.is_effective();
        it.set_before(shape.place(it.target, it.parent));
        if let Some(timeline) = &mut late.timeline
            && was_effective != it.is_effective()
        {
            timeline.judge_move(it, it.is_effective(), peers);
        }
    }
}
