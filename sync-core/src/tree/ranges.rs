//! Sets of numbers with few gaps, kept as ranges.

use std::collections::BTreeMap;

/// A set of whole numbers, as ranges that neither overlap nor touch. A clock that only rises is one range, however far it
/// has come; looking up and adding cost the logarithm of the number of ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RangeSet {
    /// First number to last number of each range.
    ranges: BTreeMap<u64, u64>,
}

impl RangeSet {
    /// Adds a number; `false` when it was there.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        match self.ranges.range_mut(..=number).next_back() {
            Some((_, last)) if number <= *last => return false,
            Some((first, last)) if *last + 1 == number => {
                *last = number;
                let first = *first;
                self.join_next(first, number);
            }
            _ => {
                let last = self.ranges.remove(&(number + 1)).unwrap_or(number);
                self.ranges.insert(number, last);
            }
        }
        true
    }

    /// Makes one of the range that begins at `first`, which now ends with `last`, and of the one behind it.
    fn join_next(&mut self, first: u64, last: u64) {
        if let Some(last) = self.ranges.remove(&(last + 1)) {
            self.ranges.insert(first, last);
        }
    }

    /// Adds a range behind all others; `false` when it overlaps them. One that touches the last is joined with it.
    pub(super) fn push(&mut self, first: u64, last: u64) -> bool {
        if first > last {
            return false;
        }
        match self.ranges.last_entry() {
            Some(entry) if *entry.get() >= first => return false,
            Some(mut entry) if *entry.get() + 1 == first => *entry.get_mut() = last,
            _ => drop(self.ranges.insert(first, last)),
        }
        true
    }

    /// Whether a number is in it.
    pub(super) fn contains(&self, number: u64) -> bool {
        self.ranges.range(..=number).next_back().is_some_and(|(_, last)| number <= *last)
    }

    /// The ranges, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.ranges.iter().map(|(first, last)| (*first, *last))
    }

    /// How many ranges there are.
    pub(super) fn n_ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many numbers there are.
    pub(super) fn n_numbers(&self) -> u64 {
        self.iter().map(|(first, last)| last - first + 1).sum()
    }

    /// What is here and not in `other`.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut left = Self::default();
        let mut holes = other.iter().peekable();
        for (mut first, last) in self.iter() {
            while let Some((from, to)) = holes.peek().copied().filter(|(from, _)| *from <= last) {
                if from > first {
                    left.push(first, from - 1);
                }
                first = first.max(to + 1);
                if to > last {
                    break;
                }
                holes.next();
            }
            left.push(first, last);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_a_set_of_numbers(a in prop::collection::vec(1u64..60, 0..60), b in prop::collection::vec(1u64..60, 0..60)) {
            let (mut ours, mut theirs) = (RangeSet::default(), RangeSet::default());
            let (mut set, mut other) = (BTreeSet::new(), BTreeSet::new());
            for number in a {
                prop_assert_eq!(ours.insert(number), set.insert(number));
            }
            for number in b {
                prop_assert_eq!(theirs.insert(number), other.insert(number));
            }
            let numbers = |ranges: &RangeSet| ranges.iter().flat_map(|(first, last)| first..=last).collect::<Vec<_>>();
            prop_assert_eq!(numbers(&ours), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ours.n_numbers(), set.len() as u64);
            let left = ours.without(&theirs);
            prop_assert_eq!(numbers(&left), set.difference(&other).copied().collect::<Vec<_>>());
            for ranges in [&ours, &left] {
                let all: Vec<_> = ranges.iter().collect();
                prop_assert!(all.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{all:?} are not apart");
            }
            prop_assert!((1..60).all(|number| ours.contains(number) == set.contains(&number)));
        }
    }
}
