//! Buckets in a table of fixed size.
//!
//! Of a bucket nothing is kept but the moment at which it will be full again; one that is full needs no place. A key may lie
//! in one of a few places. When all of them are taken, the bucket goes that will be full soonest: the one that restrains
//! least. So a flood of new keys drives out other newcomers before it drives out anyone who guesses passwords.

use std::time::Duration;

use sync_core::Timestamp;

use super::Bucket;

/// Buckets in all. 262,144 of 16 bytes: 4 MiB, of which the system hands out only what is used.
const BUCKETS_MAX: usize = 1 << 18;

/// Places where a key may lie. 8: two cache lines.
const WAYS: usize = 8;

/// The buckets that are not full, and the time.
#[derive(Debug)]
pub(super) struct Table {
    /// The clock when it was last looked at.
    seen: Timestamp,
    /// Time that has passed, as far as the clock went forward: a clock that jumps back holds nothing up.
    now_us: i64,
    /// Key, and the time at which the bucket will be full.
    slots: Vec<[u64; 2]>,
}

impl Table {
    /// A table in which all buckets are full.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { seen: now, now_us: 0, slots: vec![[0; 2]; BUCKETS_MAX] }
    }

    /// Brings it to the time that the clock shows.
    pub(super) fn advance(&mut self, now: Timestamp) {
        let passed_us = i64::try_from(now.since(self.seen).as_micros()).unwrap_or(i64::MAX);
        self.now_us = self.now_us.saturating_add(passed_us);
        self.seen = now;
    }

    /// How long until the bucket has a token.
    pub(super) fn wait(&mut self, bucket: Bucket) -> Duration {
        let Bucket { rule, key: Some(key) } = bucket else { return Duration::ZERO };
        let missing_us = (self.full_at(key) - self.now_us).max(0);
        let room_us = (rule.burst() - 1) * rule.interval_us();
        Duration::from_micros(u64::try_from(missing_us - room_us).unwrap_or(0))
    }

    /// Takes a token.
    pub(super) fn take(&mut self, bucket: Bucket) {
        self.fill_later(bucket, bucket.rule.interval_us());
    }

    /// Gives a token back.
    pub(super) fn give_back(&mut self, bucket: Bucket) {
        self.fill_later(bucket, -bucket.rule.interval_us());
    }

    fn fill_later(&mut self, bucket: Bucket, by_us: i64) {
        let Some(key) = bucket.key else { return };
        let full_at = self.full_at(key).max(self.now_us).saturating_add(by_us).max(self.now_us);
        let place = self.place(key);
        *place = [key, u64::try_from(full_at).unwrap_or(0)];
    }

    fn full_at(&mut self, key: u64) -> i64 {
        let place = self.place(key);
        if place[0] == key { i64::try_from(place[1]).unwrap_or(i64::MAX) } else { 0 }
    }

    /// The place of a key, or the one it may take.
    fn place(&mut self, key: u64) -> &mut [u64; 2] {
        let n_sets = (BUCKETS_MAX / WAYS) as u64;
        let first = usize::try_from(key % n_sets).expect("it is below the number of sets") * WAYS;
        let set = &mut self.slots[first..first + WAYS];
        let own = set.iter().position(|slot| slot[0] == key);
        let soonest = || (0..WAYS).min_by_key(|idx| set[*idx][1]).expect("a set has places");
        let idx = own.unwrap_or_else(soonest);
        &mut set[idx]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::Rule;

    fn bucket(rule: Rule, key: u64) -> Bucket {
        Bucket { rule, key: Some(key) }
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_memory_and_frees_nobody_who_is_held() {
        let mut table = Table::new(Timestamp::ZERO);
        let guesser = bucket(Rule::Login, 5);
        (0..10).for_each(|_| table.take(guesser));
        for key in 1_000..1_001_000 {
            table.take(bucket(Rule::Request, key));
        }
        assert_eq!((table.slots.len(), table.slots.capacity()), (BUCKETS_MAX, BUCKETS_MAX));
        assert!(!table.wait(guesser).is_zero());
    }

    #[test]
    fn a_full_bucket_makes_room_first() {
        let mut table = Table::new(Timestamp::ZERO);
        let in_one_set = |n: u64| n * (BUCKETS_MAX / WAYS) as u64 + 1;
        for n in 0..WAYS as u64 {
            (0..10).for_each(|_| table.take(bucket(Rule::Login, in_one_set(n))));
        }
        table.give_back(bucket(Rule::Login, in_one_set(3)));
        table.take(bucket(Rule::Login, in_one_set(100)));
        let held = (0..WAYS as u64).filter(|n| !table.wait(bucket(Rule::Login, in_one_set(*n))).is_zero());
        assert_eq!(held.count(), WAYS - 1);
    }
}
