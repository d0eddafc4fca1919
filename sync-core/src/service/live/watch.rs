//! The task behind a hub: it waits for hints, reads what is new, and publishes it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};

use super::hub::Hub;
use super::{FRAME_BYTES_MAX, FRAME_ROWS_MAX, LOOK_EVERY};
use crate::error::{ErrorKind, Result};
use crate::protocol::{PullReply, PullRequest};
use crate::service::{Actor, Inner, cursors, pull};
use crate::store::Mode;
use crate::types::Cursor;

/// The first wait after a read that failed. It doubles up to [`LOOK_EVERY`].
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// Frames are kept for slower readers for this long after the last one. 2 s: a thousand spaces in which something happened a
/// moment ago hold what that was.
const KEPT_FOR: Duration = Duration::from_secs(2);

/// Runs a hub until nobody follows its space any more, or the space is not what it was.
pub(super) async fn watch(inner: Arc<Inner>, hub: Arc<Hub>, actor: Actor) {
    let _ending = Ending { inner: &inner, hub: &hub };
    let left = pin!(poll_fn(|cx| hub.poll_left(cx)));
    select(pin!(follow(&inner, &hub, &actor)), left).await;
}

/// Tells those who follow that their hub has ended, however that came; they take seats at another one.
struct Ending<'a> {
    inner: &'a Inner,
    hub: &'a Arc<Hub>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.hub.end();
        self.inner.hubs.forget(self.hub);
    }
}

/// Follows the feed until it cannot be continued.
async fn follow(inner: &Arc<Inner>, hub: &Hub, actor: &Actor) {
    // Before the first look, or what happens between the two would be slept through.
    // Should there be no more hints, looking now and then is left.
    let mut hints = inner.store.hints(&hub.space).chain(stream::pending());
    let Some(mut place) = begin(inner, hub, actor).await else { return };
    loop {
        let Some(next) = catch_up(inner, hub, actor, place).await else { return };
        place = next;
        let mut wait = inner.runtime.sleep(KEPT_FOR);
        let mut is_clear = false;
        loop {
            match select(hints.next(), wait).await {
                Either::Left((Some(head), rest)) if head <= place.seen => wait = rest,
                Either::Right(_) if !is_clear => {
                    hub.clear();
                    is_clear = true;
                    wait = inner.runtime.sleep(LOOK_EVERY - KEPT_FOR);
                }
                Either::Left(_) | Either::Right(_) => break,
            }
        }
    }
}

/// Where the space stands; `None` when there is no such space.
async fn begin(inner: &Arc<Inner>, hub: &Hub, actor: &Actor) -> Option<Cursor> {
    let cursor = insist(inner, || head(inner, hub, actor)).await?;
    hub.begin(cursor, cursor.encode(&hub.space));
    Some(cursor)
}

async fn head(inner: &Arc<Inner>, hub: &Hub, actor: &Actor) -> Result<Cursor> {
    let mut txn = inner.store.begin(&hub.space, Mode::Read).await?;
    let head = txn.head().head;
    cursors::at(head, inner.rules.view(actor).mark(), txn.as_mut()).await
}

/// Publishes what comes after a place up to the head; `None` when that cannot be told.
async fn catch_up(inner: &Arc<Inner>, hub: &Hub, actor: &Actor, mut place: Cursor) -> Option<Cursor> {
    loop {
        let reply = insist(inner, || page(inner, hub, actor, place)).await?;
        let PullReply::Page(page) = reply else { return None };
        let (more, next) = (page.has_more, Cursor::decode(&page.cursor, &hub.space).ok()?);
        if next != place {
            hub.publish(next, page);
        }
        place = next;
        if !more {
            return Some(place);
        }
    }
}

async fn page(inner: &Arc<Inner>, hub: &Hub, actor: &Actor, place: Cursor) -> Result<PullReply> {
    let request = PullRequest { limit: Some(FRAME_ROWS_MAX), ..PullRequest::default() };
    pull::page(inner, actor, &hub.space, &request, Some(place), FRAME_BYTES_MAX).await
}

/// Reads until it succeeds; `None` when there is no such space. Who follows has no use for errors that pass.
async fn insist<T, F: Future<Output = Result<T>>>(inner: &Inner, read: impl Fn() -> F) -> Option<T> {
    let mut again_after = AGAIN_AFTER;
    loop {
        match read().await {
            Ok(value) => return Some(value),
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::debug!(%error, "what is new could not be read");
                inner.runtime.sleep(again_after).await;
                again_after = (again_after * 2).min(LOOK_EVERY);
            }
        }
    }
}
