//! What a simulation found: which promise was broken, when, and what led to it.

use std::fmt;

/// The promises that a simulation watches. `ARCHITECTURE.md` numbers them in the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: what was acknowledged is there, or superseded by something later.
    Durable,
    /// I2: a push repeated any number of times has the effect of one and gets the same answer.
    ExactlyOnce,
    /// I3: pages from a cursor yield every committed change after it.
    Gapless,
    /// I4: one traversal of the feed yields each record once.
    NoDuplicates,
    /// I5: seqs, heads and cursors only grow while the server is not restored.
    Monotone,
    /// I6: once quiet, server and replicas hold the same.
    Convergent,
    /// I7: what was written and not knowingly replaced is visible, in a conflict or set aside; nobody is in conflict
    /// with oneself.
    NoSilentLoser,
    /// I8: what was knowingly deleted does not come back.
    NoResurrection,
    /// I9: a replica reads its own writes, never goes back, and shows together what was written together.
    SessionOrder,
    /// I10: a replica is told what the server decided, and an edit leaves its outbox only so.
    Outbox,
    /// I11: nothing of a space reaches someone without access to it.
    Isolated,
    /// I12: nothing is acknowledged after an error of the store.
    FailClosed,
    /// I13: batches, pages and requests keep their limits, and replicas do not come back as one.
    Bounded,
    /// I14: soon after the last fault all are in sync without help.
    Live,
    /// I15: trees are valid, and the same whatever the order in which ops came.
    TreeValid,
    /// I16: a restored server is noticed by every replica, and nobody claims a restore that was none.
    RestoreNoticed,
    /// I17: damaged input is refused.
    RefusedCleanly,
}

impl Invariant {
    /// Its number and its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "I1 durable",
            Self::ExactlyOnce => "I2 exactly once",
            Self::Gapless => "I3 gapless",
            Self::NoDuplicates => "I4 no duplicates",
            Self::Monotone => "I5 monotone",
            Self::Convergent => "I6 convergent",
            Self::NoSilentLoser => "I7 no silent loser",
            Self::NoResurrection => "I8 no resurrection",
            Self::SessionOrder => "I9 session order",
            Self::Outbox => "I10 outbox",
            Self::Isolated => "I11 isolated",
            Self::FailClosed => "I12 fail closed",
            Self::Bounded => "I13 bounded",
            Self::Live => "I14 live",
            Self::TreeValid => "I15 tree valid",
            Self::RestoreNoticed => "I16 restore is noticed",
            Self::RefusedCleanly => "I17 refused cleanly",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A broken promise. Printing it tells how to see it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The seed of the simulation.
    pub seed: u64,
    /// The promise.
    pub invariant: Invariant,
    /// At which step of the script.
    pub step: usize,
    /// What was found.
    pub detail: String,
    /// The last events before it, oldest first.
    pub events: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "    {event}")?;
        }
        writeln!(f, "{} is broken at step {}: {}", self.invariant, self.step, self.detail)?;
        write!(f, "SYNC_SEED={} shows it again", self.seed)
    }
}

impl std::error::Error for Violation {}
