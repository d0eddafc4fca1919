//! Going back in time, and forward again.

use std::cmp::Ordering;

use crate::tree::state::TreeState;
use crate::tree::state::moves::{Move, sort};
use crate::tree::state::shape::Shape;

/// The part of all vertices that has to have moved for a pass over all of them to be cheaper than noting each.
const FAR_PART: usize = 4;

/// Vertices that may have moved in this batch, and where they were before.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    before: Vec<(u32, u32)>,
    /// Whether a vertex is among them.
    is_touched: Vec<bool>,
    /// Where all vertices were, when it is many that may have moved.
    all_before: Option<Vec<u32>>,
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

    /// Notes where all are that were not noted.
    fn note_all(&mut self, shape: &Shape) {
        let mut all: Vec<u32> = shape.parents().collect();
        for (vertex, before) in self.before.drain(..) {
            all[vertex as usize] = before;
            self.is_touched[vertex as usize] = false;
        }
        self.all_before = Some(all);
    }

    /// Yields all that are elsewhere now, each with where it was, and forgets them.
    pub(super) fn drain(&mut self, shape: &Shape) -> Vec<(u32, u32)> {
        if let Some(before) = self.all_before.take() {
            let all = (0..).zip(before).zip(shape.parents());
            return all.filter(|((_, before), now)| before != now).map(|(noted, _)| noted).collect();
        }
        let mut all = std::mem::take(&mut self.before);
        all.iter().for_each(|(vertex, _)| self.is_touched[*vertex as usize] = false);
        all.retain(|(vertex, before)| shape.parent(*vertex) != *before);
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
            self.late.forget_after(fresh.len());
        }
        let n_after = self.log.n_after(&fresh[0], &self.peers);
        let is_far = (n_after + fresh.len()) * FAR_PART > self.exists.len();
        if is_far {
            self.touched.note_all(&self.shape);
        }
        self.undo(n_after, is_far);
        if let Some(timeline) = &mut self.late.timeline {
            for it in fresh {
                timeline.insert(it, &self.peers);
            }
        }
        let start = self.log.merge(fresh, &self.peers);
        for place in start..self.log.moves.len() {
            if !is_far {
                self.touched.note(self.log.moves[place].target, &self.shape);
            }
            self.redo(place);
        }
    }

    /// Undoes the last moves.
    fn undo(&mut self, n_moves: usize, is_far: bool) {
        let Self { log, shape, touched, .. } = self;
        let undone = log.moves[log.moves.len() - n_moves..].iter().rev();
        let undone = undone.filter_map(|it| Some((it.target, it.before()?)));
        if is_far && n_moves > 0 {
            // The way from the beginning may be shorter, and what came of each move there is known.
            let done = &log.moves[..log.moves.len() - n_moves];
            if done.len() > n_moves {
                undone.for_each(|(target, before)| shape.put(target, before));
                return shape.measure();
            }
            shape.clear();
            for it in done.iter().filter(|it| it.is_effective()) {
                shape.put(it.target, it.parent);
                shape.raise(it.target);
            }
            return;
        }
        for (target, before) in undone {
            touched.note(target, shape);
            shape.put(target, before);
            shape.raise(target);
        }
    }

    /// Judges a move of the log, with everything before it done.
    #[inline]
    fn redo(&mut self, place: usize) {
        let Self { log, shape, late, peers, .. } = self;
        let it = &mut log.moves[place];
        shape.refresh();
        let was_effective = it.is_effective();
        it.set_before(shape.place(it.target, it.parent));
        if let Some(timeline) = &mut late.timeline
            && was_effective != it.is_effective()
        {
            timeline.judge_move(it, it.is_effective(), peers);
        }
    }
}
