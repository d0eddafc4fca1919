//! Between a replica and its way to the server: takes down what it asks, and holds what it is told against the facts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};

use crate::error::Result;
use crate::protocol::{
    LiveFrame, PullPage, PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest,
    Subscribe,
};
use crate::service::Limits;
use crate::simulator::facts::Facts;
use crate::simulator::{Invariant, Process};
use crate::transport::{LiveNews, LiveStream, Transport};
use crate::types::SpaceId;

/// The transport of a replica, watched.
#[derive(Clone, Debug)]
pub(crate) struct Witness {
    way: Arc<dyn Transport>,
    facts: Arc<Facts>,
    process: Process,
    device: usize,
    limits: Limits,
    /// Whether nobody but the replica decides when it asks.
    runs_by_itself: bool,
    has_failed: Arc<AtomicBool>,
}

impl Witness {
    pub(crate) fn new(
        way: Arc<dyn Transport>,
        facts: Arc<Facts>,
        process: Process,
        device: usize,
        limits: Limits,
        runs_by_itself: bool,
    ) -> Self {
        Self { way, facts, process, device, limits, runs_by_itself, has_failed: Arc::default() }
    }

    fn asks(&self) {
        let now = self.process.elapsed();
        self.facts.asks(self.device, now);
        if self.has_failed.swap(false, Ordering::Relaxed) && self.runs_by_itself {
            self.facts.tries_again(self.device, now);
        }
    }

    fn heard<T>(&self, reply: Result<T>) -> Result<T> {
        self.has_failed.store(reply.is_err(), Ordering::Relaxed);
        reply
    }

    fn heard_live(&self, space: &SpaceId, news: &Result<LiveNews>) {
        match news {
            Ok(LiveNews::Frame(frame)) => self.told_frame(space, frame),
            Ok(LiveNews::Resync(resync)) => self.facts.told_resync(self.device, resync.reason),
            Ok(LiveNews::Behind | LiveNews::Alive(_)) => {}
            Err(_) => self.has_failed.store(true, Ordering::Relaxed),
        }
    }

    fn told_frame(&self, space: &SpaceId, frame: &LiveFrame) {
        self.check_page(&frame.page);
        if let Some(from) = &frame.from {
            self.facts.told_page(self.device, space, from, &frame.page);
        }
    }

    fn check_page(&self, page: &PullPage) {
        let n = page.changes.len();
        // The answer to a push tells of the conflicts of its batch besides.
        let max = self.limits.page_rows_max + self.limits.mutations_max;
        self.facts.journal.expect(n <= max, Invariant::Bounded, || {
            format!("a page has {n} changes, and {max} are allowed")
        });
    }
}

#[async_trait]
impl Transport for Witness {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.asks();
        let reply = self.heard(self.way.push(space, push).await)?;
        let n = push.mutations.len();
        self.facts.journal.expect(n <= self.limits.mutations_max, Invariant::Bounded, || {
            format!("a batch of {n} mutations was taken, and {} are allowed", self.limits.mutations_max)
        });
        if let PushReply::Done(done) = &reply {
            done.page.iter().for_each(|page| self.check_page(page));
        }
        self.facts.told_push(self.device, space, push, &reply);
        Ok(reply)
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.asks();
        let reply = self.heard(self.way.pull(space, pull).await)?;
        match &reply {
            PullReply::Page(page) => {
                self.check_page(page);
                if let Some(after) = &pull.after {
                    self.facts.told_page(self.device, space, after, page);
                }
            }
            PullReply::ResyncRequired(resync) => self.facts.told_resync(self.device, resync.reason),
        }
        Ok(reply)
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        self.asks();
        let (facts, device, process) = (Arc::clone(&self.facts), self.device, self.process.clone());
        let items = self.way.snapshot(space, request);
        let name = space.clone();
        items
            .inspect(move |item| {
                facts.told_item(device, &name, item);
                if matches!(item, Ok(SnapshotItem::Resume(_))) {
                    facts.asks(device, process.elapsed());
                }
            })
            .boxed()
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        let news = self.way.live(space, subscribe)?;
        self.asks();
        let (witness, space) = (self.clone(), space.clone());
        let watched = stream::unfold((news, false), move |(mut news, was_new)| {
            let (witness, space) = (witness.clone(), space.clone());
            async move {
                // Whoever asks for more has taken in what was told before.
                if was_new {
                    witness.facts.journal.count("live frames taken in");
                }
                let told = news.next().await?;
                witness.heard_live(&space, &told);
                let is_new = matches!(&told, Ok(LiveNews::Frame(frame)) if !frame.page.changes.is_empty());
                Some((told, (news, is_new)))
            }
        });
        Some(watched.boxed())
    }
}
