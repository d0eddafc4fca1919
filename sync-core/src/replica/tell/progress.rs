//! How far a sync is.

/// How far a sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Edits sent, records loaded or changes received so far.
    pub n_done: u64,
    /// Of how many: edits that wait, or records in the snapshot. A server does not count the changes that are still to
    /// come, so while they are fetched it is known only at the end.
    pub n_total: Option<u64>,
}

/// What a sync is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Sending edits.
    Pushing,
    /// Loading the whole space.
    Loading,
    /// Fetching changes.
    Pulling,
}
