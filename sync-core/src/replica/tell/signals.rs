//! What a replica tells those who wait, within this process.

use crate::replica::tell::hub::Hub;
use crate::replica::tell::latest::Latest;
use crate::replica::tell::states::SyncState;
use crate::replica::tell::status::Contact;
use crate::replica::tell::waits::Waits;

/// Goes with the replica; whoever waits is told of its end.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// Changes of records.
    pub(crate) hub: Hub,
    /// How it stands with its server.
    pub(crate) states: Latest<SyncState>,
    /// What is known of the server besides.
    pub(crate) contact: Contact,
    /// Something was edited here.
    pub(crate) edits: Latest<()>,
    /// Something was written, or the server has said something that is waited for.
    pub(crate) steps: Latest<()>,
    /// Positions in the server's history that are waited for.
    pub(crate) waits: Waits,
    /// Someone waits for what the server has.
    pub(crate) asks: Latest<()>,
    /// Someone wants a replica that runs to try now.
    pub(crate) wakes: Latest<()>,
}

impl Signals {
    /// What the application sees may have changed in any way.
    pub(crate) fn reload(&self) {
        self.hub.reload();
        self.steps.set(());
    }
}
