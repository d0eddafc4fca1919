//! Which clocks of a peer were received, for quick adding in any order.

use std::collections::BTreeMap;

use crate::tree::ranges::RangeSet;

/// Clocks in one word.
const BITS: u64 = 64;

/// A set of clocks as words of 64 bits. Ranges would be as many as half the ops while those of one author come shuffled;
/// words are never more than a part of that, and most of the time 64 clocks are one.
#[derive(Clone, Debug, Default)]
pub(in crate::tree) struct Clocks {
    words: BTreeMap<u64, u64>,
    n_clocks: u64,
}

impl Clocks {
    /// Adds a clock; `false` when it was there.
    pub(in crate::tree) fn insert(&mut self, clock: u64) -> bool {
        let word = self.words.entry(clock / BITS).or_default();
        let is_new = *word >> (clock % BITS) & 1 == 0;
        *word |= 1 << (clock % BITS);
        self.n_clocks += u64::from(is_new);
        is_new
    }

    /// How many there are.
    pub(in crate::tree) fn len(&self) -> u64 {
        self.n_clocks
    }

    /// The same as ranges.
    pub(in crate::tree) fn ranges(&self) -> RangeSet {
        let mut ranges = RangeSet::default();
        for (word, bits) in &self.words {
            let (mut bits, mut at) = (*bits, 0);
            while bits != 0 {
                let n_gap = bits.trailing_zeros();
                let n_run = (bits >> n_gap).trailing_ones();
                at += u64::from(n_gap);
                ranges.push(word * BITS + at, word * BITS + at + u64::from(n_run) - 1);
                at += u64::from(n_run);
                bits = bits.checked_shr(n_gap + n_run).unwrap_or(0);
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_the_same_set_as_words_and_as_ranges() {
        let (mut clocks, mut ranges, mut clock) = (Clocks::default(), RangeSet::default(), 1_u64);
        for n in 0..5000 {
            clock = (clock * 48_271 + n) % 2_147_483_647;
            let number = if n < 4000 { clock % 3000 } else { 64 * (clock % 100) + 63 };
            assert_eq!(clocks.insert(number), ranges.insert(number));
        }
        (7000..7400).for_each(|number| assert!(clocks.insert(number) == ranges.insert(number)));
        assert_eq!(clocks.ranges(), ranges);
        assert_eq!(clocks.len(), ranges.n_numbers());
    }
}
