//! Access that was taken away: what came from the server goes, what the server does not have stays visible.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::code;
use crate::replica::Replica;
use crate::replica::load::carry::{Carry, Unsent};
use crate::replica::local::state::State;
use crate::replica::local::txn::Local;
use crate::replica::sync::report::SyncReport;
use crate::replica::sync::seal::mutation;

/// The code of an edit that could not be sent any more: access to the space was taken away.
pub const ACCESS_LOST: &str = "access_lost";

/// Whether the server says that this replica had access to the space and has it no longer. Nothing less is a reason to
/// remove anything: a space that cannot be found may be the fault of a proxy, or of a backup that was restored.
pub(crate) fn is_revoked(error: &Error) -> bool {
    error.kind() == ErrorKind::Forbidden && error.code() == Some(code::SPACE_REVOKED)
}

impl Replica {
    /// Gives up the copy of a space to which there is no access any more: an empty side takes its place, with all
    /// unsent edits set aside.
    pub(crate) async fn give_up_copy(&self) -> Result<()> {
        let live = self.state().await?;
        self.discard_standby().await?;
        self.prepare_standby(&live).await?;
        self.switch(Carry::Aside).await.map(|_| ())
    }
}

impl Local {
    /// Sets aside what was not sent, and what was sent and not answered: nobody can tell any more what became of it.
    pub(crate) async fn set_all_aside(&mut self, unsent: Unsent) -> Result<SyncReport> {
        let detail = "access to the space was taken away before it was confirmed";
        for entry in unsent.sent {
            self.put_aside(&entry.mutation()?, ACCESS_LOST, detail)?;
        }
        for (base, visible) in unsent.edits {
            if let Some(mutation) = mutation(&base, visible.as_ref(), self.policy(&base.key)) {
                self.put_aside(&mutation, ACCESS_LOST, detail)?;
            }
        }
        for row in unsent.asides {
            self.set(row);
        }
        let ids = Arc::clone(&self.options.ids);
        let mut state = State { standby: false, receipt: None, ..self.state().await? };
        state.rename(&*ids);
        self.save(&state)?;
        Ok(SyncReport::default())
    }
}
