//! What a replica tells those who wait, within this process.

use crate::replica::hub::Hub;
use crate::replica::latest::Latest;
use crate::replica::states::SyncState;

/// Goes with the replica; whoever waits is told of its end.
#[derive(Debug, Default)]
pub(super) struct Signals {
    /// Changes of records.
    pub(super) hub: Hub,
    /// How it stands with its server.
    pub(super) states: Latest<SyncState>,
    /// Something was edited here.
    pub(super) edits: Latest<()>,
    /// Someone waits for what the server has.
    pub(super) asks: Latest<()>,
    /// Someone wants a replica that runs to try now.
    pub(super) wakes: Latest<()>,
}
