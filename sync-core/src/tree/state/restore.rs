//! Putting back what was known of moves, without judging them again.

use crate::tree::state::TreeState;
use crate::tree::state::moves::Move;
use crate::tree::state::shape::TOP;

impl TreeState {
    /// Puts back the next move of the log, of which it is known whether it had an effect.
    pub(in crate::tree) fn put_back(&mut self, mut it: Move, is_effective: bool) {
        if it.parent != TOP {
            self.was_parent[it.parent as usize] = true;
        }
        if is_effective {
            it.set_before(Some(self.shape.parent(it.target)));
            self.shape.put(it.target, it.parent);
        }
        self.log.moves.push(it);
    }

    /// Sets right what follows from where vertices are. `false` when some are below themselves.
    pub(in crate::tree) fn finish_moves(&mut self) -> bool {
        self.shape.measure();
        self.shape.was_all_measured()
    }
}
