//! What a sync did.

use crate::mutation::Outcome;
use crate::protocol::ResyncReason;
use crate::replica::sync::incoming::Taken;

/// What one [`sync`](crate::replica::Replica::sync) did.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Edits that the server answered, whatever the answer.
    pub pushed: u64,
    /// Changes that were taken over from the server.
    pub pulled: u64,
    /// Edits that were joined with what others did, here or at the server.
    pub merged: u64,
    /// Edits that became conflicts; see [`conflicts`](crate::replica::Replica::conflicts).
    pub conflicts: u64,
    /// Edits that the server refused; see [`set_aside`](crate::replica::Replica::set_aside).
    pub rejected: u64,
    /// Why the space was loaded anew, if it was.
    pub resynced: Option<ResyncReason>,
    /// How often the replica took a new name, because its file had been copied or the server had forgotten it.
    pub renamed: u64,
    /// Transactions that the server received in parts, because they and others that share records with them outgrew what
    /// it carries out together; see [`transaction`](crate::replica::Replica::transaction).
    pub parted: u64,
}

impl SyncReport {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        self.pushed += 1;
        match outcome {
            Outcome::Merged { .. } => self.merged += 1,
            Outcome::Conflict { .. } => self.conflicts += 1,
            Outcome::Rejected { .. } | Outcome::Superseded => self.rejected += 1,
            Outcome::Applied { .. } | Outcome::Unchanged { .. } => {}
        }
    }

    pub(crate) fn count_taken(&mut self, taken: Taken) {
        match taken {
            Taken::Known => {}
            Taken::Shown | Taken::Clash => self.pulled += 1,
            Taken::Merged => {
                self.pulled += 1;
                self.merged += 1;
            }
        }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.pushed += other.pushed;
        self.pulled += other.pulled;
        self.merged += other.merged;
        self.conflicts += other.conflicts;
        self.rejected += other.rejected;
        self.renamed += other.renamed;
        self.parted += other.parted;
        self.resynced = other.resynced.or(self.resynced);
    }
}
