//! Where the replica has been: cursors it once had, close together for the recent past and far apart for the rest.
//!
//! When a server went back in time, the newest of them that it still accepts tells how far both have the same history.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::types::CursorToken;

/// Ages from one power of eight to the next are told apart, and two cursors of each kept: the oldest, which grows into the
/// next, and the newest, which is where a replica stood that was silent since. With microseconds and years that is 34
/// cursors of 100 bytes.
const AGE_BITS: u32 = 3;

/// Cursors that the replica had, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Trail(Vec<Place>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Place {
    cursor: CursorToken,
    /// When it was reached, by the local clock. It only says what may be forgotten.
    at: Timestamp,
}

impl Trail {
    /// Notes a cursor, and forgets some of those that are about as old as others.
    pub(crate) fn add(&mut self, cursor: CursorToken, at: Timestamp) {
        let class = |place: &Place| {
            let age = at.as_micros().saturating_sub(place.at.as_micros()).max(1);
            age.ilog2() / AGE_BITS
        };
        let classes: Vec<u32> = self.0.iter().map(class).collect();
        let mut idx = 0;
        self.0.retain(|_| {
            let is_inside =
                idx > 0 && classes[idx - 1] == classes[idx] && classes.get(idx + 1) == Some(&classes[idx]);
            idx += 1;
            !is_inside
        });
        self.0.push(Place { cursor, at });
    }

    /// The newest first.
    pub(crate) fn into_cursors(self) -> impl Iterator<Item = CursorToken> {
        self.0.into_iter().rev().map(|place| place.cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(n: usize) -> CursorToken {
        CursorToken::new(n.to_string())
    }

    #[test]
    fn a_trail_stays_short_and_has_something_of_every_age() {
        let mut trail = Trail::default();
        let minute = 60_000_000;
        // Every minute for a year.
        let n_minutes = 365 * 24 * 60;
        for n in 0..n_minutes {
            trail.add(cursor(n), Timestamp::from_micros(n as i64 * minute).unwrap());
        }
        assert!(trail.0.len() <= 34, "{}", trail.0.len());
        let newest = trail.0.last().unwrap().at.as_micros();
        let ages: Vec<i64> =
            trail.0.iter().rev().map(|place| (newest - place.at.as_micros()) / minute).collect();
        assert_eq!(ages[0], 0);
        for (younger, older) in ages.iter().zip(&ages[1..]) {
            assert!(*older <= (younger + 1) * 64, "nothing between {younger} and {older} minutes: {ages:?}");
        }
        assert!(*ages.last().unwrap() > n_minutes as i64 / 8, "{ages:?}");
    }

    #[test]
    fn where_a_replica_stood_before_a_pause_is_kept() {
        let mut trail = Trail::default();
        for (n, at) in [0, 1, 2, 3, 1_000_000_000, 1_000_000_001].into_iter().enumerate() {
            trail.add(cursor(n), Timestamp::from_micros(at).unwrap());
        }
        assert!(trail.into_cursors().any(|place| place == cursor(3)));
    }

    #[test]
    fn a_clock_that_jumps_costs_no_more_than_detail() {
        let mut trail = Trail::default();
        for (n, at) in [5_000_000, 4_000_000, 1, 6_000_000, i64::from(i32::MAX)].into_iter().enumerate() {
            trail.add(cursor(n), Timestamp::from_micros(at).unwrap());
        }
        assert_eq!(trail.into_cursors().next(), Some(cursor(4)));
    }
}
