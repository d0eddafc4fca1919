//! Pulling: pages of changes until there are no more.

use futures_util::FutureExt;

use crate::error::Result;
use crate::protocol::{PullReply, PullRequest};
use crate::replica::page;
use crate::replica::report::Phase;
use crate::replica::sync::{Run, Step, lost_cursor};

impl Run<'_> {
    /// Takes in everything that others did. Every page moves the cursor, or is refused, so this ends.
    pub(super) async fn pull_all(&mut self) -> Result<Step> {
        loop {
            let Some(after) = self.replica.state().await?.cursor else { return Ok(Step::Done) };
            let request = PullRequest { after: Some(after.clone()), ..PullRequest::default() };
            let reply = match self.transport.pull(self.replica.space(), &request).await {
                Err(error) => return lost_cursor(&error).map(Step::Resync).ok_or(error),
                Ok(reply) => reply,
            };
            let page = match reply {
                PullReply::ResyncRequired(resync) => return Ok(resync.into()),
                PullReply::Page(page) => page,
            };
            page::check(&page, &after, self.replica.space())?;
            page::check_leads_on(&page, &after)?;
            let has_more = page.has_more;
            let report =
                self.replica.write(move |local| async move { local.apply_page(page, &after).await }.boxed());
            let Some(report) = report.await? else { return Ok(Step::Done) };
            self.report.add(report);
            self.has_progressed = true;
            let n_pulled = self.report.pulled;
            self.tell(Phase::Pulling, n_pulled, None);
            if !has_more {
                return Ok(Step::UpToDate);
            }
        }
    }
}
