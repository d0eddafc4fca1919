//! Whether an op that comes again is what came before.

use std::collections::HashMap;

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::json::Json;
use crate::tree::state::TreeState;
use crate::tree::state::held::{Held, HeldAction};
use crate::types::{TreeAction, TreeOp};

/// What every op said, by clock and peer, as fingerprints. It is made when the first op comes again: most replicas never
/// see one.
pub(super) type Known = HashMap<(u64, u32), u64>;

/// The fingerprint of a move.
pub(super) fn fingerprint_of_move(target: u32, parent: u32) -> u64 {
    xxh3_64(&[target.to_le_bytes(), parent.to_le_bytes()].concat())
}

/// The fingerprint of a write. It differs from that of every move by its seed, and a removal from every value by its text.
pub(super) fn fingerprint_of_write(vertex: u32, key: u32, value: Option<&Json>) -> u64 {
    let seed = u64::from(vertex) << 32 | u64::from(key);
    xxh3_64_with_seed(value.map_or("", Json::as_str).as_bytes(), seed ^ 0x5eed_0f57_41c7_a1d3)
}

impl Held {
    fn fingerprint(&self) -> u64 {
        match &self.action {
            HeldAction::Move { parent } => fingerprint_of_move(self.target, *parent),
            HeldAction::Set { key, value } => fingerprint_of_write(self.target, *key, value.as_ref()),
            HeldAction::Gone => 0,
        }
    }
}

impl TreeState {
    /// Whether an op, whose id is known, says what the first with this id said.
    pub(super) fn is_repeated(&mut self, op: &TreeOp) -> bool {
        let Some(peer) = self.peers.find(&op.id.peer) else { return false };
        let fingerprint = self.fingerprint(op);
        if self.known.is_none() {
            self.known = Some(self.all_known());
        }
        let known = self.known.as_ref().and_then(|known| known.get(&(op.id.clock.get(), peer)));
        fingerprint.is_some() && fingerprint.as_ref() == known
    }

    /// The fingerprint of an op; none when one of its names was never heard.
    fn fingerprint(&self, op: &TreeOp) -> Option<u64> {
        let target = self.vertices.find(&op.target)?;
        match &op.action {
            TreeAction::Move { parent } => {
                Some(fingerprint_of_move(target, self.number_of(parent.as_ref())?))
            }
            TreeAction::Set { key, value } => {
                Some(fingerprint_of_write(target, self.keys.find(key)?, value.as_ref()))
            }
        }
    }

    fn all_known(&self) -> Known {
        let n_ops =
            self.log.len() + self.registers.all.len() + self.registers.losers.len() + self.waiting.len();
        let mut known = Known::with_capacity(n_ops);
        let moves = self.log.moves.iter().chain(&self.log.aside);
        known.extend(moves.map(|it| (it.time(), fingerprint_of_move(it.target, it.parent))));
        known.extend(self.registers.all.iter().map(|it| ((it.clock, it.peer), it.fingerprint())));
        known.extend(self.registers.losers.iter().map(|it| ((it.clock, it.peer), it.fingerprint)));
        known.extend(self.waiting.iter().map(|it| ((it.clock, it.peer), it.fingerprint())));
        known
    }

    /// Keeps what is known up to date.
    pub(super) fn know(&mut self, op: &TreeOp, peer: u32) {
        if self.known.is_some()
            && let Some(fingerprint) = self.fingerprint(op)
            && let Some(known) = &mut self.known
        {
            known.insert((op.id.clock.get(), peer), fingerprint);
        }
    }
}
