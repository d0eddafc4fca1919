//! Positions: where a change stands in its space, and how many batches a replica has sent.

use serde::{Deserialize, Serialize};

/// Position of a change in its space.
///
/// Seqs follow commit order, only grow, survive restarts, and are never reused; `0` is before the first change. The
/// value is a microsecond stamp where the clock allowed it, but only its order means anything. Below 2^53, so exact
/// in a JavaScript number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Seq(i64);

/// Version of a record: the seq of its last change; `0` for a record that does not exist.
pub type Version = Seq;

/// A number outside the range of [`Seq`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version is a whole number from 0 to 2^53 - 1")]
pub struct SeqError;

impl Seq {
    /// Before the first change.
    pub const ZERO: Self = Self(0);
    /// The last position there can be, 2^53 - 1. A space that reaches it refuses writes.
    pub const MAX: Self = Self((1 << 53) - 1);

    /// Takes a position.
    ///
    /// # Errors
    ///
    /// [`SeqError`] outside `0..=2^53 - 1`.
    pub fn new(value: i64) -> Result<Self, SeqError> {
        if (0..=Self::MAX.0).contains(&value) { Ok(Self(value)) } else { Err(SeqError) }
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The position before this one; zero has none before it.
    pub(crate) fn before(self) -> Self {
        Self(self.0.saturating_sub(1).max(0))
    }

    /// The position `n` after this one, or `None` past the end of the range.
    pub fn checked_add(self, n: usize) -> Option<Self> {
        let sum = self.0.checked_add(i64::try_from(n).ok()?)?;
        Self::new(sum).ok()
    }
}

impl TryFrom<i64> for Seq {
    type Error = SeqError;

    fn try_from(value: i64) -> Result<Self, SeqError> {
        Self::new(value)
    }
}

impl From<Seq> for i64 {
    fn from(seq: Seq) -> Self {
        seq.0
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a mutation of one replica in one space: 1, 2, 3 … without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct MutationNumber(i64);

impl MutationNumber {
    /// The number of a replica's first mutation.
    pub const FIRST: Self = Self(1);

    /// Takes a number.
    ///
    /// # Errors
    ///
    /// [`SeqError`] outside `1..=2^53 - 1`.
    pub fn new(value: i64) -> Result<Self, SeqError> {
        if (1..=Seq::MAX.0).contains(&value) { Ok(Self(value)) } else { Err(SeqError) }
    }

    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }

    /// The number `n` after this one, or `None` past the end of the range.
    pub fn checked_add(self, n: usize) -> Option<Self> {
        Self::new(self.0.checked_add(i64::try_from(n).ok()?)?).ok()
    }
}

impl TryFrom<i64> for MutationNumber {
    type Error = SeqError;

    fn try_from(value: i64) -> Result<Self, SeqError> {
        Self::new(value)
    }
}

impl From<MutationNumber> for i64 {
    fn from(n: MutationNumber) -> Self {
        n.0
    }
}

impl std::fmt::Display for MutationNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
