//! What a replica tells those who wait, within this process.

use crate::replica::hub::Hub;

/// Goes with the replica; whoever waits is told of its end.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Changes of records.
    pub(super) hub: Hub,
}
