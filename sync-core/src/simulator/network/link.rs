//! The transport of a replica: its end of the network.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_channel::{mpsc, oneshot};
use futures_util::future::{Either, select};
use futures_util::stream::{self, BoxStream, StreamExt};

use super::live::ON_THE_WAY_MAX;
use super::message::items;
use super::{Answer, Caller, Network, Request};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{
    PullReply, PullRequest, PushReply, PushRequest, SnapshotItem, SnapshotRequest, SnapshotToken, Subscribe,
};
use crate::runtime::Runtime;
use crate::simulator::Process;
use crate::transport::{LiveStream, Transport};
use crate::types::{Collection, SpaceId};

/// How long a replica waits for an answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The way of one process to the servers.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    network: Arc<Network>,
    process: Process,
    caller: Caller,
}

impl Link {
    pub(crate) fn new(network: Arc<Network>, process: Process, caller: Caller) -> Self {
        Self { network, process, caller }
    }

    async fn ask(&self, space: &SpaceId, request: Request) -> Result<Answer> {
        let (tell, told) = oneshot::channel();
        let caller = Caller { space: space.clone(), ..self.caller.clone() };
        let carried = Arc::clone(&self.network).carry(caller, request, tell);
        self.network.process.spawn(Box::pin(carried));
        match select(told, self.process.sleep(REQUEST_TIMEOUT)).await {
            Either::Left((Ok(answer), _)) => answer,
            Either::Left((Err(_), _)) => Err(unavailable("the connection was closed")),
            Either::Right(_) => Err(unavailable("there is no answer in time")),
        }
    }
}

fn unavailable(why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, why)
}

fn mistaken() -> Error {
    Error::new(ErrorKind::Distrusted, "the answer belongs to another request")
}

#[async_trait]
impl Transport for Link {
    async fn push(&self, space: &SpaceId, push: &PushRequest) -> Result<PushReply> {
        match self.ask(space, Request::Push(push.clone())).await? {
            Answer::Push(reply) => Ok(reply),
            _ => Err(mistaken()),
        }
    }

    async fn pull(&self, space: &SpaceId, pull: &PullRequest) -> Result<PullReply> {
        match self.ask(space, Request::Pull(pull.clone())).await? {
            Answer::Pull(reply) => Ok(reply),
            _ => Err(mistaken()),
        }
    }

    fn snapshot(
        &self,
        space: &SpaceId,
        request: &SnapshotRequest,
    ) -> BoxStream<'static, Result<SnapshotItem>> {
        let parts = Parts {
            link: self.clone(),
            space: space.clone(),
            ready: VecDeque::new(),
            collections: request.collections.clone(),
            next: Next::From(request.from.clone()),
        };
        stream::unfold(parts, Parts::next_item).boxed()
    }

    fn live(&self, space: &SpaceId, subscribe: &Subscribe) -> Option<LiveStream> {
        if !self.network.has_live(self.caller.device) {
            return None;
        }
        let (tell, told) = mpsc::channel(ON_THE_WAY_MAX);
        let caller = Caller { space: space.clone(), ..self.caller.clone() };
        let carried = Arc::clone(&self.network).carry_live(caller, subscribe.clone(), tell);
        self.network.process.spawn(Box::pin(carried));
        let end = stream::iter([Err(unavailable("the live connection was cut"))]);
        Some(told.chain(end).boxed())
    }
}

/// A snapshot that is being received.
struct Parts {
    link: Link,
    space: SpaceId,
    collections: Option<Vec<Collection>>,
    ready: VecDeque<Result<SnapshotItem>>,
    next: Next,
}

enum Next {
    From(Option<SnapshotToken>),
    Over,
}

impl Parts {
    async fn next_item(mut self) -> Option<(Result<SnapshotItem>, Self)> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                match &item {
                    Ok(SnapshotItem::Resume(token)) => self.next = Next::From(Some(token.clone())),
                    Ok(_) => {}
                    Err(_) => (self.next, self.ready) = (Next::Over, VecDeque::new()),
                }
                return Some((item, self));
            }
            let Next::From(from) = std::mem::replace(&mut self.next, Next::Over) else { return None };
            let request = SnapshotRequest { collections: self.collections.clone(), from };
            match self.link.ask(&self.space, Request::Snapshot(request)).await {
                Ok(Answer::Snapshot(lines)) => self.ready.extend(items(&lines)),
                Ok(_) => return Some((Err(mistaken()), self)),
                Err(error) => return Some((Err(error), self)),
            }
        }
    }
}
