//! A transport that does not wait for ever: what is not answered in a while is asked again, and given up in the end.
//!
//! ```text
//! first question   ├──────────────────────────────── … ─────┤ given up
//! asked again                  ├───────────┼─────────── … ──┤
//!                  0 s        12 s        24 s            120 s
//! ```
//!
//! The first question is kept while it is asked again, and whichever answer comes first counts: a lost request costs
//! twelve seconds, and a slow line still gets two minutes. All requests may be repeated, and the server knows a batch
//! that comes twice.
//!
//! A live stream that falls silent is taken for broken: its other end may be gone without a word.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{BoxFuture, Either, FutureExt, select, select_all};
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use crate::runtime::Runtime;
use crate::transport::{LiveStream, Transport};
use crate::types::SpaceId;

/// After this a question is asked again. With the longest wait after a failure it stays below 30 seconds.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(12);
/// How often a question is asked: for two minutes.
const ASKS_MAX: usize = 10;
/// The longest pause within a snapshot, of which single records come.
const ITEM_WAIT_MAX: Duration = Duration::from_secs(12);
/// What an answer to a pull that was to be held may take on top of that.
const HELD_SLACK: Duration = Duration::from_secs(5);

/// How long the first frame of a live stream may take, which comes at once.
const FIRST_FRAME_MAX: Duration = Duration::from_secs(12);
/// The longest silence on a live stream, on which something is heard every twenty seconds. With the first wait after a failure
/// it stays below 30 seconds.
const SILENCE_MAX: Duration = Duration::from_secs(25);

/// A transport in front of another one, which may hang.
#[derive(Debug)]
pub(crate) struct Patient<'a> {
    inner: &'a dyn Transport,
    runtime: Arc<dyn Runtime>,
}

impl<'a> Patient<'a> {
    pub(crate) fn new(inner: &'a dyn Transport, runtime: Arc<dyn Runtime>) -> Self {
        Self { inner, runtime }
    }

    async fn ask<'q, T>(&self, question: impl Fn() -> BoxFuture<'q, Result<T>>) -> Result<T> {
        let mut asked = vec![question()];
        for _ in 0..ASKS_MAX {
            if let Some(answer) = self.within(ASK_AGAIN_AFTER, select_all(asked.iter_mut())).await {
                return answer.0;
            }
            asked.truncate(1);
            asked.push(question());
        }
        Err(unanswered())
    }

    async fn within<F: Future + Unpin>(&self, limit: Duration, future: F) -> Option<F::Output> {
        match select(future, self.runtime.sleep(limit)).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(_) => None,
        }
    }
}

#[async_trait]
impl Transport for Patient<'_> {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.ask(|| self.inner.push(space, push)).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        match pull.wait {
            // The server was asked to be slow.
            Some(wait) => {
                let limit = wait.saturating_add(HELD_SLACK);
                self.within(limit, self.inner.pull(space, pull)).await.unwrap_or_else(|| Err(unanswered()))
            }
            None => self.ask(|| self.inner.pull(space, pull)).await,
        }
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let items = self.inner.snapshot(space, request);
        bounded(items, Arc::clone(&self.runtime), ITEM_WAIT_MAX, ITEM_WAIT_MAX)
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        let items = self.inner.live(space, subscribe)?;
        Some(bounded(items, Arc::clone(&self.runtime), FIRST_FRAME_MAX, SILENCE_MAX))
    }
}

/// The same items, and an error when the first or the next of them takes too long; nothing follows it.
fn bounded<T: Send + 'static>(
    items: BoxStream<'static, Result<T>>,
    runtime: Arc<dyn Runtime>,
    first_max: Duration,
    next_max: Duration,
) -> BoxStream<'static, Result<T>> {
    let patient = stream::unfold((Some(items), first_max), move |(items, max)| {
        let runtime = Arc::clone(&runtime);
        async move {
            let mut items = items?;
            // A timer for each of a million records would cost more than they do.
            if let Some(item) = items.next().now_or_never() {
                return Some((item?, (Some(items), next_max)));
            }
            match select(items.next(), runtime.sleep(max)).await {
                Either::Left((item, _)) => Some((item?, (Some(items), next_max))),
                Either::Right(_) => Some((Err(unanswered()), (None, next_max))),
            }
        }
    });
    patient.boxed()
}

fn unanswered() -> Error {
    Error::new(ErrorKind::Unavailable, "the server did not answer in time")
}
