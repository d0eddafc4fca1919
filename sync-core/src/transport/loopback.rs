//! The shortest way to a server: a service in the same process.

use std::pin::pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

use super::{LiveNews, LiveStream, Transport};
use crate::error::Result;
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotPage, SnapshotRequest, Subscribe,
};
use crate::service::{Actor, Live, Service, Subscription};
use crate::types::SpaceId;

/// How often something is heard of a space in which nothing happens, as over a network.
const BEAT: Duration = Duration::from_secs(20);

/// Carries straight into a [`Service`], on behalf of one actor.
///
/// For apps that embed both roles, and for tests: everything is as over a network but the network.
#[derive(Clone, Debug)]
pub struct Loopback {
    service: Service,
    actor: Actor,
}

impl Loopback {
    /// A way to `service` on behalf of `actor`.
    pub fn new(service: Service, actor: Actor) -> Self {
        Self { service, actor }
    }
}

#[async_trait]
impl Transport for Loopback {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        self.service.push(&self.actor, space, push.clone()).await
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        self.service.pull(&self.actor, space, pull.clone()).await
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let (service, actor, space) = (self.service.clone(), self.actor.clone(), space.clone());
        let pages = stream::try_unfold(Some(request.clone()), move |next| {
            let (service, actor, space) = (service.clone(), actor.clone(), space.clone());
            async move {
                let Some(request) = next else { return Ok(None) };
                let page = service.snapshot(&actor, &space, &request).await?;
                let next = page.next.clone();
                let next = next.map(|place| SnapshotRequest { from: Some(place), ..request });
                Ok(Some((page, next)))
            }
        });
        pages.map_ok(|page| stream::iter(items(page).map(Ok))).try_flatten().boxed()
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        Some(self.live_with_beat(space, subscribe, BEAT))
    }
}

impl Loopback {
    /// What a subscription yields, and signs of life in between. It ends with what nothing follows.
    pub(crate) fn live_with_beat(
        &self,
        space: &SpaceId,
        subscribe: &Subscribe,
        beat: Duration,
    ) -> LiveStream {
        let (service, actor) = (self.service.clone(), self.actor.clone());
        let (space, subscribe) = (space.clone(), subscribe.clone());
        let begun = async move {
            let subscription = service.subscribe(&actor, &space, subscribe).await?;
            Ok(stream::unfold(Some(subscription), move |subscription| hear(subscription, beat)))
        };
        stream::once(begun).try_flatten().boxed()
    }
}

async fn hear(
    subscription: Option<Subscription>,
    beat: Duration,
) -> Option<(Result<LiveNews>, Option<Subscription>)> {
    let mut subscription = subscription?;
    let silence = subscription.runtime().sleep(beat);
    let news = match select(pin!(subscription.next()), silence).await {
        Either::Left((news, _)) => Some(news),
        Either::Right(_) => None,
    };
    Some(match news {
        Some(Ok(Live::Frame(frame))) => (Ok(LiveNews::Frame(frame)), Some(subscription)),
        Some(Ok(Live::Resync(resync))) => (Ok(LiveNews::Resync(resync)), None),
        Some(Err(error)) => (Err(error), None),
        None => (Ok(LiveNews::Alive(Some(subscription.head()))), Some(subscription)),
    })
}

/// The items of a page, as its lines would say them.
fn items(page: SnapshotPage) -> impl Iterator<Item = SnapshotItem> {
    let SnapshotPage { cursor, n_records, records, next } = page;
    let begin = n_records.map(|n_records| SnapshotItem::Begin { cursor: cursor.clone(), n_records });
    let last = next.map_or(SnapshotItem::End { cursor }, SnapshotItem::Resume);
    let records = records.into_iter().map(|record| SnapshotItem::Record(Box::new(record)));
    begin.into_iter().chain(records).chain([last])
}
