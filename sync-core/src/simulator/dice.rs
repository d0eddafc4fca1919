//! Choices that follow from a seed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rolls dice: every choice of a simulation comes from here, so that a seed replays it.
///
/// ```
/// use sync_core::simulator::Dice;
/// let (one, two) = (Dice::new(7), Dice::new(7));
/// assert_eq!(one.below(1000), two.below(1000));
/// ```
#[derive(Debug)]
pub struct Dice(AtomicU64);

impl Dice {
    /// The dice of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Dice of their own, so that whoever rolls them does not change what others get.
    pub fn fork(&self) -> Self {
        Self::new(self.next())
    }

    /// A number of 64 random bits (SplitMix64: every seed is as good as any other, also neighbours).
    pub fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`; zero when `n` is.
    pub fn below(&self, n: usize) -> usize {
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        self.next().checked_rem(n).and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
    }

    /// Whether something happens that happens `per_mille` times in a thousand.
    pub fn chance(&self, per_mille: u32) -> bool {
        self.next() % 1000 < u64::from(per_mille)
    }

    /// One of these; `None` when there is none.
    pub fn pick<'a, T>(&self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }

    /// A time from zero up to `max`, mostly short: delays of machines and networks are.
    pub fn delay(&self, max: Duration) -> Duration {
        let max = u64::try_from(max.as_micros()).unwrap_or(u64::MAX);
        let shortened = max >> (self.next() % 8);
        Duration::from_micros(self.next() % shortened.saturating_add(1))
    }
}
