//! What a replica tells those who wait, within this process.

use crate::replica::hub::Hub;
use crate::replica::latest::Latest;
use crate::replica::position::Waits;
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
    /// Something was written, or the server has said something that is waited for.
    pub(super) steps: Latest<()>,
    /// Positions in the server's history that are waited for.
    pub(super) waits: Waits,
    /// Someone waits for what the server has.
    pub(super) asks: Latest<()>,
    /// Someone wants a replica that runs to try now.
    pub(super) wakes: Latest<()>,
}

impl Signals {
    /// What the application sees may have changed in any way.
    pub(super) fn reload(&self) {
        self.hub.reload();
        self.steps.set(());
    }
}
