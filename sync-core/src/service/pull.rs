//! Pull: one page of changes after a cursor, now or as soon as there is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{PullPage, PullReply, PullRequest};
use crate::service::{Actor, Inner, Service, cursors, scoped, selection};
use crate::store::{FeedQuery, Mode};
use crate::types::{Cursor, SpaceId};

/// Reads of a pull that passes over what is hidden from its reader: ten thousand changes, a moment of work. After that it
/// tells how far it is, so that a reader who is far behind gets on.
const READS_MAX: usize = 10;

/// How many pulls wait for a change right now.
#[derive(Debug, Default)]
pub(super) struct Waiters(AtomicUsize);

/// A place among those who wait; dropping it gives it back.
struct Waiting<'a>(&'a Waiters);

impl Waiters {
    fn enter(&self, max: usize) -> Result<Waiting<'_>> {
        let waiting = Waiting(self);
        if self.0.fetch_add(1, Ordering::Relaxed) < max {
            return Ok(waiting);
        }
        drop(waiting);
        let error = Error::new(ErrorKind::Overloaded, "too many pulls wait for changes");
        Err(error.with_retry_after(Duration::from_secs(5)))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service {
    /// The next page of changes after a cursor, in the order of their versions. Chained cursors yield every committed
    /// change, in its latest state, and never the same one twice.
    ///
    /// With `receipt` it is also checked that this server has what it answered when it gave that; one that has not was
    /// restored to a moment before, and asks for a resync.
    ///
    /// The cursor moves on also when a filter, or what the actor [may read](crate::service::rules::Scope), leaves nothing.
    /// A page ends where it is full of what the actor may read, or at the head. One that has passed over some ten thousand
    /// changes of the space, or 80 MiB of content, ends there as well: it may be short, or empty, and have more after it.
    /// With `wait` an empty page is held back until there is a change or the time is over.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ErrorKind::Invalid) for a cursor of another space, too many collections, or one that is not
    /// [delivered](crate::Collection::is_delivered),
    /// [`NotFound`](ErrorKind::NotFound) for a space that is not there, [`Overloaded`](ErrorKind::Overloaded) when too
    /// many wait, and what the store reports.
    pub async fn pull(&self, actor: &Actor, space: &SpaceId, request: PullRequest) -> Result<PullReply> {
        selection::check(request.collections.as_deref(), &self.0.limits)?;
        let mut cursor = request.after.as_ref().map(|after| cursors::read(after, space)).transpose()?;
        let wait = request.wait.unwrap_or_default().min(self.0.limits.wait_max);
        // Subscribe before looking, or a change between the look and the subscription would be slept through.
        let hints = (!wait.is_zero()).then(|| self.0.store.hints(space));
        let reply = self.page(actor, space, &request, cursor).await?;
        let (Some(mut hints), PullReply::Page(page)) = (hints, &reply) else { return Ok(reply) };
        if !page.changes.is_empty() || page.has_more {
            return Ok(reply);
        }
        let _waiting = self.0.waiters.enter(self.0.limits.waiters_max)?;
        let mut time_is_over = self.0.runtime.sleep(wait);
        let mut empty = page.clone();
        loop {
            let head = match select(hints.next(), &mut time_is_over).await {
                Either::Left((head, _)) => head,
                Either::Right(_) => None,
            };
            if head.is_some_and(|head| head <= empty.head) {
                continue;
            }
            // What the filter left out so far need not be read again.
            cursor = Some(cursors::read(&empty.cursor, space)?);
            match (self.page(actor, space, &request, cursor).await?, head) {
                (PullReply::Page(page), Some(_)) if page.changes.is_empty() && !page.has_more => empty = page,
                (reply, _) => return Ok(reply),
            }
        }
    }

    async fn page(
        &self,
        actor: &Actor,
        space: &SpaceId,
        request: &PullRequest,
        cursor: Option<Cursor>,
    ) -> Result<PullReply> {
        let (actor, space, request) = (actor.clone(), space.clone(), request.clone());
        self.run(move |inner| async move {
            let bytes_max = inner.limits.page_bytes_max;
            page(&inner, &actor, &space, &request, cursor, bytes_max).await
        })
        .await
    }
}

/// One page in one read transaction: head, floor, epoch and rows belong together.
pub(super) async fn page(
    inner: &Arc<Inner>,
    actor: &Actor,
    space: &SpaceId,
    request: &PullRequest,
    cursor: Option<Cursor>,
    bytes_max: usize,
) -> Result<PullReply> {
    let view = inner.rules.view(actor);
    let mut txn = inner.store.begin(space, Mode::Read).await?;
    let head = txn.head();
    let after = match cursor {
        Some(cursor) => {
            if let Err(resync) = cursors::judge(&cursor, view.mark(), txn.as_mut()).await? {
                return Ok(PullReply::ResyncRequired(resync));
            }
            cursor.seq
        }
        // From the very beginning everything that is left is everything there is to know.
        None => crate::types::Seq::ZERO,
    };
    if let Some(receipt) = &request.receipt
        && let Err(resync) = cursors::judge_receipt(&cursors::read(receipt, space)?, txn.as_mut()).await?
    {
        return Ok(PullReply::ResyncRequired(resync));
    }
    let rows_max = request.limit.unwrap_or(inner.limits.page_rows_max).clamp(1, inner.limits.page_rows_max);
    let query =
        FeedQuery { after, up_to: head.head, collections: request.collections.clone(), rows_max, bytes_max };
    let changes = scoped::feed(view, txn.as_mut(), &query, READS_MAX).await?;
    let cursor = cursors::at(changes.end, view.mark(), txn.as_mut()).await?.encode(space);
    let (changes, has_more) = (changes.records, changes.more);
    Ok(PullReply::Page(PullPage { changes, cursor, has_more, head: head.head }))
}
