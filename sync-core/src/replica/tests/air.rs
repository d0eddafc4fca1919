//! A live way to the service, on which each thing that is heard has a fate.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt, StreamExt};

use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    LiveFrame, PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, Subscribe,
};
use crate::transport::{LiveNews, LiveStream, Loopback, Transport};
use crate::types::{CursorToken, SpaceId};

/// Requests before it is clear that nothing is waited for between them.
const PULLS_MAX: u64 = 10_000;

/// What happens to one item of a live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Deliver,
    Lose,
    Twice,
    /// After the next one.
    Later,
    /// The connection is cut.
    Cut,
    /// The connection is gone, and nobody says so.
    Silence,
    /// There is no such way any more.
    Vanish,
    /// The next frame is one of another space.
    Foreign,
    /// The next frame claims to begin elsewhere.
    Elsewhere,
    /// The server says that the reader is too slow.
    Behind,
}

pub(super) const FATES: [Fate; 10] = [
    Fate::Deliver,
    Fate::Lose,
    Fate::Twice,
    Fate::Later,
    Fate::Cut,
    Fate::Silence,
    Fate::Vanish,
    Fate::Foreign,
    Fate::Elsewhere,
    Fate::Behind,
];

/// The way. Everything but what is heard live arrives.
#[derive(Clone, Debug)]
pub(super) struct Air {
    inner: Loopback,
    fates: Arc<Mutex<VecDeque<Fate>>>,
    pub(super) n_live: Arc<AtomicU64>,
    pub(super) n_frames: Arc<AtomicU64>,
    pub(super) n_pulls: Arc<AtomicU64>,
    pub(super) n_held: Arc<AtomicU64>,
}

impl Air {
    pub(super) fn over(inner: Loopback) -> Self {
        let (fates, n) = (Arc::default(), Arc::default);
        Self { inner, fates, n_live: n(), n_frames: n(), n_pulls: n(), n_held: n() }
    }

    /// What happens to what is heard next, one after the other. After these, all arrives.
    pub(super) fn will(&self, fates: impl IntoIterator<Item = Fate>) {
        *self.fates.lock().unwrap() = fates.into_iter().collect();
    }

    fn fate(&self) -> Fate {
        self.fates.lock().unwrap().pop_front().unwrap_or(Fate::Deliver)
    }
}

#[async_trait]
impl Transport for Air {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.inner.push(space, push).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        let n = self.n_pulls.fetch_add(1, Ordering::SeqCst);
        assert!(n < PULLS_MAX, "it asks all the time");
        self.n_held.fetch_add(u64::from(pull.wait.is_some()), Ordering::SeqCst);
        self.inner.pull(space, pull).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.inner.snapshot(space, request)
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        self.n_live.fetch_add(1, Ordering::SeqCst);
        let heard = Heard {
            items: self.inner.live(space, subscribe)?,
            air: self.clone(),
            ready: VecDeque::new(),
            later: None,
        };
        Some(stream::unfold(Some(heard), |heard| async move { heard?.next().await }).boxed())
    }
}

/// A live stream under way.
struct Heard {
    items: LiveStream,
    air: Air,
    ready: VecDeque<LiveNews>,
    later: Option<LiveNews>,
}

impl Heard {
    async fn next(mut self) -> Option<(Result<LiveNews>, Option<Self>)> {
        loop {
            if let Some(news) = self.ready.pop_front() {
                return Some((Ok(news), Some(self)));
            }
            let news = match self.items.next().await? {
                Ok(news) => news,
                Err(error) => return Some((Err(error), None)),
            };
            self.air.n_frames.fetch_add(u64::from(matches!(news, LiveNews::Frame(_))), Ordering::SeqCst);
            match self.air.fate() {
                Fate::Deliver => self.ready.push_back(news),
                Fate::Lose => {}
                Fate::Twice => self.ready.extend([news.clone(), news]),
                Fate::Later => {
                    self.ready.extend(self.later.replace(news));
                    continue;
                }
                Fate::Cut => return Some((Err(Error::new(ErrorKind::Unavailable, "cut")), None)),
                Fate::Silence => std::future::pending().boxed().await,
                Fate::Vanish => return None,
                Fate::Foreign => self.ready.push_back(changed(news, |frame| {
                    frame.space = SpaceId::new("strangers").unwrap();
                })),
                Fate::Elsewhere => self.ready.push_back(changed(news, |frame| {
                    frame.from = Some(CursorToken::new("elsewhere"));
                })),
                Fate::Behind => return Some((Ok(LiveNews::Behind), None)),
            }
            self.ready.extend(self.later.take());
        }
    }
}

/// The news with its frame changed, if it is one.
fn changed(news: LiveNews, change: impl FnOnce(&mut LiveFrame)) -> LiveNews {
    let LiveNews::Frame(frame) = &news else { return news };
    let mut copy = LiveFrame::new(frame.space.clone(), frame.from.clone(), frame.page.clone());
    change(&mut copy);
    LiveNews::Frame(Arc::new(copy))
}
