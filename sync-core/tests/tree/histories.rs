//! Random histories, and random ways to deliver them.

use sync_core::json::Json;
use sync_core::{OpClock, OpId, PeerId, PropertyKey, TreeOp, VertexId};

/// Small numbers that follow from a seed.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % n.max(1)
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.roll(last + 1));
        }
    }
}

pub(crate) fn vertex(number: usize) -> VertexId {
    VertexId::new(number.to_string()).unwrap()
}

pub(crate) fn id(clock: usize, peer: usize) -> OpId {
    let peer = PeerId::new(format!("{:x}", peer * 7 % 16)).unwrap();
    OpId::new(OpClock::new(clock as u64).unwrap(), peer)
}

pub(crate) fn moving(clock: usize, peer: usize, target: usize, parent: Option<usize>) -> TreeOp {
    TreeOp::moving(id(clock, peer), vertex(target), parent.map(vertex))
}

pub(crate) fn setting(clock: usize, peer: usize, target: usize, key: &str, value: Option<&str>) -> TreeOp {
    let key = PropertyKey::new(key).unwrap();
    TreeOp::setting(id(clock, peer), vertex(target), key, value.map(Json::from_canonical))
}

/// Ops as any peers could send them, broken ones too: parents that are younger than their children, that do not exist, or
/// that are the vertex itself. Clocks of several peers run side by side, so that many ops have the same.
pub(crate) fn wild(dice: &mut Dice, n_ops: usize, n_vertices: usize, n_peers: usize) -> Vec<TreeOp> {
    let mut clocks = vec![0; n_peers];
    let mut ops = Vec::new();
    for _ in 0..n_ops {
        let peer = dice.roll(n_peers);
        clocks[peer] += 1 + dice.roll(3) / 2;
        let target = dice.roll(n_vertices);
        ops.push(match dice.roll(8) {
            0 => moving(clocks[peer], peer, target, None),
            1..5 => moving(clocks[peer], peer, target, Some(dice.roll(n_vertices))),
            5 => setting(clocks[peer], peer, target, "a", None),
            6 => setting(clocks[peer], peer, target, "a", Some(["1", "2", "null"][dice.roll(3)])),
            _ => setting(clocks[peer], peer, target, "", Some(["\"x\"", "[]"][dice.roll(2)])),
        });
    }
    ops
}

/// A history of peers that keep their clocks: every vertex is older than what refers to it. Peers hear of each other now and
/// then.
pub(crate) fn tame(dice: &mut Dice, n_ops: usize, n_peers: usize) -> Vec<TreeOp> {
    let mut ops = vec![moving(1, 0, 0, None), moving(2, 0, 1, Some(0))];
    let mut peers: Vec<(usize, Vec<usize>)> = vec![(2, vec![0, 1]); n_peers];
    for number in 2..n_ops {
        let peer = dice.roll(n_peers);
        if dice.roll(10) == 0 {
            let (clock, known) = peers[dice.roll(n_peers)].clone();
            peers[peer].0 = peers[peer].0.max(clock);
            peers[peer].1.extend(known);
            peers[peer].1.sort_unstable();
            peers[peer].1.dedup();
        }
        let (clock, known) = &mut peers[peer];
        *clock += 1;
        let target = known[dice.roll(known.len())];
        ops.push(match dice.roll(3) {
            0 => {
                known.push(number);
                moving(*clock, peer, number, Some(target))
            }
            1 => moving(*clock, peer, target, Some(known[dice.roll(known.len())])),
            _ => setting(*clock, peer, target, ["a", "_c"][dice.roll(2)], Some(["1", "\"b\""][dice.roll(2)])),
        });
    }
    ops
}
