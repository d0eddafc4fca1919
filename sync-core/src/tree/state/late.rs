//! A few moves that come late, without going back to them.
//!
//! What it costs follows what they can change, not how much came after them. Most of what people move has never had
//! anything below it: nothing else can depend on where it was, and its own list says where it is. For all others there is
//! the [`sweep`](super::sweep).

use std::borrow::Cow;

use crate::tree::state::TreeState;
use crate::tree::state::moves::{Move, sort};
use crate::tree::state::shape::NOWHERE;
use crate::tree::state::sweep::{Fresh, Outcome, Sweep};
use crate::tree::state::timeline::Timeline;

/// Moves that have to be done again, from which on it is worth looking for another way.
const REPLAY_MIN: usize = 512;
/// As many moves are done again in the time in which a late one is settled alone.
const REPLAYED_PER_LATE: usize = 64;
/// Late moves in one batch, above which those to come are expected in such batches, too.
const FRESH_MAX: usize = 128;
/// How often the next attempt is skipped at most, after attempts that had to be given up.
const SKIPPED_MAX: usize = 1024;

/// What is needed for late moves alone. The timeline is made when they have cost as much as making it, and is kept from then on.
#[derive(Clone, Debug, Default)]
pub(super) struct Late {
    pub(super) timeline: Option<Timeline>,
    /// Moves that were done again because there was no timeline.
    n_replayed: usize,
    /// Late moves for which the sweep is not tried, and how many there were after the last attempt that failed.
    n_to_skip: usize,
    n_skipped: usize,
}

impl Late {
    pub(in crate::tree) fn grow(&mut self, n_vertices: usize) {
        if let Some(timeline) = &mut self.timeline {
            timeline.grow(n_vertices);
        }
    }

    /// Forgets the timeline when many moves are done again: keeping it up costs more than making another when it is needed.
    pub(super) fn forget_after(&mut self, n_fresh: usize) {
        if n_fresh > FRESH_MAX {
            (self.timeline, self.n_replayed) = (None, 0);
        }
    }

    /// After an attempt that was given up, for a while no other is made: in trees in which everything hangs together they
    /// all fail.
    fn give_up(&mut self) {
        self.n_skipped = (self.n_skipped * 2).clamp(8, SKIPPED_MAX);
        self.n_to_skip = self.n_skipped;
    }
}

impl TreeState {
    /// Takes in moves that are older than the newest, if this is cheaper than going back to them. `false` when nothing was done.
    pub(super) fn settle_late(&mut self, late: &[Move]) -> bool {
        let n_redone = self.log.n_after(&late[0], &self.peers) + self.cost_of_old_log();
        if n_redone < REPLAY_MIN || n_redone / REPLAYED_PER_LATE < late.len() || !self.has_timeline(n_redone)
        {
            return false;
        }
        let (hinges, leaves): (Vec<Move>, Vec<Move>) =
            late.iter().copied().partition(|it| self.was_parent[it.target as usize]);
        if !hinges.is_empty() && !self.settle_hinges(&hinges, n_redone) {
            return false;
        }
        leaves.iter().for_each(|it| self.settle_leaf(it));
        self.log.aside.extend_from_slice(late);
        true
    }

    /// How many moves would have to be looked at before one could go back.
    fn cost_of_old_log(&self) -> usize {
        if self.log.aside.is_empty() { 0 } else { self.log.len() }
    }

    fn has_timeline(&mut self, n_redone: usize) -> bool {
        if self.late.timeline.is_none() {
            self.late.n_replayed += n_redone;
            if self.late.n_replayed < self.log.len() {
                return false;
            }
            let mut timeline = Timeline::default();
            timeline.grow(self.exists.len());
            self.log.moves.iter().for_each(|it| timeline.push(it));
            self.late.timeline = Some(timeline);
        }
        true
    }

    /// Moves a vertex that was never above another. Every move of such a vertex has an effect, and the last is where it is.
    fn settle_leaf(&mut self, it: &Move) {
        let timeline = self.late.timeline.as_mut().expect("there is one since has_timeline");
        let place = timeline.insert(it, &self.peers);
        timeline.judge(it.target, place, true);
        if place + 1 == timeline.steps(it.target).len() {
            self.touched.note(it.target, &self.shape);
            self.shape.put(it.target, it.parent);
            self.shape.raise(it.target);
        }
    }

    /// Moves vertices that others were under. `false` when it was given up, with nothing done.
    fn settle_hinges(&mut self, hinges: &[Move], n_steps_max: usize) -> bool {
        if self.late.n_to_skip > 0 {
            self.late.n_to_skip -= 1;
            return false;
        }
        let Self { late, peers, was_parent, .. } = self;
        let timeline = late.timeline.as_mut().expect("there is one since has_timeline");
        for it in hinges {
            timeline.insert(it, peers);
        }
        let fresh: Vec<Fresh> = hinges.iter().map(|it| Fresh::of(it, timeline, peers)).collect();
        let Some(outcome) = Sweep::new(timeline, peers, was_parent, n_steps_max).run(&fresh) else {
            hinges.iter().for_each(|it| timeline.remove(it, peers));
            late.give_up();
            return false;
        };
        late.n_skipped = 0;
        self.carry_out(outcome);
        true
    }

    fn carry_out(&mut self, outcome: Outcome) {
        let timeline = self.late.timeline.as_mut().expect("the sweep had one");
        for (vertex, place, is_effective) in outcome.judged {
            timeline.judge(vertex, place, is_effective);
        }
        // All of them before any height: in between there may be circles.
        for (vertex, parent) in &outcome.moved {
            self.touched.note(*vertex, &self.shape);
            self.shape.put(*vertex, *parent);
        }
        outcome.moved.iter().for_each(|(vertex, _)| self.shape.raise(*vertex));
    }

    /// All moves with what came of each.
    pub(in crate::tree) fn log_up_to_date(&self) -> Cow<'_, [Move]> {
        if self.log.aside.is_empty() {
            return Cow::Borrowed(&self.log.moves);
        }
        let mut copy = self.clone();
        copy.bring_log_up_to_date();
        Cow::Owned(copy.log.moves)
    }

    /// Puts the moves that were settled alone into the log, and there what came of each since.
    pub(in crate::tree) fn bring_log_up_to_date(&mut self) {
        let mut aside = std::mem::take(&mut self.log.aside);
        let Some(timeline) = self.late.timeline.as_ref().filter(|_| !aside.is_empty()) else { return };
        sort(&mut aside, &self.peers);
        self.log.merge(&aside, &self.peers);
        let mut at = vec![(NOWHERE, 0_u32); self.exists.len()];
        for it in &mut self.log.moves {
            let (parent, n_steps) = &mut at[it.target as usize];
            let step = &timeline.steps(it.target)[*n_steps as usize];
            *n_steps += 1;
            it.set_before(step.is_effective.then_some(*parent));
            if step.is_effective {
                *parent = it.parent;
            }
        }
    }
}
