//! Small numbers for names, so that everything else works on flat arrays.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::hash::Hash;

use crate::types::PeerId;

/// More names than memory holds; the numbers above have other meanings.
const NAMES_MAX: usize = u32::MAX as usize - 8;

/// Names and their numbers, which count from 0 in the order in which the names were first heard. They are never given back.
#[derive(Clone, Debug)]
pub(in crate::tree) struct Names<N> {
    names: Vec<N>,
    numbers: HashMap<N, u32>,
}

impl<N> Default for Names<N> {
    fn default() -> Self {
        Self { names: Vec::new(), numbers: HashMap::new() }
    }
}

impl<N: Clone + Eq + Hash> Names<N> {
    /// With room for some names.
    pub(in crate::tree) fn with_capacity(n_names: usize) -> Self {
        Self { names: Vec::with_capacity(n_names), numbers: HashMap::with_capacity(n_names) }
    }

    /// The number of a name, if it was heard.
    pub(in crate::tree) fn find(&self, name: &N) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The number of a name.
    pub(in crate::tree) fn intern(&mut self, name: &N) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        self.push(name.clone());
        self.names.len() as u32 - 1
    }

    /// Adds a name behind all others; `false` when it was there.
    pub(in crate::tree) fn push(&mut self, name: N) -> bool {
        assert!(self.names.len() < NAMES_MAX, "four billion names do not fit into memory");
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.numbers.insert(name, number).is_none()
    }

    /// The name of a number.
    pub(in crate::tree) fn name(&self, number: u32) -> &N {
        &self.names[number as usize]
    }

    pub(in crate::tree) fn len(&self) -> usize {
        self.names.len()
    }

    pub(in crate::tree) fn iter(&self) -> impl Iterator<Item = &N> {
        self.names.iter()
    }
}

/// Peers, and the order of their names.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Peers {
    names: Names<PeerId>,
    /// The place of each in the order of bytes, which newcomers shift. Numbers do not change, so that nothing that refers
    /// to a peer has to.
    ranks: Vec<u32>,
    /// All peers in this order.
    sorted: Vec<u32>,
    /// The peer whose name was asked for last: ops of one author come together.
    last: u32,
}

impl Peers {
    pub(in crate::tree) fn find(&self, peer: &PeerId) -> Option<u32> {
        self.names.find(peer)
    }

    pub(in crate::tree) fn intern(&mut self, peer: &PeerId) -> u32 {
        if self.names.names.get(self.last as usize) == Some(peer) {
            return self.last;
        }
        self.last = self.names.intern(peer);
        if self.names.len() > self.ranks.len() {
            self.rank_newcomer(peer);
        }
        self.last
    }

    fn rank_newcomer(&mut self, newcomer: &PeerId) {
        let rank = self.sorted.partition_point(|other| self.names.name(*other) < newcomer);
        self.sorted.insert(rank, self.last);
        let rank = rank as u32;
        for other in &mut self.ranks {
            *other += u32::from(*other >= rank);
        }
        self.ranks.push(rank);
    }

    /// The place of a peer in the order of bytes.
    pub(in crate::tree) fn rank(&self, peer: u32) -> u32 {
        self.ranks[peer as usize]
    }

    /// Which of two ops comes first, each with its clock and peer.
    pub(in crate::tree) fn order(&self, a: (u64, u32), b: (u64, u32)) -> Ordering {
        a.0.cmp(&b.0).then_with(|| self.rank(a.1).cmp(&self.rank(b.1)))
    }

    pub(in crate::tree) fn name(&self, peer: u32) -> &PeerId {
        self.names.name(peer)
    }

    pub(in crate::tree) fn iter(&self) -> impl Iterator<Item = &PeerId> {
        self.names.iter()
    }

    pub(in crate::tree) fn len(&self) -> usize {
        self.names.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_ranked_by_bytes_whenever_they_come() {
        let mut peers = Peers::default();
        let numbers: Vec<u32> =
            ["b", "9", "-", "f0", "f"].map(|name| peers.intern(&PeerId::new(name).unwrap())).to_vec();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        let mut sorted = numbers;
        sorted.sort_by(|a, b| peers.order((1, *a), (1, *b)));
        let names: Vec<&str> = sorted.iter().map(|peer| peers.name(*peer).as_str()).collect();
        assert_eq!(names, ["-", "9", "b", "f", "f0"]);
    }
}
