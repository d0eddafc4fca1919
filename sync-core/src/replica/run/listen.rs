//! Listening: a pull that the server holds until there is something new, while nothing else is under way.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use crate::error::Result;
use crate::protocol::{PullPage, PullReply, PullRequest};
use crate::replica::run::backoff::Outcome;
use crate::replica::sync::lost_cursor;
use crate::replica::sync::page;
use crate::replica::{Replica, SyncState};
use crate::transport::Transport;
use crate::types::CursorToken;

/// Who answers sooner than this that there is nothing new does not hold requests.
const HELD_MIN: Duration = Duration::from_secs(1);

impl Replica {
    /// Waits at the server for something new, and takes it in. Other syncs may run meanwhile. Dropping it is harmless.
    pub(crate) async fn listen(&self, transport: &dyn Transport, wait: Duration) -> Result<Outcome> {
        let state = self.state().await?;
        let collections = state.wanted();
        let Some(after) = state.cursor.clone().filter(|_| !state.needs_load()) else {
            return Ok(Outcome::Behind);
        };
        let acked = state.unproven(&after, self.space());
        let request =
            PullRequest { after: Some(after.clone()), collections, limit: None, wait: Some(wait), acked };
        let mut is_soon = true;
        let pull = transport.pull(self.space(), &request);
        let reply = match select(pull, self.0.options.runtime.sleep(HELD_MIN.min(wait))).await {
            Either::Left((reply, _)) => reply,
            Either::Right((_, pull)) => {
                is_soon = false;
                pull.await
            }
        };
        let outcome = match reply {
            Ok(PullReply::Page(page)) => {
                page::check(&page, &after, self.space())?;
                page::check_leads_on(&page, &after, self.space())?;
                let is_empty = page.changes.is_empty() && page.cursor == after;
                match (page.has_more, is_empty) {
                    // Pages count only together with those that follow; a sync sees to that.
                    (true, _) => Ok(Outcome::Behind),
                    (false, true) => Ok(if is_soon { Outcome::Unheld } else { Outcome::Heard }),
                    (false, false) => self.take_in_heard(page, after).await,
                }
            }
            Ok(PullReply::ResyncRequired(_)) => Ok(Outcome::Behind),
            Err(error) => lost_cursor(&error).map(|_| Outcome::Behind).ok_or(error),
        };
        if matches!(outcome, Ok(Outcome::Heard | Outcome::Unheld | Outcome::Asked)) {
            let contact = &self.0.signals.contact;
            contact.heard(self.0.options.clock.now());
            // That it refuses edits is not over because others make some.
            if self.sync_state() != SyncState::ReadOnly {
                contact.failed(None);
            }
        }
        outcome
    }

    async fn take_in_heard(&self, page: PullPage, after: CursorToken) -> Result<Outcome> {
        let replica = Replica(Arc::clone(&self.0));
        let _alone = self.0.syncing.lock().await;
        // When another sync was faster, this page is old news.
        replica.write(move |local| async move { local.apply_page(page, &after).await }.boxed()).await?;
        // Whether a position was reached is for a sync to find out.
        Ok(if self.0.signals.waits.is_empty() { Outcome::Heard } else { Outcome::Asked })
    }
}
