//! Pulling: pages of changes until there are no more.
//!
//! Only with the last page is a copy what the server once had: a record that was changed again has moved to a later page.
//! So pages are kept until then, and the live side takes them all in one step.

use futures_util::FutureExt;

use crate::error::Result;
use crate::protocol::{PullPage, PullReply, PullRequest, ResyncReason};
use crate::replica::local::place::Side;
use crate::replica::local::state::State;
use crate::replica::sync::page::{self, Asked};
use crate::replica::sync::report::SyncReport;
use crate::replica::sync::{Run, Step, lost_cursor};
use crate::replica::tell::progress::Phase;
use crate::types::CursorToken;

/// Changes that are kept for one step. Who is further behind than this sees them in several steps: one transaction with
/// more would keep the application from writing for seconds.
const STEP_ROWS_MAX: usize = 20_000;
/// Content that is kept for one step.
const STEP_BYTES_MAX: usize = 32 << 20;

/// Pages that go on from each other, and where the first of them begins.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pages: Vec<(Asked, PullPage)>,
    n_rows: usize,
    n_bytes: usize,
}

impl Pages {
    pub(crate) fn push(&mut self, asked: Asked, page: PullPage) {
        self.n_rows += page.changes.len();
        self.n_bytes += page.changes.iter().map(|change| change.data_len()).sum::<usize>();
        self.pages.push((asked, page));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    fn cursor(&self) -> Option<&CursorToken> {
        self.pages.last().map(|(_, page)| &page.cursor)
    }

    fn is_full(&self) -> bool {
        self.n_rows >= STEP_ROWS_MAX || self.n_bytes >= STEP_BYTES_MAX
    }
}

impl Run<'_> {
    /// Takes in everything that others did.
    pub(crate) async fn pull_all(&mut self) -> Result<Step> {
        self.pull_into(Side::Live).await
    }

    /// Takes in everything that a side does not have yet. Every page moves the cursor, or is refused, so this ends.
    pub(crate) async fn pull_into(&mut self, side: Side) -> Result<Step> {
        let state = self.replica.state_at(side).await?;
        self.pull_from(side, state).await
    }

    /// [`pull_into`](Run::pull_into) a side whose state is known.
    pub(crate) async fn pull_from(&mut self, side: Side, mut state: State) -> Result<Step> {
        loop {
            if let Some(end) = self.pull_page(side, state).await? {
                return Ok(end);
            }
            state = self.replica.state_at(side).await?;
        }
    }

    /// Asks for the next page, and takes in those that were kept when it is the last or there are many. `None` when
    /// there is more to ask for.
    async fn pull_page(&mut self, side: Side, state: State) -> Result<Option<Step>> {
        let collections = state.wanted();
        let after = self.pages.cursor().cloned().or_else(|| state.cursor.clone());
        let Some(after) = after else { return Ok(Some(Step::Done)) };
        let receipt = state.receipt;
        let request = PullRequest {
            after: Some(after.clone()),
            collections,
            receipt: receipt.clone(),
            ..PullRequest::default()
        };
        let page = match self.transport.pull(self.replica.space(), &request).await {
            Ok(PullReply::Page(page)) => page,
            Ok(PullReply::ResyncRequired(resync)) => return Ok(Some(resync.into())),
            // With a receipt it may be that, and nobody can tell then whether the server has what it stands for.
            Err(error) => {
                let because = |reason| if receipt.is_some() { ResyncReason::HistoryDiverged } else { reason };
                return lost_cursor(&error).map(|reason| Some(Step::Resync(because(reason)))).ok_or(error);
            }
        };
        let asked = Asked { after, receipt };
        page::check(&page, &asked, self.replica.space())?;
        page::check_leads_on(&page, &asked.after, self.replica.space())?;
        let has_more = page.has_more;
        self.has_progressed = true;
        self.pages.push(asked, page);
        if has_more && side == Side::Live && !self.pages.is_full() {
            return Ok(None);
        }
        let Some(report) = self.take_in(side).await? else { return Ok(Some(Step::Done)) };
        self.report.add(report);
        let n_pulled = self.report.pulled;
        self.tell(Phase::Pulling, n_pulled, (!has_more).then_some(n_pulled));
        Ok(if has_more { None } else { Some(Step::UpToDate) })
    }

    /// Applies the pages that were kept, in one step. `None`, and nothing done, when this side has moved on meanwhile.
    async fn take_in(&mut self, side: Side) -> Result<Option<SyncReport>> {
        let pages = std::mem::take(&mut self.pages).pages;
        // A sync that finds nothing new does not keep the application from writing.
        if pages.iter().all(|(asked, page)| asked.learns_nothing(page)) {
            return Ok(Some(SyncReport::default()));
        }
        let apply = self.replica.write_at(side, move |local| {
            async move {
                let mut report = SyncReport::default();
                for (asked, page) in pages {
                    match local.apply_page(page, &asked).await? {
                        Some(pulled) => report.add(pulled),
                        None => return Ok(None),
                    }
                }
                Ok(Some(report))
            }
            .boxed()
        });
        apply.await
    }
}
