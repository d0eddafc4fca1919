//! Listening: waiting at the server for something new while nothing else is under way, in the best way there is.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{Either, select};

use crate::error::Result;
use crate::protocol::{PullPage, PullReply, PullRequest, Subscribe};
use crate::replica::run::backoff::Outcome;
use crate::replica::run::follow::Line;
use crate::replica::sync::lost_cursor;
use crate::replica::sync::page::{self, Asked};
use crate::replica::{Replica, SyncState};
use crate::transport::Transport;

/// Who answers sooner than this that there is nothing new does not hold requests.
const HELD_MIN: Duration = Duration::from_secs(1);

impl Replica {
    /// Waits at the server for something new, and takes it in: on a live stream, or else with a pull that the server
    /// holds. Other syncs may run meanwhile. Dropping it is harmless.
    pub(crate) async fn listen(
        &self,
        line: &mut Line,
        transport: &dyn Transport,
        wait: Duration,
    ) -> Result<Outcome> {
        let state = self.state().await?;
        let collections = state.wanted();
        let Some(after) = state.cursor.clone().filter(|_| !state.needs_load()) else {
            return Ok(Outcome::Behind);
        };
        let asked = Asked { after: after.clone(), receipt: state.receipt.clone() };
        let wanted = Subscribe { after: Some(after), collections, receipt: state.receipt };
        let outcome = match self.follow(line, transport, &asked, &wanted).await {
            Some(heard) => heard,
            None => self.pull_held(transport, asked, wanted, wait).await,
        };
        let outcome = outcome.or_else(|error| lost_cursor(&error).map(|_| Outcome::Behind).ok_or(error));
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

    /// A pull that the server holds until there is something new.
    async fn pull_held(
        &self,
        transport: &dyn Transport,
        asked: Asked,
        wanted: Subscribe,
        wait: Duration,
    ) -> Result<Outcome> {
        let Subscribe { after, collections, receipt } = wanted;
        let request = PullRequest { after, collections, limit: None, wait: Some(wait), receipt };
        let mut is_soon = true;
        let pull = transport.pull(self.space(), &request);
        let reply = match select(pull, self.0.options.runtime.sleep(HELD_MIN.min(wait))).await {
            Either::Left((reply, _)) => reply,
            Either::Right((_, pull)) => {
                is_soon = false;
                pull.await
            }
        };
        match reply? {
            PullReply::Page(page) => {
                let nothing = if is_soon { Outcome::Unheld } else { Outcome::Heard };
                self.take_in_page(page, asked, nothing).await
            }
            PullReply::ResyncRequired(_) => Ok(Outcome::Behind),
        }
    }

    /// Takes in what comes after a cursor. If it is nothing, that comes to `nothing`.
    pub(super) async fn take_in_page(
        &self,
        page: PullPage,
        asked: Asked,
        nothing: Outcome,
    ) -> Result<Outcome> {
        page::check(&page, &asked, self.space())?;
        page::check_leads_on(&page, &asked.after, self.space())?;
        // Pages count only together with those that follow; a sync sees to that.
        if page.has_more {
            return Ok(Outcome::Behind);
        }
        if asked.learns_nothing(&page) {
            return Ok(nothing);
        }
        let (replica, here) = (Replica(Arc::clone(&self.0)), asked.after.clone());
        let _alone = self.0.syncing.lock().await;
        let taken =
            replica.write(move |local| async move { local.apply_page(page, &asked).await }.boxed()).await?;
        // Where it stands elsewhere by now, another sync was faster. Otherwise a batch must be answered first.
        if taken.is_none() && self.state().await?.cursor == Some(here) {
            return Ok(Outcome::Behind);
        }
        // Whether a position was reached is for a sync to find out.
        Ok(if self.0.signals.waits.is_empty() { Outcome::Heard } else { Outcome::Asked })
    }
}
