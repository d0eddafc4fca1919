//! From a state to bytes.

use xxhash_rust::xxh3::xxh3_64;

use crate::json::Json;
use crate::tree::checkpoint::bytes::Writer;
use crate::tree::checkpoint::{MAGIC, VERSION};
use crate::tree::state::TreeState;
use crate::tree::state::held::{Held, HeldAction};
use crate::tree::state::shape::TOP;
use crate::types::OpClock;

pub(super) fn checkpoint(tree: &TreeState) -> Vec<u8> {
    let mut out = Writer(MAGIC.to_vec());
    out.0.extend_from_slice(&VERSION.to_le_bytes());
    out.number(tree.clock.map_or(0, OpClock::get));
    out.names(tree.peers.len(), tree.peers.iter().map(AsRef::as_ref));
    out.names(tree.vertices.len(), tree.vertices.iter().map(AsRef::as_ref));
    out.names(tree.keys.len(), tree.keys.iter().map(AsRef::as_ref));
    out.clocks(tree);
    out.existing(tree);
    out.moves(tree);
    out.registers(tree);
    out.number(tree.waiting.len() as u64);
    tree.waiting.iter().for_each(|held| out.held(held));
    let checksum = xxh3_64(&out.0);
    out.0.extend_from_slice(&checksum.to_le_bytes());
    out.0
}

impl Writer {
    fn names<'a>(&mut self, n_names: usize, names: impl Iterator<Item = &'a str>) {
        self.number(n_names as u64);
        names.for_each(|name| self.text(name));
    }

    fn clocks(&mut self, tree: &TreeState) {
        for clocks in &tree.seen {
            let ranges = clocks.ranges();
            self.number(ranges.n_ranges() as u64);
            let mut end = 0;
            for (first, last) in ranges.iter() {
                self.number(first - end);
                self.number(last - first);
                end = last;
            }
        }
    }

    fn existing(&mut self, tree: &TreeState) {
        let byte = |eight: &[bool]| eight.iter().rev().fold(0, |byte, exists| byte << 1 | u8::from(*exists));
        self.0.extend(tree.exists.chunks(8).map(byte));
    }

    fn moves(&mut self, tree: &TreeState) {
        let log = tree.log_up_to_date();
        self.number(log.len() as u64);
        let mut clock = 0;
        for it in log.iter() {
            self.number(it.clock - clock);
            self.number(u64::from(it.peer));
            self.number(u64::from(it.target));
            // 0 is the top, and the lowest bit says whether it had an effect.
            let parent = if it.parent == TOP { 0 } else { u64::from(it.parent) + 1 };
            self.number(parent << 1 | u64::from(it.is_effective()));
            clock = it.clock;
        }
    }

    fn registers(&mut self, tree: &TreeState) {
        self.number(tree.registers.all.len() as u64);
        for register in &tree.registers.all {
            self.number(u64::from(register.vertex));
            self.number(u64::from(register.key));
            self.number(register.clock);
            self.number(u64::from(register.peer));
            self.value(register.value.as_ref());
        }
        self.number(tree.registers.losers.len() as u64);
        for loser in &tree.registers.losers {
            self.number(loser.clock);
            self.number(u64::from(loser.peer));
            self.0.extend_from_slice(&loser.fingerprint.to_le_bytes());
        }
    }

    /// No value is an empty text, which is not JSON.
    fn value(&mut self, value: Option<&Json>) {
        self.text(value.map_or("", Json::as_str));
    }

    fn held(&mut self, held: &Held) {
        self.number(held.clock);
        self.number(u64::from(held.peer));
        self.number(u64::from(held.target));
        match &held.action {
            HeldAction::Move { parent } => {
                self.number(0);
                self.number(u64::from(*parent));
            }
            HeldAction::Set { key, value } => {
                self.number(1);
                self.number(u64::from(*key));
                self.value(value.as_ref());
            }
            HeldAction::Gone => unreachable!("places without an op are not among those that wait"),
        }
    }
}
