//! Time, as one type in one unit, from one injected source.
//!
//! Nothing in this workspace reads the machine's clock directly (a lint bans it): a [`Clock`] is handed in, so that
//! tests and the simulator decide what time it is and a clock that jumps is an input like any other.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

/// A moment: microseconds since 1970-01-01T00:00:00Z, never negative.
///
/// Values stay below 2^53 (the year 2255), so they are exact in a JavaScript number.
///
/// ```
/// use sync_core::Timestamp;
/// let t = Timestamp::from_micros(1_700_000_000_000_001).unwrap();
/// assert_eq!(t.to_string(), "2023-11-14T22:13:20.000001Z");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Timestamp(i64);

impl Timestamp {
    /// The first moment of 1970.
    pub const ZERO: Self = Self(0);
    /// The last moment this type can say: 2^53 - 1 microseconds.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Takes microseconds since 1970; `None` outside `0..=2^53 - 1`.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    pub fn as_micros(self) -> i64 {
        self.0
    }

    /// This moment moved later by `by`, or [`Timestamp::MAX`] where that cannot be said.
    #[must_use]
    pub fn saturating_add(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by).min(Self::MAX.0))
    }

    /// This moment moved earlier by `by`, or [`Timestamp::ZERO`] where that cannot be said.
    #[must_use]
    pub fn saturating_sub(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        Self((self.0 - by).max(0))
    }

    /// How long after `earlier` this moment is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }
}

impl std::fmt::Display for Timestamp {
    /// ISO 8601 in UTC with six decimals and `Z`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let time =
            DateTime::from_timestamp_micros(self.0).expect("0..2^53 microseconds lie within chrono's range");
        f.write_str(&time.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl TryFrom<i64> for Timestamp {
    type Error = &'static str;

    fn try_from(micros: i64) -> Result<Self, Self::Error> {
        Self::from_micros(micros).ok_or("a timestamp is microseconds since 1970, from 0 to 2^53 - 1")
    }
}

impl From<Timestamp> for i64 {
    fn from(t: Timestamp) -> Self {
        t.0
    }
}

/// Where the time comes from.
///
/// A clock may jump, also backwards; nothing in this library takes order from it.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the machine's clock is read")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp(micros.min(Timestamp::MAX.0))
    }
}

/// A clock that stands still until it is told otherwise. For tests and simulations.
///
/// ```
/// use sync_core::{Clock, ManualClock, Timestamp};
/// let clock = ManualClock::at(Timestamp::from_micros(5).unwrap());
/// clock.advance(std::time::Duration::from_micros(2));
/// assert_eq!(clock.now().as_micros(), 7);
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `at`.
    pub fn at(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Shows `at` from now on, which may be earlier than before.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.0, Ordering::SeqCst);
    }

    /// Moves on by `by`.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().saturating_add(by));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
